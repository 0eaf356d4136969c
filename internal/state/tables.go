package state

import (
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// DB is a store with its tables.
type DB struct{ Store }

// Team returns the tables of one team. Their keys begin with the team, so a caller that
// was given them reaches no other team's rows, whatever ids it is asked for.
func (db DB) Team(id hosting.TeamID) Team {
	scope := "t" + sep + string(id)
	return Team{
		Projects: projects.In(scope), Deployments: deployments.In(scope), Variables: variables.In(scope),
		Stored: stored.In(scope), Audit: audit.In(scope), Replies: replies.In(scope),
	}
}

// Team is the tables of one team.
type Team struct {
	Projects    Rows[hosting.Project]    // indexes: "created" (newest first), "slug" (unique), "git" (by GitKey, oldest first)
	Deployments Rows[hosting.Deployment] // index: "project" (by project, newest first)
	Variables   Rows[Variable]           // key: K(project, name, target)
	Stored      Rows[Stored]
	Audit       Rows[hosting.AuditEntry] // the newest first; written by Note
	Replies     Rows[Reply]              // index: "expires"
}

// GitKey is the prefix under which the index "git" has the projects of a URL. It is a digest,
// since a URL may be longer than a key, and one URL the beginning of another.
func GitKey(url string) Key { return K(hosting.DigestOf([]byte(url)).String()) }

// System returns what has to be found across teams. Who may call it is a fixed list, held
// by a test.
func (db DB) System() System {
	const scope = "s"
	return System{
		Sites: sites.In(scope), Pointers: pointers.In(scope), Hosts: hosts.In(scope),
		Runs: runs.In(scope), Trash: trash.In(scope),
		Users: users.In(scope), Sessions: sessions.In(scope), Teams: teams.In(scope), Members: members.In(scope),
		Tokens: tokens.In(scope), Invitations: invitations.In(scope), Links: links.In(scope),
		Identities: identities.In(scope), Tries: tries.In(scope), Mails: mails.In(scope), Edges: edges.In(scope),
		changes: changes.In(scope), heads: heads.In(scope), counters: counters.In(scope), leases: leases.In(scope), nodes: nodes.In(scope),
	}
}

// System is the tables that belong to no team. Sites, Pointers and Hosts are written by
// Commit alone, which numbers the change.
type System struct {
	Sites    Rows[hosting.Site]
	Pointers Rows[hosting.Pointer] // key: K(project, name)
	Hosts    Rows[hosting.Host]
	// Runs has the indexes "queue" (those that wait, in order), "active" (those that run or
	// upload), "project" (those of a project that have not ended), "ended" (by time) and
	// "stopping" (ended, but their job still has to be stopped).
	Runs  Rows[Run]
	Trash Rows[Trash]

	// People, and what they are known by. Secrets are stored as their SHA-256 alone.
	Users       Rows[User]               // index: "email" (unique)
	Sessions    Rows[Session]            // key: hash; index: "user"
	Teams       Rows[hosting.Team]       // index: "slug" (unique)
	Members     Rows[hosting.Membership] // key: K(team, user); index: "user" (user, team)
	Tokens      Rows[Token]              // key: hash; indexes: "id" (unique), "team", "user", "member" (team, user), newest first
	Invitations Rows[Invitation]         // key: hash; indexes: "id" (unique), "team", "expires"
	Links       Rows[Link]               // key: hash; indexes: "kind" (kind, user), "expires"
	Identities  Rows[Identity]           // key: K(provider, subject); index: "user"
	Tries       Rows[Tries]              // key: hash of the account; index: "last"
	Mails       Rows[Mail]               // index: "due"

	Edges Rows[Edge] // key: hash; index: "name" (unique)

	changes  Rows[change]
	heads    Rows[head]
	counters Rows[counter]
	leases   Rows[Lease]
	nodes    Rows[Node]
}

// Run is what the platform keeps of a deployment until an hour after it ended: its place in the
// queue, and where its attempt runs.
type Run struct {
	Deployment hosting.DeploymentID `json:"deployment"`
	Team       hosting.TeamID       `json:"team"`
	Project    hosting.ProjectID    `json:"project"`
	State      RunState             `json:"state"`
	Number     uint64               `json:"number"` // place in the queue
	Attempt    int                  `json:"attempt"`
	Job        string               `json:"job,omitempty"` // the runner's name of it
	Ref        string               `json:"ref,omitempty"` // the runner's Ref, "" until Start has answered
	Lease      time.Time            `json:"lease,omitzero"`
	Begun      time.Time            `json:"begun,omitzero"` // when the attempt did
	Deadline   time.Time            `json:"deadline,omitzero"`
	LogStart   int64                `json:"logStart,omitempty"` // number of the attempt's first log line
	EndedAt    time.Time            `json:"endedAt,omitzero"`
	// NotBefore delays the next attempt of a run that waits.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Unstarted is how many of the attempts had a job that could not be started, and RefusedSince
	// when the first of these was that came behind each other, the last one included.
	Unstarted    int       `json:"unstarted,omitempty"`
	RefusedSince time.Time `json:"refusedSince,omitzero"`
	// Overdue is set while a job that still runs has missed its lease once.
	Overdue bool `json:"overdue,omitempty"`
	// Finished says that the attempt itself ended the run, so that it may ask again how.
	Finished bool `json:"finished,omitempty"`
	// Fallback is kept from the request for a deployment whose files come without a build.
	Fallback hosting.Fallback `json:"fallback,omitempty"`
}

// RunState is the stage of a Run.
type RunState string

// The stages of a run.
const (
	RunUpload RunState = "upload" // its uploader is awaited, no job runs
	RunQueued RunState = "queued"
	RunActive RunState = "active"
	// RunEnded is kept for an hour, so that a Finish whose answer was lost can be repeated.
	RunEnded RunState = "ended"
)

// Trash is a deleted project whose deployments, pointers, logs and objects still have to go.
type Trash struct {
	Project   hosting.ProjectID `json:"project"`
	Team      hosting.TeamID    `json:"team"`
	DeletedAt time.Time         `json:"deletedAt"`
	// Emptied says that what remains is what may still come in by presigned uploads.
	Emptied bool `json:"emptied,omitempty"`
}

type head struct {
	Mark  hosting.Mark `json:"mark"`
	First uint64       `json:"first"` // smallest Seq whose Change is still kept
}

// change is a Change as it is kept, with the time of its writing (Unix milliseconds; 0 where a
// release before wrote it).
type change struct {
	hosting.Change
	At int64 `json:"at,omitempty"`
}

type counter struct {
	Name  string `json:"name"`
	Value uint64 `json:"value"`
}

// Next returns the next number of a named counter, from 1.
func (s System) Next(tx Tx, name string) (uint64, error) {
	c, _, err := s.counters.Find(tx, K(name))
	if err != nil {
		return 0, err
	}
	c.Name = name
	c.Value++
	return c.Value, s.counters.Put(tx, &c)
}

var (
	projects = &Table[hosting.Project]{
		Name: "project", Version: 1,
		Key: func(p *hosting.Project) Key { return K(string(p.ID)) },
		Indexes: []Index[hosting.Project]{
			{Name: "created", Key: func(p *hosting.Project) (Key, bool) { return K(Desc(uint64(p.CreatedAt.UnixNano()))), true }},
			{Name: "slug", Unique: true, Key: func(p *hosting.Project) (Key, bool) { return K(p.Slug), true }},
			{Name: "git", Key: func(p *hosting.Project) (Key, bool) {
				return GitKey(p.GitURL) + Key(sep+Asc(uint64(p.CreatedAt.UnixNano()))), p.GitURL != ""
			}},
		},
	}
	deployments = &Table[hosting.Deployment]{
		Name: "deployment", Version: 1,
		Key: func(d *hosting.Deployment) Key { return K(string(d.ID)) },
		Indexes: []Index[hosting.Deployment]{
			{Name: "project", Key: func(d *hosting.Deployment) (Key, bool) { return K(string(d.Project), Desc(d.Order)), true }},
		},
	}
	sites    = &Table[hosting.Site]{Name: "site", Version: 1, Key: func(s *hosting.Site) Key { return K(s.Name) }}
	pointers = &Table[hosting.Pointer]{
		Name: "pointer", Version: 1,
		Key: func(p *hosting.Pointer) Key { return K(string(p.Project), p.Name) },
	}
	hosts = &Table[hosting.Host]{Name: "host", Version: 1, Key: func(h *hosting.Host) Key { return K(h.Name) }}
	runs  = &Table[Run]{
		Name: "run", Version: 1,
		Key: func(r *Run) Key { return K(string(r.Deployment)) },
		Indexes: []Index[Run]{
			{Name: "queue", Key: func(r *Run) (Key, bool) { return K(Asc(r.Number)), r.State == RunQueued }},
			{Name: "active", Key: func(r *Run) (Key, bool) { return K(Asc(r.Number)), r.State == RunUpload || r.State == RunActive }},
			{Name: "project", Key: func(r *Run) (Key, bool) { return K(string(r.Project), Asc(r.Number)), r.State != RunEnded }},
			{Name: "stopping", Key: func(r *Run) (Key, bool) { return K(Asc(r.Number)), r.State == RunEnded && r.Ref != "" }},
			{Name: "ended", Key: func(r *Run) (Key, bool) { return K(Asc(uint64(r.EndedAt.Unix()))), r.State == RunEnded }},
		},
	}
	trash    = &Table[Trash]{Name: "trash", Version: 1, Key: func(t *Trash) Key { return K(string(t.Project)) }}
	changes  = &Table[change]{Name: "change", Version: 1, Key: func(c *change) Key { return K(Asc(c.Mark.Seq)) }}
	heads    = &Table[head]{Name: "head", Version: 1, Key: func(*head) Key { return K("routes") }}
	counters = &Table[counter]{Name: "counter", Version: 1, Key: func(c *counter) Key { return K(c.Name) }}
)
