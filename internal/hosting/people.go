package hosting

import "time"

// UserID names a person: "usr_" and 128 random bits.
type UserID string

// TokenID names an API token: "tok_" and 128 random bits. It is no secret.
type TokenID string

// SessionID names a session: "ses_" and 128 random bits. It is no secret.
type SessionID string

// InvitationID names an invitation: "inv_" and 128 random bits. It is no secret.
type InvitationID string

// NewUserID returns a fresh random id.
func NewUserID() UserID { return UserID("usr_" + randomBase32(16)) }

// NewTeamID returns a fresh random id.
func NewTeamID() TeamID { return TeamID("team_" + randomBase32(16)) }

// NewTokenID returns a fresh random id.
func NewTokenID() TokenID { return TokenID("tok_" + randomBase32(16)) }

// NewSessionID returns a fresh random id.
func NewSessionID() SessionID { return SessionID("ses_" + randomBase32(16)) }

// NewInvitationID returns a fresh random id.
func NewInvitationID() InvitationID { return InvitationID("inv_" + randomBase32(16)) }

// NewAuditID returns a fresh random id of an audit entry: "aud_" and 128 random bits.
func NewAuditID() string { return "aud_" + randomBase32(16) }

// User is a person with an account.
type User struct {
	ID        UserID `json:"id" doc:"Identifier of the person"`
	Email     string `json:"email" doc:"Address, in lower case; the name to sign in with"`
	Name      string `json:"name" doc:"How the person is called"`
	Confirmed bool   `json:"confirmed" doc:"Whether the address was confirmed"`
	Operator  bool   `json:"operator" doc:"Whether the person may operate the installation"`
	Suspended bool   `json:"suspended" doc:"A suspended person can do nothing"`
	// Team is the person's own team, which lives as long as the account.
	Team       TeamID    `json:"team" doc:"The person's own team"`
	CreatedAt  time.Time `json:"createdAt"`
	LastSeenAt time.Time `json:"lastSeenAt,omitzero" doc:"To a few minutes"`
}

// Team is who owns projects: one person, or several.
type Team struct {
	ID        TeamID    `json:"id" doc:"Identifier of the team"`
	Slug      string    `json:"slug" doc:"Its short name, for addresses and commands"`
	Name      string    `json:"name" doc:"Free text, 1 to 100 characters"`
	Personal  bool      `json:"personal" doc:"A person's own team, which cannot be deleted by itself"`
	Suspended bool      `json:"suspended" doc:"Its sites answer that they are paused; nothing can be changed"`
	Quotas    Quotas    `json:"quotas" doc:"What the team may use; 0 is the installation's own limit"`
	CreatedAt time.Time `json:"createdAt"`
}

// Quotas bound what a team may use. A zero field means the installation's default.
type Quotas struct {
	Projects int   `json:"projects,omitempty" minimum:"0" maximum:"1000000" doc:"Projects"`
	Builds   int   `json:"builds,omitempty" minimum:"0" maximum:"1000" doc:"Builds at once"`
	Bytes    int64 `json:"bytes,omitempty" minimum:"0" doc:"Bytes stored: distinct blobs of retained deployments, per project"`
	Files    int   `json:"files,omitempty" minimum:"0" maximum:"10000000" doc:"Files of one site"`
}

// Or returns q with d's fields where q has none.
func (q Quotas) Or(d Quotas) Quotas {
	return Quotas{
		Projects: positive(q.Projects, d.Projects), Builds: positive(q.Builds, d.Builds),
		Bytes: positive(q.Bytes, d.Bytes), Files: positive(q.Files, d.Files),
	}
}

// Usage is what a team uses, against what it may.
type Usage struct {
	Projects int       `json:"projects" doc:"Projects there are"`
	Builds   int       `json:"builds" doc:"Builds that run now"`
	Bytes    int64     `json:"bytes" doc:"Bytes stored; exact at measuredAt, and never too small"`
	Quotas   Quotas    `json:"quotas" doc:"What holds for the team, defaults filled in"`
	Measured time.Time `json:"measuredAt,omitzero" doc:"When the bytes were last counted from the manifests"`
}

// Membership is a person in a team.
type Membership struct {
	Team     TeamID    `json:"team"`
	User     UserID    `json:"user"`
	Role     Role      `json:"role" enum:"viewer,developer,owner"`
	JoinedAt time.Time `json:"joinedAt"`
}

// Member is a membership as the team sees it.
type Member struct {
	Membership
	Name  string `json:"name"`
	Email string `json:"email"`
}

// TeamOf is a membership as the person sees it.
type TeamOf struct {
	Team
	Role Role `json:"role" enum:"viewer,developer,owner" doc:"What the person may do in it"`
}

// Invitation asks a person into a team. Its link works once, for an hour, and only for the
// address it was made for.
type Invitation struct {
	ID        InvitationID `json:"id"`
	Team      TeamID       `json:"team"`
	Email     string       `json:"email"`
	Role      Role         `json:"role" enum:"viewer,developer,owner"`
	InvitedBy string       `json:"invitedBy"`
	CreatedAt time.Time    `json:"createdAt"`
	ExpiresAt time.Time    `json:"expiresAt"`
	// Link is only told to the operator, where no mail is configured.
	Link string `json:"link,omitempty" doc:"Where it is accepted; only told to the operator"`
}

// Token is an API token without its secret, which nobody can see again.
type Token struct {
	ID         TokenID   `json:"id"`
	Team       TeamID    `json:"team"`
	User       UserID    `json:"user,omitempty" doc:"Who made it; it can do no more than they can now"`
	Name       string    `json:"name" doc:"What it is for"`
	Scope      Scope     `json:"scope" enum:"read,deploy,admin"`
	Project    ProjectID `json:"project,omitempty" doc:"The one project it is for; the whole team when absent"`
	CreatedAt  time.Time `json:"createdAt"`
	ExpiresAt  time.Time `json:"expiresAt"`
	LastUsedAt time.Time `json:"lastUsedAt,omitzero" doc:"To a few minutes"`
}

// NewToken is the input of an API token's making.
type NewToken struct {
	Name    string `json:"name" minLength:"1" maxLength:"100" doc:"What it is for"`
	Scope   Scope  `json:"scope" enum:"read,deploy,admin"`
	Project string `json:"project,omitempty" maxLength:"100" doc:"Id or slug of the one project it is for"`
	Days    int    `json:"days,omitempty" minimum:"1" maximum:"366" doc:"How long it lives; 90 when absent"`
}

// Session is a browser that is signed in.
type Session struct {
	ID         SessionID `json:"id"`
	CreatedAt  time.Time `json:"createdAt"`
	LastSeenAt time.Time `json:"lastSeenAt" doc:"To a few minutes"`
	ExpiresAt  time.Time `json:"expiresAt" doc:"Whatever happens, it ends then"`
	Addr       string    `json:"addr" doc:"Address it was begun from"`
	Agent      string    `json:"agent" doc:"What the browser calls itself"`
	Current    bool      `json:"current" doc:"It is the one that asks"`
}

// Identity is who a caller is, as the API tells them.
type Identity struct {
	Via   Via      `json:"via" enum:"session,token,socket,file" doc:"By what you are known"`
	Name  string   `json:"name"`
	User  *User    `json:"user,omitempty" doc:"Your account; the operator at the socket has none"`
	Team  *Team    `json:"team,omitempty" doc:"The team that this request acts in"`
	Role  Role     `json:"role,omitempty" doc:"Your role in it"`
	Token *Token   `json:"token,omitempty" doc:"The API token you came with"`
	Teams []TeamOf `json:"teams" doc:"All your teams"`
}

// AuditEntry says who did what, from where.
type AuditEntry struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	User   UserID    `json:"user,omitempty" doc:"Who did it"`
	Name   string    `json:"name" doc:"What they were called then"`
	Via    Via       `json:"via" doc:"By what they were known"`
	Token  TokenID   `json:"token,omitempty"`
	Addr   string    `json:"addr,omitempty" doc:"Address the request came from"`
	Action string    `json:"action" doc:"What was done, such as project.delete"`
	Target string    `json:"target,omitempty" doc:"What it was done to, by id or name"`
	Detail string    `json:"detail,omitempty" doc:"What of it changed; never a secret"`
}

// Variable is one of a project's environment variables, for the builds of one target.
type Variable struct {
	Name      string    `json:"name"`
	Target    Target    `json:"target" enum:"production,preview"`
	Value     string    `json:"value,omitempty" doc:"Absent where it is secret"`
	Secret    bool      `json:"secret" doc:"Its value is never shown again, and masked in logs"`
	UpdatedAt time.Time `json:"updatedAt"`
	UpdatedBy string    `json:"updatedBy"`
}

// Deletion says what a deletion takes along, and when.
type Deletion struct {
	What  string    `json:"what" doc:"What was deleted"`
	Gone  []string  `json:"gone" doc:"What is gone at once"`
	Later []string  `json:"later" doc:"What goes later, and when"`
	At    time.Time `json:"at"`
}
