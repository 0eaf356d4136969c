package hosting

// Role is what a member may do in a team. Each role may do what the one before it may.
type Role string

// The roles, from the weakest.
const (
	RoleViewer    Role = "viewer"
	RoleDeveloper Role = "developer"
	RoleOwner     Role = "owner"
)

// rank orders roles; what is no role ranks below all of them.
func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RoleDeveloper:
		return 2
	case RoleOwner:
		return 3
	}
	return 0
}

// Valid reports whether r is a role.
func (r Role) Valid() bool { return r.rank() > 0 }

// Scope bounds what an API token may do, whatever role its maker has.
type Scope string

// The scopes, from the narrowest.
const (
	ScopeRead   Scope = "read"   // look at everything that is no secret
	ScopeDeploy Scope = "deploy" // and deploy, cancel, promote
	ScopeAdmin  Scope = "admin"  // and whatever else the role of its maker allows in the team
)

func (s Scope) rank() int {
	switch s {
	case ScopeRead:
		return 1
	case ScopeDeploy:
		return 2
	case ScopeAdmin:
		return 3
	}
	return 0
}

// Valid reports whether s is a scope.
func (s Scope) Valid() bool { return s.rank() > 0 }

// Permission is what a route or a method asks of its caller. The zero value is granted to
// nobody, so that what declares nothing stays shut.
type Permission int

// The permissions. Those of a team are about the team that the caller acts in.
const (
	PermitNobody  Permission = iota
	PermitKnown              // any credential that is good: who am I
	PermitSelf               // a signed-in person, by a session, about their own account
	PermitMint               // make and end tokens: a signed-in viewer, or the operator at the socket
	PermitRead               // look at the team's things: viewers
	PermitDeploy             // deploy, cancel, promote: developers
	PermitChange             // make projects, change settings and variables: developers
	PermitManage             // members, deletions, the audit log: owners
	PermitOperate            // the whole installation: its operator
)

// needs is what each permission of a team asks of role and scope.
var needs = map[Permission]struct {
	role  Role
	scope Scope
}{
	PermitMint:   {RoleViewer, ScopeAdmin},
	PermitRead:   {RoleViewer, ScopeRead},
	PermitDeploy: {RoleDeveloper, ScopeDeploy},
	PermitChange: {RoleDeveloper, ScopeAdmin},
	PermitManage: {RoleOwner, ScopeAdmin},
}

// Via says by what a caller was known.
type Via string

// The ways to be known.
const (
	ViaSession Via = "session" // a browser's cookie
	ViaToken   Via = "token"   // an API token
	ViaSocket  Via = "socket"  // whoever can open the admin socket
	ViaFile    Via = "file"    // the token of the data folder
	ViaSystem  Via = "system"  // Fairway itself
)

// Caller is who asks, by what they were known, and in which team they act. It is made anew
// for each request, from what is stored at that moment.
type Caller struct {
	Via  Via
	User UserID // "" for the operator at the socket
	Name string // for people: a user's name, or "operator"
	Addr string // the address the request came from, "" for the socket

	Team Team   // the zero Team where the caller acts in none
	Role Role   // in Team, as it is stored now
	Held string // why the team may only be read ("the team is suspended"), else ""

	// Session is the browser's session, where one was the credential.
	Session SessionID

	// Of an API token: its id, its scope, and the one project it is for, if it is for one.
	Token   TokenID
	Scope   Scope
	Project ProjectID

	// Operator may operate the installation.
	Operator bool
}

// May says whether the caller has the permission, and if not, why: CodeUnauthenticated for
// nobody, else CodeForbidden.
func (c Caller) May(p Permission) error {
	if c.Via == "" {
		return Errorf(CodeUnauthenticated, "the request carries no credential").WithHint("sign in, or send a token as Authorization: Bearer")
	}
	switch p {
	case PermitKnown:
		return nil
	case PermitSelf:
		if c.Via == ViaSession && c.User != "" {
			return nil
		}
		return Errorf(CodeForbidden, "this is for a signed-in person").WithHint("sign in with a browser: tokens cannot do it")
	case PermitOperate:
		if c.Operator && (c.Token == "" || c.Scope == ScopeAdmin && c.Project == "") {
			return nil
		}
		return Errorf(CodeForbidden, "this is for the operator of the installation")
	case PermitMint:
		// A token that could make tokens would outlive its own end.
		if (c.Via != ViaSession || c.User == "") && c.Via != ViaSocket {
			return Errorf(CodeForbidden, "tokens are made and ended by a signed-in person").WithHint("sign in with a browser, or run fairway login")
		}
	}
	return c.mayInTeam(p)
}

func (c Caller) mayInTeam(p Permission) error {
	need, ok := needs[p]
	switch {
	case !ok:
		return Errorf(CodeForbidden, "this is not allowed to anybody")
	case c.Team.ID == "" || !c.Role.Valid():
		return Errorf(CodeForbidden, "you are not a member of this team")
	case c.Role.rank() < need.role.rank():
		return Errorf(CodeForbidden, "this is for a %s of the team, you are a %s", need.role, c.Role).WithHint("ask an owner of the team")
	case c.Token != "" && c.Scope.rank() < need.scope.rank():
		return Errorf(CodeForbidden, "the token's scope is %s, this needs %s", c.Scope, need.scope).WithHint("make a token with that scope")
	case p == PermitManage && c.Project != "":
		return Errorf(CodeForbidden, "the token is for one project, and this concerns the whole team")
	case p != PermitRead && c.Held != "":
		return Errorf(CodeForbidden, "%s", c.Held).WithHint("ask the operator of this Fairway")
	}
	return nil
}

// Sees reports whether the caller may know of a project: tokens can be for one alone.
func (c Caller) Sees(p ProjectID) bool { return c.Project == "" || c.Project == p }
