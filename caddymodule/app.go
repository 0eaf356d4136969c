package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/platform"
)

// What configurations pass on to each other, which only a process can hold.
var (
	platforms = caddy.NewUsagePool() // one platform per data folder
	listeners = &sockets{open: map[string]*socket{}}
)

// App is Fairway as a Caddy app. Every field may be empty: nothing set is one machine, with
// everything under the data folder. A reload cannot change these settings, only a restart
// can; it is refused when they differ.
type App struct {
	// Sites are served at <site>.<domain>. Default: localhost.
	Domain string `json:"domain,omitempty"`
	// The host of the API. Default: the domain.
	ControlHost string `json:"control_host,omitempty"`
	// What remote build jobs call. Default: the control host.
	PublicURL string `json:"public_url,omitempty"`
	// The ports that sites are reached at, for the addresses that Fairway shows, and to say
	// by name which one is taken. Defaults: 8080 and 8443.
	HTTPPort  int `json:"http_port,omitempty"`
	HTTPSPort int `json:"https_port,omitempty"`
	// The folder of everything that is kept on this machine. Default: ./data.
	Data string `json:"data,omitempty"`
	// The state store. Default: bolt:///<data>/state.db.
	State string `json:"state,omitempty"`
	// The object store. Default: file:///<data>/objects.
	Objects string `json:"objects,omitempty"`
	// The store of running logs. Default: file:///<data>/logs.
	Logs string `json:"logs,omitempty"`
	// How many days logs are kept after their deployments ended, 0 for ever. Default: 30.
	LogDays string `json:"log_days,omitempty"`
	// How many lines a second of one log are shown to who follows it, 0 for all. Default: 2000.
	LogRate string `json:"log_rate,omitempty"`
	// The wake-up between processes. Default: local:.
	Bell string `json:"bell,omitempty"`
	// What runs build jobs. Default: process:.
	Runner string `json:"runner,omitempty"`
	// control, edge, or both in one process. Default: both.
	Role string `json:"role,omitempty"`
	// Whether changes are published for edges elsewhere. Default: off.
	Edges string `json:"edges,omitempty"`
	// How often an edge asks for changes. Default: 2s.
	Poll string `json:"poll,omitempty"`
	// Where an edge reports to: the control host's address. Default: nowhere.
	Control string `json:"control,omitempty"`
	// The edge's token: file:<path> or env:<name>. Default: none.
	EdgeToken string `json:"edge_token,omitempty"`
	// The platform's key. Default: file:///<data>/key, made at the first start.
	Key string `json:"key,omitempty"`
	// The key before a rotation; what it sealed is sealed anew at the start. Default: none.
	OldKey string `json:"old_key,omitempty"`
	// Who may make an account: closed, invite or open. Default: closed, but to who is invited.
	Signup string `json:"signup,omitempty"`
	// Exact origins whose pages may use the API with a bearer token. Default: none.
	AllowedOrigins string `json:"allowed_origins,omitempty"`
	// on lets the control host share a registrable domain with the sites. Default: off.
	AllowSharedDomain string `json:"allow_shared_domain,omitempty"`
	// on lets builds of several people run with Fairway's own rights. Default: off.
	UnsandboxedBuilds string `json:"unsandboxed_builds,omitempty"`
	// Requests a minute of one person or address. Default: api=100 auth=10 deploys=10 logs=60 sensitive=5.
	Limits string `json:"limits,omitempty"`
	// What a team may use. Default: projects=200.
	Quotas string `json:"quotas,omitempty"`
	// Where mail is handed in: smtp:// or smtps://. Default: no mail is sent.
	SMTP string `json:"smtp,omitempty"`
	// Other places by which people sign in. Default: none.
	OIDC   string `json:"oidc,omitempty"`
	GitHub string `json:"github,omitempty"`
	// How many passwords are hashed at once, or off. Default: one for each four processors.
	Hashes string `json:"hashes,omitempty"`
	// How much of the sites is kept at hand. Default: memory=256MiB disk=4GiB manifests=1GiB.
	Cache string `json:"cache,omitempty"`
	// How many builds run at once. Default: 4.
	Builds int `json:"builds,omitempty"`
	// Exact origins whose addresses are not public, but which sources may name.
	AllowPrivate string `json:"allow_private,omitempty"`

	platform *platform.Platform
	held     string        // the pool's key, "" while no reference is held
	first    bool          // this configuration opened the platform
	stopping chan struct{} // closed when Caddy begins to stop this configuration
}

// CaddyModule names the app.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "fairway", New: func() caddy.Module { return new(App) }}
}

// Provision takes the platform from the pool, or opens it.
func (a *App) Provision(ctx caddy.Context) error {
	config, err := a.config().Normal()
	if err != nil {
		return err
	}
	v, loaded, err := platforms.LoadOrNew(config.Data, func() (caddy.Destructor, error) { return open(config) })
	if err != nil {
		return err
	}
	a.held, a.first = config.Data, !loaded
	a.platform = v.(pooled).Platform
	if !a.platform.Config().Same(config) {
		return errors.New("fairway: its settings cannot change by a reload; restart to change them")
	}
	return a.watchStopping(ctx)
}

// watchStopping ends live streams as soon as Caddy begins to stop this configuration;
// otherwise they would hold it, and the exit of the process, for as long as they like. On a
// reload the next configuration listens by then, and takes the new connections.
func (a *App) watchStopping(ctx caddy.Context) error {
	a.stopping = make(chan struct{})
	v, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("fairway: %w", err)
	}
	return v.(*caddyevents.App).On("stopping", onEvent(func() {
		close(a.stopping)
		if !caddy.Exiting() {
			listeners.passOn()
		}
	}))
}

// Start starts the platform; if another configuration did already, this does nothing.
func (a *App) Start() error {
	if err := a.platform.Start(); err != nil {
		return fmt.Errorf("fairway: %w", err)
	}
	if !a.first {
		return nil
	}
	link, err := a.platform.OwnerLink(context.Background())
	if err != nil {
		return fmt.Errorf("fairway: %w", err)
	}
	greet(os.Stdout, a.platform.Config(), link)
	return nil
}

// Stop does nothing: on a reload the next configuration goes on with the platform.
func (a *App) Stop() error { return nil }

// Cleanup gives the reference back; the last one closes the platform. It is also called on
// an App whose Provision failed, maybe before it took one.
func (a *App) Cleanup() error {
	if a.held == "" {
		return nil
	}
	_, err := platforms.Delete(a.held)
	a.held = ""
	return err
}

func (a *App) config() platform.Config {
	return platform.Config{
		Domain: a.Domain, ControlHost: a.ControlHost, PublicURL: a.PublicURL,
		HTTPPort: a.HTTPPort, HTTPSPort: a.HTTPSPort, Data: a.Data,
		State: a.State, Objects: a.Objects, Logs: a.Logs, LogDays: a.LogDays, LogRate: a.LogRate, Bell: a.Bell, Runner: a.Runner,
		Role: a.Role, Edges: a.Edges, Poll: a.Poll, Control: a.Control, EdgeToken: a.EdgeToken, Key: a.Key, OldKey: a.OldKey,
		People: platform.People{
			Signup: a.Signup, AllowedOrigins: a.AllowedOrigins, AllowSharedDomain: a.AllowSharedDomain,
			UnsandboxedBuilds: a.UnsandboxedBuilds, Limits: a.Limits, Quotas: a.Quotas, Hashes: a.Hashes, SMTP: a.SMTP, OIDC: a.OIDC, GitHub: a.GitHub,
		},
		Cache: a.Cache, Builds: a.Builds, AllowPrivate: a.AllowPrivate,
		Version: version, Log: logger(), Client: visitor, Getenv: os.Getenv, Environ: os.Environ,
	}
}

// visitor is the address of whoever asks: behind a proxy that Caddy trusts, the one that the
// proxy tells.
func visitor(r *http.Request) string {
	if addr, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		return addr
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// pooled closes its platform when the last configuration gives it back.
type pooled struct{ *platform.Platform }

// Destruct implements caddy.Destructor.
func (p pooled) Destruct() error { return p.Close() }

// open opens the platform and looks whether its ports are free. The folder comes first: to a
// second start of the same Fairway, that it runs already says more than that a port is taken.
func open(c platform.Config) (caddy.Destructor, error) {
	p, err := platform.Open(context.Background(), c)
	if err != nil {
		return nil, fmt.Errorf("fairway: %w", err)
	}
	// Caddy shares ports with other processes of the same user (SO_REUSEPORT), so a port
	// that another server has would not fail: half of the requests would go there.
	c = p.Config()
	for _, port := range []struct {
		number   int
		variable string
	}{{c.HTTPPort, "FAIRWAY_HTTP_PORT"}, {c.HTTPSPort, "FAIRWAY_HTTPS_PORT"}} {
		if free(port.number) != nil {
			taken := hosting.Errorf(hosting.CodeConflict, "port %d is taken by another program", port.number).
				WithHint("end that program, or set %s to another port", port.variable)
			return nil, errors.Join(taken, p.Close())
		}
	}
	return pooled{p}, nil
}

// free reports whether a port can be listened on. Only a taken port is an error here: one
// that may not be opened at all is Caddy's to report.
func free(port int) error {
	ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	if err == nil {
		_ = ln.Close()
	}
	return nil
}

// appOf returns the configuration's app, for the modules that serve with it.
func appOf(ctx caddy.Context) (*App, error) {
	v, err := ctx.App("fairway")
	if err != nil {
		return nil, fmt.Errorf("fairway: %w", err)
	}
	app := v.(*App)
	if app.platform == nil {
		return nil, errors.New("fairway: the app is not there")
	}
	return app, nil
}

// onEvent is a function as a handler of one kind of event.
type onEvent func()

// Handle implements caddyevents.Handler.
func (f onEvent) Handle(context.Context, caddy.Event) error { f(); return nil }

// UnmarshalCaddyfile reads the global option. Every value may be missing, so that an unset
// environment variable means the default:
//
//	fairway {
//		domain        <host>
//		control_host  <host>
//		public_url    <url>
//		http_port     <port>
//		https_port    <port>
//		data          <folder>
//		state         bolt:///<file>
//		objects       file:///<folder>
//		logs          file:///<folder>
//		log_days      <days>
//		bell          local:
//		runner        process: | ecs://cluster/definition?subnets=subnet-1
//		role          both | control | edge
//		edges         off | on
//		poll          <duration>
//		control       https://<control host>?ca=<file>
//		edge_token    file:<path> | env:<name>
//		key           file:///<file> | env:<name>
//		old_key       file:///<file> | env:<name>
//		signup        closed | invite | open
//		allowed_origins     <origin>...
//		allow_shared_domain on | off
//		unsandboxed_builds  on | off
//		limits        api=<n> auth=<n> deploys=<n> logs=<n> sensitive=<n>
//		quotas        projects=<n> builds=<n> bytes=<size> files=<n>
//		hashes        <number> | off
//		oidc          issuer=<url> client=<id> secret=env:<name>|file:<path> title=<word>
//		github        client=<id> secret=env:<name>|file:<path>
//		smtp          smtp://<user>:<password>@<host>:<port>?from=<address>
//		cache         memory=<size> disk=<size> manifests=<size>
//		builds        <number>
//		allow_private <origin>...
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := a.option(d, d.Val()); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) option(d *caddyfile.Dispenser, name string) error {
	texts := map[string]*string{
		"domain": &a.Domain, "control_host": &a.ControlHost, "public_url": &a.PublicURL, "data": &a.Data,
		"state": &a.State, "objects": &a.Objects, "logs": &a.Logs, "log_days": &a.LogDays, "log_rate": &a.LogRate, "bell": &a.Bell, "runner": &a.Runner,
		"role": &a.Role, "edges": &a.Edges, "poll": &a.Poll, "control": &a.Control, "edge_token": &a.EdgeToken, "key": &a.Key, "old_key": &a.OldKey,
		"signup": &a.Signup, "allow_shared_domain": &a.AllowSharedDomain, "unsandboxed_builds": &a.UnsandboxedBuilds, "hashes": &a.Hashes,
		"smtp": &a.SMTP,
	}
	lists := map[string]*string{
		"allow_private": &a.AllowPrivate, "allowed_origins": &a.AllowedOrigins, "limits": &a.Limits, "quotas": &a.Quotas,
		"cache": &a.Cache,
		"oidc":  &a.OIDC, "github": &a.GitHub,
	}
	numbers := map[string]*int{"http_port": &a.HTTPPort, "https_port": &a.HTTPSPort, "builds": &a.Builds}
	args := d.RemainingArgs()
	text, number, list := texts[name], numbers[name], lists[name]
	switch {
	case list != nil:
		*list = strings.Join(args, " ")
	case text == nil && number == nil:
		return d.Errf("fairway has no option %q", name)
	case len(args) > 1:
		return d.ArgErr()
	case len(args) == 0: // the default
	case text != nil:
		*text = args[0]
	default:
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return d.Errf("%s %q is not a number", name, args[0])
		}
		*number = n
	}
	return nil
}

func parseGlobal(d *caddyfile.Dispenser, prev any) (any, error) {
	if prev != nil {
		return nil, d.Err("the option fairway is given twice")
	}
	a := new(App)
	if err := a.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "fairway", Value: caddyconfig.JSON(a, nil)}, nil
}

var (
	_ caddy.App             = (*App)(nil)
	_ caddy.Provisioner     = (*App)(nil)
	_ caddy.CleanerUpper    = (*App)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyevents.Handler   = onEvent(nil)
)
