package controlapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/usage"
)

// Config is what the API is made of.
type Config struct {
	// Deploy and Account do what the routes ask for.
	Deploy  *deploy.Service
	Account *account.Service
	// Usage knows the edges, and takes their reports.
	Usage *usage.Service
	// Providers are other places by which people sign in.
	Providers []Provider
	// Signup says who may make an account, for the pages; closed when empty.
	Signup account.Signup
	// DB keeps the answers that were given under an idempotency key; Ring seals them.
	DB   state.DB
	Ring seal.Ring
	// Token is the operator's bearer token. Where it is empty, none is.
	Token string
	// Hosts are the canonical names (see hosting.CanonicalHost) under which Public answers.
	Hosts []string
	// ControlURL is the address of the control host over TLS, and Domain the sites'.
	ControlURL, Domain string
	// AllowedOrigins are exact origins whose pages may use the API with a bearer token.
	AllowedOrigins []string
	// Limits bound how often people and addresses ask.
	Limits Limits
	// Explain tells how this process's edge answers an address, for an Accept-Encoding. It is nil
	// where there is none.
	Explain func(ctx context.Context, address, encodings string) (hosting.Explanation, error)
	// Admit says how members come to see the site that has the canonical host; false where it
	// is for everybody, or there is none. It is nil where no site can be for members.
	Admit func(host string) (Admission, bool)
	// Version is this build's, for people and for the OpenAPI document.
	Version string
	// SitePattern shows people how the address of a site is made.
	SitePattern string
	// Ready says how each part of the installation is: "ok", or what is wrong. May be nil.
	Ready func(context.Context) map[string]string
	// Now is the clock of limits and kept answers; time.Now where nil.
	Now func() time.Time
	// Log gets what the answers do not say.
	Log *slog.Logger
	// Stopping, when closed, ends the streams that would otherwise hold a shutdown up. May
	// be nil.
	Stopping <-chan struct{}
}

// API is one set of routes behind three doors: Public for the world, Trusted for whoever
// can open the admin socket, Jobs for the socket of local jobs.
type API struct {
	cfg       Config
	hosts     map[string]bool
	allowed   map[string]bool // origins
	hsts      string
	origin    *http.CrossOriginProtection
	quotas    [limitClasses]int
	windows   *windows
	boot      string   // names this process
	running   sync.Map // keys of the requests that run under one
	mux       *mux
	huma      huma.API
	spec      []byte
	reference []byte // the page of the spec
}

// New returns the API. It panics on routes that contradict each other, which no input can
// cause.
func New(cfg Config) *API {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{
		cfg: cfg, hosts: map[string]bool{}, allowed: map[string]bool{}, origin: http.NewCrossOriginProtection(),
		quotas: cfg.Limits.quotas(), windows: newWindows(cfg.Now), boot: seal.NewToken(),
		mux: &mux{rules: map[string]rule{}},
	}
	for _, h := range cfg.Hosts {
		a.hosts[h] = true
	}
	for _, o := range cfg.AllowedOrigins {
		a.allowed[o] = true
	}
	if len(cfg.Hosts) > 0 {
		a.hsts = hstsFor(cfg.Hosts[0], cfg.Domain)
	}
	a.huma = humago.New(a.mux, a.humaConfig())
	a.registerHealth()
	a.registerUser()
	a.registerPassword()
	a.registerSessions()
	a.registerTeams()
	a.registerMembers()
	a.registerInvitations()
	a.registerTokens()
	a.registerVariables()
	a.registerOperator()
	a.registerEdges()
	a.registerProjects()
	a.registerExplain()
	a.registerDeployments()
	a.registerLogs()
	a.registerSocket()
	a.registerJobs()
	a.registerJobStreams()
	a.registerSpec()
	a.registerPages()
	return a
}

// recovered turns a panic into an answer; a server that aborts on purpose goes on doing so.
func (a *API) recovered(w *response, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		panic(v)
	}
	a.fail(w, r, &panicked{v})
}

// response remembers whether an answer has begun, after which no problem can be written.
type response struct {
	http.ResponseWriter
	begun bool
}

func (w *response) WriteHeader(status int) {
	w.begun = w.begun || status >= 200 || status == http.StatusSwitchingProtocols
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

func (w *response) hasBegun() bool { return w.begun }

// Unwrap lets http.ResponseController and the web socket reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (a *API) now() time.Time { return a.cfg.Now() }

// overTLS reports whether a request came encrypted, as the session's cookie needs it.
func (a *API) overTLS(r *http.Request) bool { return r.TLS != nil }

// controlURL is the address of a page of the control host.
func (a *API) controlURL(path string) string { return a.cfg.ControlURL + path }

func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // whoever asked has gone
	return nil
}

// deploymentID reads the id of a path. Ids become file names and keys, so what has not the
// form of one goes no further.
func deploymentID(s string) (hosting.DeploymentID, error) {
	if !hosting.ValidID(s) {
		return "", hosting.Errorf(hosting.CodeNotFound, "there is no such deployment")
	}
	return hosting.DeploymentID(s), nil
}
