package platform

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Config says where everything is kept and run. Caddyfile, flags and environment all end in
// one Config; an empty field means its default. It is comparable but for Log, Client, Getenv
// and Environ, which Same leaves out.
type Config struct {
	Domain      string // sites are <site>.<Domain>; default "localhost"
	ControlHost string // where /api answers; default: Domain
	PublicURL   string // where jobs and visitors elsewhere reach the control host; default: its name, over TLS
	HTTPPort    int    // ports that sites are reached at, for the addresses shown
	HTTPSPort   int
	Data        string // the data folder; default "./data"

	State   string // bolt:///file, or postgres://...
	Objects string // file:///folder, or s3://bucket/prefix
	Logs    string // file:///folder, or redis://host:port
	LogRate string // lines a second of one log that who follows it is shown; default "2000", "0" is all
	LogDays string // how long a log is kept after its deployment ended; default "30", "0" is for ever
	Bell    string // local:, or redis://host:port; default: the Redis of Logs, if it is one
	Runner  string // process:, ecs://cluster/definition?..., or none: where nothing is built
	Role    string // RoleBoth, RoleControl or RoleEdge
	Edges   string // EdgesOff or EdgesOn: whether changes are published for edges elsewhere
	Poll    string // how often an edge asks for changes; default "2s"
	// Of an edge: where it reports to, and by which token; both, or neither.
	Control   string // https://host?ca=file&every=1m
	EdgeToken string // file:path, or env:name
	Key       string // file:///file, or env:NAME; of an edge: the edges' key

	OldKey string // key before a rotation: file:///file, or env:NAME; default none

	People

	Cache        string // what is kept of the sites, such as "memory=256MiB disk=4GiB manifests=1GiB"
	Builds       int    // builds at once; default 4
	AllowPrivate string // space-separated exact origins that a tenant's source may name
	Executable   string // the program that builds ("job") and hashes ("hash"); default: this one
	Version      string

	Log     *slog.Logger
	Client  func(*http.Request) string // the visitor's address; nil: the connection's
	Getenv  func(string) string
	Environ func() []string // where local jobs get their settings for the network from
}

// The roles of a process.
const (
	RoleBoth    = "both"    // control plane and sites
	RoleControl = "control" // the control plane alone: sites are served by edges
	RoleEdge    = "edge"    // sites alone, from the object store
)

// The values of Edges.
const (
	EdgesOff = "off"
	EdgesOn  = "on"
)

// Same reports whether two configurations ask for the same platform.
func (c Config) Same(o Config) bool {
	c.Log, c.Client, c.Getenv, c.Environ = nil, nil, nil, nil
	o.Log, o.Client, o.Getenv, o.Environ = nil, nil, nil, nil
	return fmt.Sprint(c) == fmt.Sprint(o)
}

// Normal returns c with its defaults filled in and paths made absolute, or says what is
// wrong with it.
func (c Config) Normal() (Config, error) {
	def := func(to *string, v string) {
		if *to == "" {
			*to = v
		}
	}
	def(&c.Domain, "localhost")
	def(&c.ControlHost, c.Domain)
	def(&c.Data, "./data")
	// In this order: the control host's default is the domain, whose mistake is then told of it.
	for _, h := range []struct {
		name string
		host *string
	}{{"domain", &c.Domain}, {"control_host", &c.ControlHost}} {
		canonical, ok := hosting.CanonicalHost(*h.host)
		if !ok || strings.Contains(*h.host, ":") {
			return c, hosting.Errorf(hosting.CodeInvalid, "%s %q is not a host name", h.name, *h.host).WithHint("write it without scheme and port, as example.com")
		}
		*h.host = canonical
	}
	abs, err := filepath.Abs(c.Data)
	if err != nil {
		return c, fmt.Errorf("data folder %s: %w", c.Data, err)
	}
	c.Data = abs
	def(&c.Role, RoleBoth)
	if err := c.checkRole(); err != nil {
		return c, err
	}
	def(&c.Poll, "2s")
	def(&c.LogDays, "30")
	def(&c.LogRate, "2000")
	def(&c.Bell, pick(strings.HasPrefix(c.Logs, "redis"), c.Logs, "local:"))
	def(&c.Objects, "file://"+filepath.Join(abs, "objects"))
	if c.Role == RoleEdge {
		def(&c.Key, "file://"+c.edgeKeyFile())
	} else { // what an edge has no use for stays empty
		def(&c.Edges, pick(c.Role == RoleControl, EdgesOn, EdgesOff))
		def(&c.State, "bolt://"+filepath.Join(abs, "state.db"))
		def(&c.Logs, "file://"+filepath.Join(abs, "logs"))
		def(&c.Runner, "process:")
		def(&c.Key, "file://"+filepath.Join(abs, "key"))
	}
	if c.HTTPPort == 0 {
		c.HTTPPort = 8080
	}
	if c.HTTPSPort == 0 {
		c.HTTPSPort = 8443
	}
	if _, err := cacheConfig(c.Cache); err != nil {
		return c, err
	}
	if c.Builds == 0 {
		c.Builds = 4
	}
	if c.Builds < 0 || c.Builds > 1000 {
		return c, hosting.Errorf(hosting.CodeInvalid, "builds %d is not between 1 and 1000", c.Builds)
	}
	return c, c.check()
}

// checkRole refuses what the role of the process has no use for, before defaults are filled in.
func (c Config) checkRole() error {
	unknown := func(field, value, known string) error {
		return hosting.Errorf(hosting.CodeInvalid, "%s %q is not known", field, value).WithHint("say %s", known)
	}
	switch c.Role {
	case RoleBoth, RoleControl, RoleEdge:
	default:
		return unknown("role", c.Role, "both, control or edge")
	}
	switch c.Edges {
	case "", EdgesOff, EdgesOn:
	default:
		return unknown("edges", c.Edges, "on or off")
	}
	if c.Role == RoleControl && c.Edges == EdgesOff {
		return hosting.Errorf(hosting.CodeInvalid, "a control plane without edges has nobody to serve its sites").WithHint("set edges on, or role both")
	}
	if (c.Role != RoleBoth || c.Edges == EdgesOn) && c.Objects == "" {
		return hosting.Errorf(hosting.CodeInvalid, "control plane and edges share an object store, and none is named").
			WithHint("set objects to the same bucket, or folder, for all of them: s3://bucket/prefix?..., file:///folder")
	}
	if c.Role != RoleEdge {
		if c.Control != "" || c.EdgeToken != "" {
			return hosting.Errorf(hosting.CodeInvalid, "role %s reports to nobody", c.Role).WithHint("leave control and edge_token to edges")
		}
		return nil
	}
	for _, f := range []struct{ name, value string }{
		{"state", c.State}, {"logs", c.Logs}, {"runner", c.Runner}, {"edges", c.Edges},
	} {
		if f.value != "" {
			return hosting.Errorf(hosting.CodeInvalid, "an edge has no %s", f.name).WithHint("leave it to the control plane")
		}
	}
	return nil
}

// pollEvery is how often the routing table looks for itself.
func (c Config) pollEvery() time.Duration {
	d, _ := time.ParseDuration(c.Poll) // checked
	return d
}

const (
	maxLogDays = 3650
	maxLogRate = 1_000_000
)

// logRate is how many lines a second of a log who follows it is shown, 0 for all.
func (c Config) logRate() int {
	n, _ := strconv.Atoi(c.LogRate) // checked
	return n
}

// logLife is how long logs are kept, 0 for ever.
func (c Config) logLife() time.Duration {
	n, _ := strconv.Atoi(c.LogDays) // checked
	return time.Duration(n) * 24 * time.Hour
}

func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func (c Config) check() error {
	if d, err := time.ParseDuration(c.Poll); err != nil || d < 50*time.Millisecond || d > time.Minute {
		return hosting.Errorf(hosting.CodeInvalid, "poll %q is not a time between 50ms and 1m", c.Poll)
	}
	if n, err := strconv.Atoi(c.LogRate); err != nil || n < 0 || n > maxLogRate {
		return hosting.Errorf(hosting.CodeInvalid, "log_rate %q is not a number of lines a second between 0 and %d", c.LogRate, maxLogRate).WithHint("0 shows all lines to who follows a log")
	}
	if n, err := strconv.Atoi(c.LogDays); err != nil || n < 0 || n > maxLogDays {
		return hosting.Errorf(hosting.CodeInvalid, "log_days %q is not a number of days between 0 and %d", c.LogDays, maxLogDays).WithHint("0 keeps logs for ever")
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return hosting.Errorf(hosting.CodeInvalid, "public_url %q is not an address", c.PublicURL).WithHint("write it as https://host")
		}
	}
	if _, err := c.reporting(); err != nil {
		return err
	}
	p, err := c.People.read()
	if err != nil {
		return err
	}
	if c.Role != RoleEdge { // which need not know the control host
		if err := checkHosts(c.ControlHost, c.Domain, p.shared); err != nil {
			return err
		}
	}
	return checkSockets(c)
}

// siteURL is where a site is shown: https on a real domain, and http on localhost, whose
// certificates browsers do not trust unless told to.
func (c Config) siteURL(label, site string) string {
	return c.base(hosting.SiteHost(label, site, c.Domain))
}

// ControlURL is where the control host is reached.
func (c Config) ControlURL() string { return c.base(c.ControlHost) }

func (c Config) getenv(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

// SecureURL is where the control host is reached over TLS, which people's sessions need.
func (c Config) SecureURL() string { return "https://" + c.ControlHost + port(c.HTTPSPort, 443) }

// outside is where other machines reach the control host.
func (c Config) outside() string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	return c.SecureURL()
}

// SitePattern shows how the address of a site is made.
func (c Config) SitePattern() string { return c.base("<site>." + c.Domain) }

func (c Config) base(host string) string {
	if c.local() {
		return "http://" + host + port(c.HTTPPort, 80)
	}
	return "https://" + host + port(c.HTTPSPort, 443)
}

func (c Config) local() bool {
	return c.Domain == "localhost" || strings.HasSuffix(c.Domain, ".localhost")
}

func port(n, standard int) string {
	if n == standard {
		return ""
	}
	return fmt.Sprintf(":%d", n)
}

// address reads "scheme:", "scheme:///path" or "scheme:path", whose scheme must be one of
// those known, and returns scheme and path.
func address(field, dsn string, known ...string) (scheme, path string, err error) {
	scheme, rest, ok := strings.Cut(dsn, ":")
	for _, k := range known {
		if ok && scheme == k {
			return scheme, strings.TrimPrefix(rest, "//"), nil
		}
	}
	return "", "", hosting.Errorf(hosting.CodeInvalid, "%s %q is not an address that this release knows", field, redact(dsn)).
		WithHint("known: %s", strings.Join(known, ":, ")+":")
}

// redact keeps a password in a DSN out of errors.
func redact(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}
