package controlapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Config is what the API is made of.
type Config struct {
	// Deploy does what the routes ask for.
	Deploy *deploy.Service
	// Token is the owner's bearer token. Where it is empty, Public admits nobody.
	Token string
	// Hosts are the canonical names (see hosting.CanonicalHost) under which Public answers.
	Hosts []string
	// Version is this build's, for people and for the OpenAPI document.
	Version string
	// SitePattern shows people how the address of a site is made.
	SitePattern string
	// Ready says how each part of the installation is: "ok", or what is wrong. May be nil.
	Ready func(context.Context) map[string]string
	// Log gets what the answers do not say.
	Log *slog.Logger
	// Stopping, when closed, ends the streams that would otherwise hold a shutdown up. May
	// be nil.
	Stopping <-chan struct{}
}

// API is one set of routes behind three doors: Public for the world, Trusted for whoever
// can open the admin socket, Jobs for the socket of local jobs.
type API struct {
	cfg    Config
	hosts  map[string]bool
	origin *http.CrossOriginProtection
	mux    *mux
	huma   huma.API
	spec   []byte
}

// New returns the API. It panics on routes that contradict each other, which no input can
// cause.
func New(cfg Config) *API {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{
		cfg: cfg, hosts: map[string]bool{}, origin: http.NewCrossOriginProtection(),
		mux: &mux{access: map[string]access{}},
	}
	for _, h := range cfg.Hosts {
		a.hosts[h] = true
	}
	a.huma = humago.New(a.mux, a.humaConfig())
	a.registerHealth()
	a.registerProjects()
	a.registerDeployments()
	a.registerLogs()
	a.registerSocket()
	a.registerJobs()
	a.registerJobStreams()
	a.registerSpec()
	a.registerHome()
	return a
}

// Public answers the world: to the configured hosts alone, nothing that another site's page
// sent, and the owner only by the bearer token.
func (a *API) Public() http.Handler {
	return a.door(func(w http.ResponseWriter, r *http.Request, may access) (*http.Request, error) {
		if err := a.checkHost(r); err != nil {
			return nil, err
		}
		if err := a.checkOrigin(r); err != nil {
			return nil, err
		}
		if may != accessOwner {
			return r, nil
		}
		if err := a.checkToken(r); err != nil {
			return nil, err
		}
		return asOwner(r), nil
	})
}

// Trusted takes whoever asks for the owner: it belongs behind the admin socket, whose file
// mode is the check. It expects paths below /api.
func (a *API) Trusted() http.Handler {
	return a.door(func(_ http.ResponseWriter, r *http.Request, may access) (*http.Request, error) {
		if may != accessOwner {
			return r, nil
		}
		return withoutUpgrades(asOwner(r)), nil
	})
}

// Jobs answers the job routes alone, each to its own attempt's token.
func (a *API) Jobs() http.Handler {
	return a.door(func(_ http.ResponseWriter, r *http.Request, may access) (*http.Request, error) {
		if may != accessJob {
			return nil, notFound(r)
		}
		return r, nil
	})
}

// doorkeeper admits a request, possibly changed, to a route that has the access.
type doorkeeper func(w http.ResponseWriter, r *http.Request, may access) (*http.Request, error)

// door is what every request passes. Access is decided by the pattern that the mux itself
// matched, so that no second reading of the path can disagree with it.
func (a *API) door(admit doorkeeper) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &response{ResponseWriter: rw}
		setHeaders(w.Header())
		defer a.recovered(w, r)
		escaped := r.URL.EscapedPath()
		clean := path.Clean(escaped) == escaped // the mux would answer others with a redirect
		h, pattern := a.mux.Handler(r)
		admitted, err := admit(w, r, a.mux.access[pattern])
		switch {
		case err != nil:
			a.fail(w, r, err)
		case !clean:
			a.fail(w, r, notFound(r))
		case pattern == "":
			a.fail(w, r, unmatched(h, r))
		default:
			a.mux.ServeHTTP(w, admitted)
		}
	})
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

// Unwrap lets http.ResponseController and the web socket reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
