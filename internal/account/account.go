package account

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// Signup says who may make an account.
type Signup string

// The ways to sign up. The first person always comes by the owner link.
const (
	SignupClosed Signup = "closed" // nobody but who is invited into a team by an owner
	SignupInvite Signup = "invite" // the same as closed, but said on the sign-in page
	SignupOpen   Signup = "open"   // everybody
)

// Mailer queues mail. Queue writes into the transaction, so that a message is sent if, and
// only if, what it tells of happened. Enabled is false where no server is configured: then
// links are told to the operator alone.
type Mailer interface {
	Enabled() bool
	Queue(tx state.Tx, m hosting.Mail) error
}

// Config is what a Service works with. DB and Ring are needed.
type Config struct {
	DB   state.DB
	Ring seal.Ring
	Mail Mailer // nil: none
	// Signup says who may make an account; closed when empty.
	Signup Signup
	// URL makes the address of a page of the control host, from its path and query.
	URL func(path string) string
	// Hashes bounds how many passwords are hashed at once and how many may wait; zero fields
	// mean the defaults.
	Hashes HashLimits
	// Derive makes a password's key by argon2id; argon.Key when nil.
	Derive func(password string, salt []byte, p argon.Params) []byte
	Now    func() time.Time
	Log    *slog.Logger
}

// HashLimits bound the work of argon2id, so that logins cannot starve the sites.
type HashLimits struct {
	Parallel int  // at once; default 1 for each 4 processors, at least 1
	Waiting  int  // default 500; more are told to come again
	Off      bool // no bound at all, and in the server itself: the control of a measurement
}

// Service is people, teams and credentials. All methods may be called concurrently.
type Service struct {
	cfg  Config
	sys  state.System
	log  *slog.Logger
	gate *gate
	used *used
	// claimed is true once an owner was seen: it stays so, and need not be asked again.
	claimed atomic.Bool
	// swept is where the next look for ended sessions begins. Run alone uses it.
	swept state.Key
}

// From is where a request came from, for sessions and the audit log.
type From struct{ Addr, Agent string }

// SignedIn is a new session: Secret is what the cookie holds, and is known to nobody else.
type SignedIn struct {
	Secret  string
	Session hosting.Session
	User    hosting.User
}

// SignUp is the input of an account's making.
type SignUp struct {
	Email    string `json:"email" minLength:"3" maxLength:"254" format:"email" doc:"Your address, the name to sign in with"`
	Name     string `json:"name" minLength:"1" maxLength:"100" doc:"How you are called"`
	Password string `json:"password" minLength:"12" maxLength:"256" doc:"12 to 256 characters; none of the common ones"`
	Link     string `json:"link,omitempty" maxLength:"200" doc:"The secret of the owner link or of an invitation"`
}

// Link is what the operator is told where no mail is sent.
type Link struct {
	URL       string    `json:"url" doc:"Works once"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// TokenSecret is a new API token with its secret, which is shown this once.
type TokenSecret struct {
	hosting.Token
	Secret string `json:"secret" doc:"The token itself; nobody can see it again"`
}

// NewTeam is the input of a team's making.
type NewTeam struct {
	Name string `json:"name" minLength:"1" maxLength:"100"`
	Slug string `json:"slug,omitempty" maxLength:"40" doc:"Made from the name when absent"`
}

// New returns a Service. It starts nothing: Run does.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Mail == nil {
		cfg.Mail = noMail{}
	}
	if cfg.URL == nil {
		cfg.URL = func(path string) string { return path }
	}
	return &Service{cfg: cfg, sys: cfg.DB.System(), log: cfg.Log, gate: newGate(cfg), used: newUsed()}
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }
