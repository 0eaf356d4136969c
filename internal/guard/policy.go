package guard

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ErrRefused marks errors of this package that say no, as opposed to those of the network.
var ErrRefused = errors.New("refused by the outbound policy")

// Policy says what may be reached. The zero value admits https to public addresses only.
type Policy struct {
	// Open admits every address, every port, and http: for an installation whose only user
	// is its operator.
	Open bool
	// AllowPrivate lists exact origins ("https://git.intranet:8443", "http://10.0.0.5:3000")
	// whose host and port may be reached whatever they resolve to. An entry that is not an
	// http or https origin admits nothing.
	AllowPrivate []string
}

// CheckURL says before any dialing whether scheme, host and port of rawURL can pass: https
// on port 443, and http or another port only where the policy is open or lists the origin.
// A name may still be refused when it is dialed, since only then its addresses are known.
// The error matches ErrRefused and carries a hosting.Error.
func CheckURL(p Policy, rawURL string) error {
	o, err := parseOrigin(rawURL)
	if err != nil {
		return err
	}
	if p.Open || p.lists(o) {
		return nil
	}
	if o.scheme != "https" {
		return refuse("%s:// is not admitted", o.scheme).with("use https://")
	}
	if o.port != "443" {
		return refuse("port %s of %q is not admitted", o.port, o.host).with("use port 443, or ask the operator to admit %s", o)
	}
	return checkHost(o.host)
}

// lists reports whether the policy names the very origin.
func (p Policy) lists(o origin) bool {
	for _, s := range p.AllowPrivate {
		if a, err := parseOrigin(s); err == nil && a == o {
			return true
		}
	}
	return false
}

// listsHost reports whether the policy names an origin with this host and port, whatever
// its scheme: a dialer and a CONNECT request know no more.
func (p Policy) listsHost(host, port string) bool {
	host = canonicalHost(host)
	return p.lists(origin{"https", host, port}) || p.lists(origin{"http", host, port})
}

// origin is a scheme, canonical host and explicit port.
type origin struct{ scheme, host, port string }

func (o origin) String() string {
	if strings.Contains(o.host, ":") {
		return o.scheme + "://[" + o.host + "]:" + o.port
	}
	return o.scheme + "://" + o.host + ":" + o.port
}

// parseOrigin reads the origin of a URL. It is narrow on purpose: a URL that two parsers
// could read differently (user info, backslashes, spaces, zones, other alphabets) is
// refused, since the program that dials in the end has a parser of its own.
func parseOrigin(rawURL string) (origin, error) {
	for _, c := range []byte(rawURL) {
		if c <= ' ' || c >= 0x7f || c == '\\' {
			return origin{}, refuse("the address holds a character that a URL cannot have").with("write it as https://host/path")
		}
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" || u.Hostname() == "" {
		return origin{}, refuse("the address cannot be read").with("write it as https://host/path")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return origin{}, refuse("%q is not spoken", u.Scheme+"://").with("use https://")
	}
	if u.User != nil {
		return origin{}, refuse("the address holds a user name or password").with("leave it out")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	if !validPort(port) || strings.HasSuffix(u.Host, ":") || !validHost(u.Hostname()) {
		return origin{}, refuse("the host %q is none that can be reached", clip(u.Host)).with("write it as https://host/path")
	}
	return origin{u.Scheme, canonicalHost(u.Hostname()), port}, nil
}

// validPort admits the decimal form without leading zeros, so that ports compare as text.
func validPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= 65535
}

// validHost admits names of letters, digits, hyphens, underscores and dots, and IP
// addresses without a zone.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	if len(host) > 253 || strings.Contains(host, "..") || strings.Trim(host, ".") == "" || host[0] == '.' || host[0] == '-' {
		return false
	}
	for _, c := range []byte(host) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// canonicalHost is the form in which hosts are compared: lower case, and addresses in their
// one short form. A trailing dot stays: with and without are two names to a resolver.
func canonicalHost(host string) string {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return strings.ToLower(host)
}

// checkHost refuses what needs no resolver to be refused: addresses that are not public,
// the names of loopback, and numbers that some resolvers take for an address (127.1, 0x7f.1,
// 2130706433).
func checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		if why := notPublic(a); why != "" {
			return refuse("%s is not a public address (%s)", host, why).with(askOperator)
		}
		return nil
	}
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case last == "localhost":
		return refuse("%q is this machine", clip(host)).with(askOperator)
	case isNumber(last):
		return refuse("%q is neither a name nor an address", clip(host)).with("write a host name")
	}
	return nil
}

// isNumber reports whether a last label would make the host a number, by the rule of the
// WHATWG URL standard: no top-level domain looks like that.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

const askOperator = "use a public host, or ask the operator to admit this origin"

// refusal is one "no", with what a person may read about it.
type refusal struct{ shown *hosting.Error }

func refuse(format string, args ...any) refusal {
	return refusal{hosting.Errorf(hosting.CodeForbidden, format, args...)}
}

func (r refusal) with(hint string, args ...any) refusal {
	return refusal{r.shown.WithHint(hint, args...)}
}

// Error returns the sentence.
func (r refusal) Error() string { return r.shown.Error() }

// Unwrap makes it match ErrRefused and carry the hosting.Error.
func (r refusal) Unwrap() []error { return []error{ErrRefused, r.shown} }

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
