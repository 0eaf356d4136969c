package platform

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// People says who may come in, and how much they may ask for and use. Every field is text as a
// Caddyfile has it, and empty means its default.
type People struct {
	Signup            string // closed (default), invite or open
	AllowedOrigins    string // space-separated exact origins whose pages may use the API with a bearer token
	AllowSharedDomain string // on: control host and sites may share a registrable domain; default off
	UnsandboxedBuilds string // on: builds of several people run with Fairway's own rights; default off
	Limits            string // requests a minute, such as "api=100 auth=10 deploys=10 logs=60 sensitive=5"
	Quotas            string // what a team may use, such as "projects=200 builds=2 bytes=10GiB files=20000"
	OIDC              string // an OpenID Connect provider: issuer=URL client=ID secret=env:NAME|file:PATH title=WORD; default: none
	GitHub            string // the same for GitHub, without issuer
	SMTP              string // where mail is handed in, such as smtp://user:password@host:587?from=me@example.com; default: no mail
	Hashes            string // passwords hashed at once: a number, or "off" for no bound
}

// people is People, read.
type people struct {
	signup      account.Signup
	origins     []string
	shared      bool
	unsandboxed bool
	limits      controlapi.Limits
	quotas      hosting.Quotas
	hashes      account.HashLimits
}

// defaultQuotas are what a team may use where the operator says nothing.
var defaultQuotas = hosting.Quotas{Projects: 200}

func (c People) read() (p people, err error) {
	switch p.signup = account.Signup(c.Signup); p.signup {
	case "":
		p.signup = account.SignupClosed
	case account.SignupClosed, account.SignupInvite, account.SignupOpen:
	default:
		return p, hosting.Errorf(hosting.CodeInvalid, "signup %q is not known", c.Signup).WithHint("say closed, invite or open")
	}
	if p.origins, err = origins(c.AllowedOrigins); err != nil {
		return p, err
	}
	if p.shared, err = isOn("allow_shared_domain", c.AllowSharedDomain); err != nil {
		return p, err
	}
	if p.unsandboxed, err = isOn("unsandboxed_builds", c.UnsandboxedBuilds); err != nil {
		return p, err
	}
	if p.limits, err = controlapi.ParseLimits(c.Limits); err != nil {
		return p, err
	}
	if p.quotas, err = quotas(c.Quotas); err != nil {
		return p, err
	}
	p.hashes, err = hashes(c.Hashes)
	return p, err
}

func isOn(field, value string) (bool, error) {
	switch value {
	case "", "off":
		return false, nil
	case "on":
		return true, nil
	}
	return false, hosting.Errorf(hosting.CodeInvalid, "%s %q is not known", field, value).WithHint("say on or off")
}

// origins reads exact origins (RFC 6454): scheme, host and, where it is another than the
// scheme's own, port.
func origins(s string) ([]string, error) {
	list := strings.Fields(s)
	for _, o := range list {
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.Scheme+"://"+u.Host != o || strings.ToLower(o) != o {
			return nil, hosting.Errorf(hosting.CodeInvalid, "allowed_origins: %q is not an origin", o).WithHint("write it as https://dash.example.com, without a path")
		}
	}
	return list, nil
}

func hashes(s string) (l account.HashLimits, err error) {
	switch s {
	case "":
		return l, nil
	case "off":
		return account.HashLimits{Off: true}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1000 {
		return l, hosting.Errorf(hosting.CodeInvalid, "hashes %q is not a number from 1 to 1000", s).WithHint("say how many passwords may be hashed at once, or off")
	}
	return account.HashLimits{Parallel: n}, nil
}

// quotas reads what a team may use. What is not named has its default.
func quotas(s string) (hosting.Quotas, error) {
	q := hosting.Quotas{}
	for _, word := range strings.Fields(s) {
		name, value, _ := strings.Cut(word, "=")
		n, err := size(value)
		switch {
		case err != nil:
		case name == "projects":
			q.Projects = int(n)
		case name == "builds":
			q.Builds = int(n)
		case name == "files":
			q.Files = int(n)
		case name == "bytes":
			q.Bytes = n
		default:
			err = fmt.Errorf("no such quota")
		}
		if err != nil {
			return q, hosting.Errorf(hosting.CodeInvalid, "quotas: %q is none", word).WithHint("write projects=200 builds=2 bytes=10GiB files=20000")
		}
	}
	q = q.Or(defaultQuotas)
	return q, q.Check()
}

// size reads a number, with a unit of bytes behind it or none.
func size(s string) (int64, error) {
	units := []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<60)/u.bytes {
			return 0, fmt.Errorf("%q is no size", s)
		}
		return n * u.bytes, nil
	}
	return 0, fmt.Errorf("%q is no size", s)
}

// checkHosts refuses a control host that shares its registrable domain with the sites: their
// owners could set cookies for it, and what their pages send it would count as same-site.
// Browsers take localhost and each name right below it for sites of their own.
func checkHosts(control, sites string, shared bool) error {
	if shared || isLocal(control) && isLocal(sites) {
		return nil
	}
	a, b := registrable(control), registrable("x."+sites)
	if a != b {
		return nil
	}
	return hosting.Errorf(hosting.CodeInvalid, "the control host %s and the sites below %s share the domain %s, so whoever owns a site could set cookies for the control host and send it requests as one of its own pages", control, sites, a).
		WithHint("give control_host a domain of its own, or set allow_shared_domain on if you know the owner of every site")
}

func registrable(host string) string {
	d, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host // it is a public suffix itself
	}
	return d
}

func isLocal(host string) bool {
	labels := strings.Split(host, ".")
	return slices.Index(labels, "localhost") == len(labels)-1
}
