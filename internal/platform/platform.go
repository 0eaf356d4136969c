package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/routes"
)

// Platform is a running Fairway: its stores are open from Open to Close, its loops run from
// Start to Close. Its methods may be called concurrently.
type Platform struct {
	config  Config
	log     *slog.Logger
	routes  *routes.Table
	source  source // what the routing table follows
	bell    bell.Bell
	sites   *edge.Server
	control *control // nil in the role edge
	certs   *domains.Certificates
	loops   []loop
	node    string // by which it holds leases, and others know it

	closers []func() error // in the order of opening

	start    sync.Once
	stop     func() error  // close, once
	stopping chan struct{} // closed by Close, before anything ends
	failed   error
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// source is what a routing table follows.
type source interface {
	routes.Source
	// Head returns the newest mark.
	Head(ctx context.Context) (hosting.Mark, error)
}

// loop is what runs from Start to Close. Its context ends with Close.
type loop struct {
	name string
	run  func(ctx context.Context) error
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
	open := p.openControl
	if c.Role == RoleEdge {
		open = p.openEdge
	}
	if err := open(ctx); err != nil {
		return err
	}
	p.loops = append(p.loops, loop{"routing table", func(ctx context.Context) error { return p.routes.Follow(ctx, p.source, p.bell) }})
	return ctx.Err()
}

// openRoutes opens the routing table, whose source is told of by a topic of the bell.
func (p *Platform) openRoutes(topic bell.Topic) (err error) {
	c := p.config
	p.routes, err = routes.Open(routes.Config{Path: filepath.Join(c.Data, "routes.db"), Domain: c.Domain, Topic: topic, PollEvery: c.pollEvery(), Log: p.log})
	if err != nil {
		return fmt.Errorf("open the routing table: %w", err)
	}
	p.closers = append(p.closers, p.routes.Close)
	return nil
}

// pages are what the platform's own pages tell of it.
func (c Config) pages() edge.Pages {
	return edge.Pages{ControlURL: c.ControlURL(), SitePattern: c.SitePattern(), Hint: c.local()}
}

// Start starts the loops and the job socket, once; repeated it returns what the first call
// returned.
func (p *Platform) Start() error {
	p.start.Do(func() { p.failed = p.run() })
	return p.failed
}

func (p *Platform) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	if p.control != nil {
		if err := p.control.serveJobs(p); err != nil {
			cancel()
			return err
		}
	}
	p.cancel = cancel
	for _, l := range p.loops {
		p.goes(l.name, func() error { return l.run(ctx) })
	}
	return p.settle(ctx)
}

// settleTime bounds how long the start waits for the routing table.
const settleTime = 10 * time.Second

// settle waits until the table has what there was at the start, so that the first request of
// a restarted server is answered as the last one before it was. An edge whose table was filled
// once waits for nobody: it serves on with everything else dead.
func (p *Platform) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	head := hosting.Mark{Seq: 1} // whatever there is
	if p.control == nil && p.complete() {
		return nil
	}
	if p.control != nil {
		now, err := p.source.Head(ctx)
		if err != nil { // sites are served as they were
			p.log.Warn("the state store cannot be read: nothing can be changed until it can", "error", err)
			return nil
		}
		head = now
	}
	if err := p.routes.Wait(ctx, head); err != nil {
		p.log.Warn("the routing table is still catching up", "error", err)
	}
	return nil
}

// complete reports whether the routing table was ever filled.
func (p *Platform) complete() bool { return p.routes.Mark() != hosting.Mark{} }

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
		if p.control != nil {
			p.control.endJobs()
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

// Sites serves the sites by their host. In the role control it sends visitors away. On a host
// that no site has, the control host among them, edge.HealthPath says whether it is well.
func (p *Platform) Sites() http.Handler {
	if p.config.Role == RoleControl {
		return edge.Elsewhere()
	}
	return p.sites
}

// API serves the control host to the network.
func (p *Platform) API() http.Handler {
	if p.control == nil {
		return p.sites // not asked: an edge has no control host
	}
	api, sites := p.control.api.Public(), p.Sites()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == edge.HealthPath {
			sites.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// Admin serves the same API to whoever can open Caddy's admin socket. An edge tells nothing
// but its health.
func (p *Platform) Admin() http.Handler {
	if p.control == nil {
		return controlapi.HealthAlone(p.config.Version, p.ready)
	}
	return p.control.api.Trusted()
}

// OwnerLink returns the link with which the first person becomes the installation's owner, and
// "" once there is one, while that cannot be found out, or where nobody signs in.
func (p *Platform) OwnerLink(ctx context.Context) (string, error) {
	if p.control == nil {
		return "", nil
	}
	l, err := p.control.people.OwnerLink(ctx)
	if hosting.Is(err, hosting.CodeConflict) || hosting.Is(err, hosting.CodeUnavailable) { // nobody knows
		return "", nil
	}
	return l.URL, err
}

// ready says how the parts of this process are, for its health.
func (p *Platform) ready(ctx context.Context) map[string]string {
	if p.control == nil {
		return p.edgeReady(ctx)
	}
	parts := map[string]string{"state": "ok", "routes": "ok"}
	head, err := p.source.Head(ctx)
	if err != nil {
		parts["state"] = "cannot be read"
	} else if p.routes.Wait(ctx, head) != nil {
		parts["routes"] = "behind the state store"
	}
	return parts
}

// IsControl reports whether a Host header names the control host, which an edge has not.
func (p *Platform) IsControl(host string) bool {
	h, ok := hosting.CanonicalHost(host)
	return ok && p.control != nil && h == p.config.ControlHost
}

// Allowed says whether a certificate may be made or loaded for name: the control host, and
// what is served here by the routing table. It makes no call outside the process.
func (p *Platform) Allowed(name string) bool {
	h, ok := hosting.CanonicalHost(name)
	if !ok {
		return false
	}
	if p.IsControl(h) {
		return true
	}
	if p.config.Role == RoleControl {
		return false
	}
	_, ok = p.routes.Lookup(h)
	return ok
}
