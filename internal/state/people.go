package state

import (
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// User is a person as stored.
type User struct {
	hosting.User
	// Password is the argon2id hash in its PHC string form; "" for those who sign in elsewhere.
	Password string `json:"password,omitempty"`
	// Entered counts the changes of the credential. A session or link that was made before
	// the last one is over.
	Entered uint64 `json:"entered"`
}

// Session is a signed-in browser as stored: under the SHA-256 of its cookie.
type Session struct {
	hosting.Session
	Hash    string         `json:"hash"`
	User    hosting.UserID `json:"user"`
	Entered uint64         `json:"entered"` // User.Entered when it began
}

// Token is an API token as stored: under the SHA-256 of its secret.
type Token struct {
	hosting.Token
	Hash string `json:"hash"`
}

// Invitation is an invitation as stored: under the SHA-256 of its link's secret.
type Invitation struct {
	hosting.Invitation
	Hash string `json:"hash"`
}

// LinkKind is what a Link is good for.
type LinkKind string

// The kinds of links.
const (
	LinkOwner   LinkKind = "owner"   // the first person makes their account with it
	LinkReset   LinkKind = "reset"   // a new password
	LinkConfirm LinkKind = "confirm" // an address is its user's
	LinkGrant   LinkKind = "grant"   // a CLI exchanges it for a token (PKCE)
)

// Link is a secret that works once: stored under its SHA-256, deleted in the transaction that
// uses it.
type Link struct {
	Hash      string           `json:"hash"`
	Kind      LinkKind         `json:"kind"`
	User      hosting.UserID   `json:"user,omitempty"`
	Email     string           `json:"email,omitempty"`
	Entered   uint64           `json:"entered,omitempty"`
	ExpiresAt time.Time        `json:"expiresAt"`
	Challenge string           `json:"challenge,omitempty"` // of a grant: RFC 7636
	Team      hosting.TeamID   `json:"team,omitempty"`      // of a grant
	Token     hosting.NewToken `json:"token,omitzero"`      // of a grant: what is granted
}

// Identity is a person's name at another place that vouches for them.
type Identity struct {
	Provider string         `json:"provider"`
	Subject  string         `json:"subject"`
	User     hosting.UserID `json:"user"`
}

// Tries are an account's recent failed logins, the oldest first. Account is the SHA-256 of the
// address, so that addresses of no account are treated, and stored, alike.
type Tries struct {
	Account string      `json:"account"`
	At      []time.Time `json:"at"`
	Last    time.Time   `json:"last"`
	// Noted is when the audit log was last told of too many of them.
	Noted time.Time `json:"noted,omitzero"`
}

// Mail is a message that has to be sent: written in the transaction of what it tells. Body is
// sealed, since it may hold a link.
type Mail struct {
	ID        string    `json:"id"`
	To        string    `json:"to"`
	Subject   string    `json:"subject"`
	Body      []byte    `json:"body"`
	NotBefore time.Time `json:"notBefore"`
	Attempt   int       `json:"attempt"`
	Until     time.Time `json:"until"` // it is worth nothing after
}

// Variable is an environment variable as stored, its value sealed.
type Variable struct {
	hosting.Variable
	Project hosting.ProjectID `json:"project"`
	Sealed  []byte            `json:"sealed"`
}

// Stored is what a project's retained deployments take.
type Stored struct {
	Project    hosting.ProjectID `json:"project"`
	Bytes      int64             `json:"bytes"`
	Added      int64             `json:"added,omitempty"` // of Bytes: what came since the last count, perhaps too much
	MeasuredAt time.Time         `json:"measuredAt"`      // the last count
	Counts     uint64            `json:"counts"`          // how many there were, so that two at once do not mix
}

// Reply is an answer that was given under an idempotency key. Until Done, the request still
// runs, or the process died in it.
type Reply struct {
	Key     string    `json:"key"`     // digest of caller and key
	Request string    `json:"request"` // digest of method, path, query and body
	Boot    string    `json:"boot"`    // the process that ran it
	Done    bool      `json:"done"`
	Status  int       `json:"status,omitempty"`
	Type    string    `json:"type,omitempty"`
	Body    []byte    `json:"body,omitempty"` // sealed
	Expires time.Time `json:"expires"`
}

// byID orders by an id alone.
func byID[T any](id func(*T) string) func(*T) Key { return func(v *T) Key { return K(id(v)) } }

func index[T any](name string, key func(*T) Key) Index[T] {
	return Index[T]{Name: name, Key: func(v *T) (Key, bool) { return key(v), true }}
}

func unique[T any](name string, key func(*T) Key) Index[T] {
	ix := index(name, key)
	ix.Unique = true
	return ix
}

func newest(at time.Time) string { return Desc(uint64(at.UnixNano())) }

var (
	users = &Table[User]{
		Name: "user", Version: 1, Key: byID(func(u *User) string { return string(u.ID) }),
		Indexes: []Index[User]{unique("email", func(u *User) Key { return K(u.Email) })},
	}
	sessions = &Table[Session]{
		Name: "session", Version: 1, Key: byID(func(s *Session) string { return s.Hash }),
		Indexes: []Index[Session]{index("user", func(s *Session) Key { return K(string(s.User), newest(s.CreatedAt)) })},
	}
	teams = &Table[hosting.Team]{
		Name: "team", Version: 1, Key: byID(func(t *hosting.Team) string { return string(t.ID) }),
		Indexes: []Index[hosting.Team]{unique("slug", func(t *hosting.Team) Key { return K(t.Slug) })},
	}
	members = &Table[hosting.Membership]{
		Name: "member", Version: 1, Key: func(m *hosting.Membership) Key { return K(string(m.Team), string(m.User)) },
		Indexes: []Index[hosting.Membership]{index("user", func(m *hosting.Membership) Key { return K(string(m.User), string(m.Team)) })},
	}
	tokens = &Table[Token]{
		Name: "token", Version: 1, Key: byID(func(t *Token) string { return t.Hash }),
		Indexes: []Index[Token]{
			unique("id", func(t *Token) Key { return K(string(t.ID)) }),
			index("team", func(t *Token) Key { return K(string(t.Team), newest(t.CreatedAt)) }),
			index("user", func(t *Token) Key { return K(string(t.User), newest(t.CreatedAt)) }),
			index("member", func(t *Token) Key { return K(string(t.Team), string(t.User), newest(t.CreatedAt)) }),
		},
	}
	invitations = &Table[Invitation]{
		Name: "invitation", Version: 1, Key: byID(func(i *Invitation) string { return i.Hash }),
		Indexes: []Index[Invitation]{
			unique("id", func(i *Invitation) Key { return K(string(i.ID)) }),
			index("team", func(i *Invitation) Key { return K(string(i.Team), newest(i.CreatedAt)) }),
			index("expires", func(i *Invitation) Key { return K(Asc(uint64(i.ExpiresAt.UnixNano()))) }),
		},
	}
	links = &Table[Link]{
		Name: "link", Version: 1, Key: byID(func(l *Link) string { return l.Hash }),
		Indexes: []Index[Link]{
			index("kind", func(l *Link) Key { return K(string(l.Kind), string(l.User)) }),
			index("expires", func(l *Link) Key { return K(Asc(uint64(l.ExpiresAt.UnixNano()))) }),
		},
	}
	identities = &Table[Identity]{
		Name: "identity", Version: 1, Key: func(i *Identity) Key { return K(i.Provider, i.Subject) },
		Indexes: []Index[Identity]{index("user", func(i *Identity) Key { return K(string(i.User)) })},
	}
	tries = &Table[Tries]{
		Name: "tries", Version: 1, Key: byID(func(t *Tries) string { return t.Account }),
		Indexes: []Index[Tries]{index("last", func(t *Tries) Key { return K(Asc(uint64(t.Last.UnixNano()))) })},
	}
	mails = &Table[Mail]{
		Name: "mail", Version: 1, Key: byID(func(m *Mail) string { return m.ID }),
		Indexes: []Index[Mail]{index("due", func(m *Mail) Key { return K(Asc(uint64(m.NotBefore.UnixNano()))) })},
	}
	variables = &Table[Variable]{
		Name: "variable", Version: 1, Key: func(v *Variable) Key { return K(string(v.Project), v.Name, string(v.Target)) },
	}
	audit = &Table[hosting.AuditEntry]{
		Name: "audit", Version: 1, Key: func(e *hosting.AuditEntry) Key { return K(newest(e.At), e.ID) },
	}
	stored = &Table[Stored]{
		Name: "stored", Version: 1, Key: byID(func(s *Stored) string { return string(s.Project) }),
	}
	replies = &Table[Reply]{
		Name: "reply", Version: 1, Key: byID(func(r *Reply) string { return r.Key }),
		Indexes: []Index[Reply]{index("expires", func(r *Reply) Key { return K(Asc(uint64(r.Expires.UnixNano()))) })},
	}
)

// Note writes what the caller does into the team's audit log, in the transaction that does
// it: where the note cannot be written, the change does not happen.
func (t Team) Note(tx Tx, c hosting.Caller, at time.Time, e hosting.AuditEntry) error {
	e.ID, e.At = hosting.NewAuditID(), at
	e.User, e.Name, e.Via, e.Token, e.Addr = c.User, c.Name, c.Via, c.Token, c.Addr
	return t.Audit.Insert(tx, &e)
}
