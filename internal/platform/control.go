package platform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/feed"
	"github.com/scale-mesh/fairway/internal/guard"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/notify"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/usage"
)

// control is the control plane: what a process has in the roles both and control.
type control struct {
	deploy *deploy.Service
	people *account.Service
	usage  *usage.Service
	mail   *notify.Mailer
	api    *controlapi.API
	jobs   *http.Server
}

// openControl opens the control plane, and the sites beside it: every control plane keeps a
// routing table, so that a publish answers once it is visible.
func (p *Platform) openControl(ctx context.Context) error {
	c := p.config
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
	if a.runner, err = p.openRunner(ctx, c, key); err != nil {
		return err
	}
	token, err := openToken(filepath.Join(c.Data, "token"))
	if err != nil {
		return err
	}
	if presigner, ok := a.objects.(object.Presigner); ok {
		p.loops = append(p.loops, loop{"probe of uploads", func(ctx context.Context) error { return probeUploads(ctx, presigner, p.log) }})
	}
	p.bell, p.source = a.bell, state.Feed{DB: a.db}
	if err := p.join(ctx, a.db, key); err != nil {
		return err
	}
	if err := p.openCertificates(a.objects, ringOf(edgeKeysOf(ring)), ring, a.db); err != nil {
		return err
	}
	if len(ring.Keys()) > 1 {
		p.loops = append(p.loops, loop{"certificates", p.resealCertificates})
	}
	if err := p.wire(a, ring, token); err != nil {
		return err
	}
	return p.openFeed(ctx, a, key)
}

// openFeed has changes of routes published for edges elsewhere, if there are any.
func (p *Platform) openFeed(ctx context.Context, a adapters, key seal.Key) error {
	c := p.config
	if c.Edges != EdgesOn {
		return nil
	}
	edgeKey := edgeKeyOf(key)
	if err := keepEdgeKey(c.edgeKeyFile(), edgeKey); err != nil {
		return err
	}
	publisher := feed.NewPublisher(feed.PublisherConfig{
		Source: p.source, Objects: a.objects, Bell: a.bell, Key: edgeKey, Dir: c.temporary(), Log: p.log,
	})
	p.loops = append(p.loops, loop{"feed", func(ctx context.Context) error {
		return a.db.Hold(ctx, "feed", p.node, func(ctx context.Context) {
			p.persist(ctx, "the feed cannot begin", func() error { return state.Feed{DB: a.db}.Begin(ctx) })
			publisher.Run(ctx)
		})
	}})
	return nil
}

// wire makes the services.
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
	ctl := &control{usage: usage.New(usage.Config{DB: a.db, Log: p.log})}
	ctl.mail = notify.New(notify.Config{DB: a.db, Ring: ring, Server: server, Log: p.log})
	ctl.people = account.New(account.Config{
		DB: a.db, Ring: ring, Mail: ctl.mail, Signup: rules.signup, Hashes: rules.hashes, Derive: derive, Log: p.log,
		URL: func(path string) string { return c.SecureURL() + path },
	})
	// As long as there is one person, sources may be anywhere: deploy sees to that.
	policy := hosting.SourcePolicy{Open: true, AllowPrivate: strings.Fields(c.AllowPrivate)}
	ctl.deploy = deploy.New(deploy.Config{
		DB: a.db, Objects: a.objects, Blobs: a.blobs, Logs: a.logs, Bell: a.bell, Runner: a.runner.Runner,
		Routes: p.routes, Key: ring.Current(), JobAPI: a.runner.api, URL: c.siteURL,
		Policy: policy, CheckURL: checkURL, Ring: ring, Quotas: rules.quotas, Unsandboxed: rules.unsandboxed || a.runner.apart, NoBuilds: a.runner.none,
		HashPassword: ctl.people.HashPassword,
		Limits:       hosting.DefaultLimits(), MaxBuilds: c.Builds, LogLife: c.logLife(), LogRate: c.logRate(), Now: time.Now, Log: p.log,
	})
	cache, err := p.openCache(c, a.blobs)
	if err != nil {
		return err
	}
	p.sites = edge.New(edge.Config{
		Router: p.routes, Manifests: cache, Blobs: cache, Log: p.log, Pages: c.pages(),
		Gate: c.gate(derive, edgeKeysOf(ring)...),
	})
	ctl.api = controlapi.New(controlapi.Config{
		Deploy: ctl.deploy, Account: ctl.people, Usage: ctl.usage, Providers: providers, Signup: rules.signup, DB: a.db, Ring: ring, Token: token,
		Hosts: []string{c.ControlHost}, ControlURL: c.SecureURL(), Domain: c.Domain, AllowedOrigins: rules.origins, Limits: rules.limits,
		Explain: p.sites.Explain, Admit: p.admitter(edgeKeyOf(ring.Current())), Version: c.Version, Log: p.log, SitePattern: c.SitePattern(), Ready: p.ready, Stopping: p.stopping,
	})
	p.control = ctl
	p.loops = append(p.loops, loop{"mail", ctl.mail.Run}, loop{"people", ctl.people.Run}, loop{"reports of edges", ctl.usage.Run}, p.led(a.db, loop{"deployments", ctl.deploy.Run}))
	return nil
}

// checkURL refuses a source at once that no job could fetch.
func checkURL(p hosting.SourcePolicy, url string) error {
	if err := guard.CheckURL(guard.Policy{Open: p.Open, AllowPrivate: p.AllowPrivate}, url); err != nil {
		return hosting.Errorf(hosting.CodeInvalid, "the Git URL is refused: %v", err)
	}
	return nil
}

// serveJobs opens the socket that local jobs speak to.
func (c *control) serveJobs(p *Platform) error {
	ln, err := listenJobs(p.config.socket())
	if err != nil {
		return err
	}
	c.jobs = &http.Server{Handler: c.api.Jobs(), ReadHeaderTimeout: 10 * time.Second}
	p.goes("job socket", func() error { return c.jobs.Serve(ln) })
	return nil
}

// endJobs closes that socket. What is still open after five seconds is a job's call, which it
// repeats.
func (c *control) endJobs() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.jobs.Shutdown(ctx); err != nil {
		_ = c.jobs.Close()
	}
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
