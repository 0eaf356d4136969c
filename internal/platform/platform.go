package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/guard"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/notify"
	"github.com/scale-mesh/fairway/internal/routes"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// Platform is a running Fairway: its stores are open from Open to Close, its loops run from
// Start to Close. Its methods may be called concurrently.
type Platform struct {
	config Config
	log    *slog.Logger
	routes *routes.Table
	feed   state.Feed
	bell   bell.Bell
	deploy *deploy.Service
	people *account.Service
	mail   *notify.Mailer
	api    *controlapi.API
	sites  *edge.Server
	jobs   *http.Server

	closers []func() error // in the order of opening

	start    sync.Once
	stop     func() error  // close, once
	stopping chan struct{} // closed by Close, before anything ends
	failed   error
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// Open opens every store that the configuration names and wires the services. It makes the
// data folder, the key and the token where they are absent. Nothing runs before Start.
func Open(ctx context.Context, c Config) (*Platform, error) {
	c, err := c.Normal()
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &Platform{config: c, log: c.Log, stopping: make(chan struct{})}
	p.stop = sync.OnceValue(p.close)
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	crash.At("open.ready")
	return p, nil
}

func (p *Platform) open(ctx context.Context) error {
	c := p.config
	if err := openData(c.Data); err != nil {
		return err
	}
	// First of all: the state store's lock keeps a second Fairway from what is made below.
	a, err := p.openAdapters(ctx, c)
	if err != nil {
		return err
	}
	key, err := openKey(c)
	if err != nil {
		return err
	}
	ring, err := openRing(c, key)
	if err != nil {
		return err
	}
	token, err := openToken(filepath.Join(c.Data, "token"))
	if err != nil {
		return err
	}
	p.bell, p.feed = a.bell, state.Feed{DB: a.db}
	p.routes, err = routes.Open(routes.Config{Path: filepath.Join(c.Data, "routes.db"), Domain: c.Domain, Log: p.log})
	if err != nil {
		return fmt.Errorf("open the routing table: %w", err)
	}
	p.closers = append(p.closers, p.routes.Close)
	if err := p.wire(a, ring, token); err != nil {
		return err
	}
	return ctx.Err()
}

func (p *Platform) wire(a adapters, ring seal.Ring, token string) error {
	c := p.config
	rules, err := c.People.read()
	if err != nil {
		return err
	}
	server, err := notify.Parse(c.SMTP, c.getenv)
	if err != nil {
		return hosting.Errorf(hosting.CodeInvalid, "smtp: %v", err)
	}
	providers, err := c.providers()
	if err != nil {
		return err
	}
	derive, err := p.openHashes(c)
	if err != nil {
		return err
	}
	p.mail = notify.New(notify.Config{DB: a.db, Ring: ring, Server: server, Log: p.log})
	p.people = account.New(account.Config{
		DB: a.db, Ring: ring, Mail: p.mail, Signup: rules.signup, Hashes: rules.hashes, Derive: derive, Log: p.log,
		URL: func(path string) string { return c.SecureURL() + path },
	})
	// As long as there is one person, sources may be anywhere: deploy sees to that.
	policy := hosting.SourcePolicy{Open: true, AllowPrivate: strings.Fields(c.AllowPrivate)}
	p.deploy = deploy.New(deploy.Config{
		DB: a.db, Objects: a.objects, Blobs: a.blobs, Logs: a.logs, Bell: a.bell, Runner: a.runner,
		Routes: p.routes, Key: ring.Current(), JobAPI: "unix://" + c.socket(), URL: c.siteURL,
		Policy: policy, CheckURL: checkURL, Ring: ring, Quotas: rules.quotas, Unsandboxed: rules.unsandboxed,
		Limits: hosting.DefaultLimits(), MaxBuilds: c.Builds, Now: time.Now, Log: p.log,
	})
	cache, err := p.openCache(c, a.blobs)
	if err != nil {
		return err
	}
	p.sites = edge.New(edge.Config{
		Router: p.routes, Manifests: cache, Blobs: cache, Log: p.log,
		Pages: edge.Pages{ControlURL: c.ControlURL(), SitePattern: c.SitePattern(), Hint: c.local()},
	})
	p.api = controlapi.New(controlapi.Config{
		Deploy: p.deploy, Account: p.people, Providers: providers, Signup: rules.signup, DB: a.db, Ring: ring, Token: token,
		Hosts: []string{c.ControlHost}, ControlURL: c.SecureURL(), Domain: c.Domain, AllowedOrigins: rules.origins, Limits: rules.limits,
		Explain: p.sites.Explain, Version: c.Version, Log: p.log, SitePattern: c.SitePattern(), Ready: p.ready, Stopping: p.stopping,
	})
	return nil
}

// OwnerLink returns the link with which the first person becomes the installation's owner, and
// "" once there is one.
func (p *Platform) OwnerLink(ctx context.Context) (string, error) {
	l, err := p.people.OwnerLink(ctx)
	if hosting.Is(err, hosting.CodeConflict) {
		return "", nil
	}
	return l.URL, err
}

// checkURL refuses a source at once that no job could fetch.
func checkURL(p hosting.SourcePolicy, url string) error {
	if err := guard.CheckURL(guard.Policy{Open: p.Open, AllowPrivate: p.AllowPrivate}, url); err != nil {
		return hosting.Errorf(hosting.CodeInvalid, "the Git URL is refused: %v", err)
	}
	return nil
}

// Start starts the loops and the job socket, once; repeated it returns what the first call
// returned.
func (p *Platform) Start() error {
	p.start.Do(func() { p.failed = p.run() })
	return p.failed
}

func (p *Platform) run() error {
	ln, err := listenJobs(p.config.socket())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.jobs = &http.Server{Handler: p.api.Jobs(), ReadHeaderTimeout: 10 * time.Second}
	p.goes("job socket", func() error { return p.jobs.Serve(ln) })
	p.goes("routing table", func() error { return p.routes.Follow(ctx, p.feed, p.bell) })
	p.goes("mail", func() error { return p.mail.Run(ctx) })
	p.goes("people", func() error { return p.people.Run(ctx) })
	p.goes("deployments", func() error { return p.deploy.Run(ctx) })
	return p.settle(ctx)
}

// settle waits until the table has what the state store had at the start, so that the
// first request of a restarted server is answered as the last one before it was.
func (p *Platform) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	head, err := p.feed.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the routes: %w", err)
	}
	if err := p.routes.Wait(ctx, head); err != nil {
		p.log.Warn("the routing table is still catching up", "error", err)
	}
	return nil
}

func (p *Platform) goes(name string, f func() error) {
	p.running.Go(func() {
		err := f()
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
			p.log.Error(name+" ended", "error", err)
		}
	})
}

// Close ends the loops, waits for them, and closes the stores. Build jobs go on: the next
// start finds them again. It may be repeated.
func (p *Platform) Close() error { return p.stop() }

func (p *Platform) close() error {
	// A Close before Start leaves nothing for a later Start to run on.
	p.start.Do(func() { p.failed = errors.New("the platform is closed") })
	if p.cancel != nil {
		close(p.stopping)
		p.cancel()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.jobs.Shutdown(ctx); err != nil {
			_ = p.jobs.Close() // what is still open is a job's call, which it repeats
		}
	}
	p.running.Wait()
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		errs = append(errs, p.closers[i]())
	}
	return errors.Join(errs...)
}

// Config returns the configuration with its defaults filled in.
func (p *Platform) Config() Config { return p.config }

// Sites serves the sites by their host.
func (p *Platform) Sites() http.Handler { return p.sites }

// API serves the control host to the network.
func (p *Platform) API() http.Handler { return p.api.Public() }

// Admin serves the same API to whoever can open Caddy's admin socket.
func (p *Platform) Admin() http.Handler { return p.api.Trusted() }

// ready says how the parts of this process are, for its health.
func (p *Platform) ready(ctx context.Context) map[string]string {
	parts := map[string]string{"state": "ok", "routes": "ok"}
	head, err := p.feed.Head(ctx)
	if err != nil {
		parts["state"] = "cannot be read"
	} else if p.routes.Wait(ctx, head) != nil {
		parts["routes"] = "behind the state store"
	}
	return parts
}

// IsControl reports whether a Host header names the control host.
func (p *Platform) IsControl(host string) bool {
	h, ok := hosting.CanonicalHost(host)
	return ok && h == p.config.ControlHost
}

// Allowed says whether a certificate may be made or loaded for name: the control host, and
// what the routing table serves. It makes no call outside the process.
func (p *Platform) Allowed(name string) bool {
	h, ok := hosting.CanonicalHost(name)
	if !ok {
		return false
	}
	if h == p.config.ControlHost {
		return true
	}
	_, ok = p.routes.Lookup(h)
	return ok
}

func (c Config) socket() string { return filepath.Join(c.Data, "job.sock") }

// listenJobs opens the socket that local jobs speak to. A socket that a killed process left
// behind is replaced; that no other process has the data folder is certain by now, since
// the state store holds its lock.
func listenJobs(path string) (net.Listener, error) {
	if len(path) > 100 {
		return nil, hosting.Errorf(hosting.CodeInvalid, "the data folder's path is too long for a socket in it").
			WithHint("choose one of less than 90 characters by FAIRWAY_DATA")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the job socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the job socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open the job socket: %w", err), ln.Close())
	}
	return ln, nil
}
