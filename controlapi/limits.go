package controlapi

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Limits are how many requests a minute one person may make, or one address where nobody is
// known: of the whole API, and of some kinds of requests. 0 means the default, less than 0 no
// limit. They are counted in each process.
type Limits struct {
	API       int // default 100
	Auth      int // default 10: signing in and up, and credentials that are no good
	Deploys   int // default 10
	Logs      int // default 60
	Sensitive int // default 5
}

func (l Limits) quotas() [limitClasses]int {
	return [limitClasses]int{
		classAPI: cmp.Or(l.API, 100), classAuth: cmp.Or(l.Auth, 10), classDeploys: cmp.Or(l.Deploys, 10),
		classLogs: cmp.Or(l.Logs, 60), classSensitive: cmp.Or(l.Sensitive, 5),
	}
}

// limit counts the request as one of the API and of its class. The route for health is not
// counted: who watches the installation asks often.
func (a *API) limit(e *entrance) error {
	if e.rule.job || e.rule.unlimited {
		return nil
	}
	who := a.countedAs(e)
	if err := a.count(e, who, classAPI); err != nil || e.rule.class == classAPI {
		return err
	}
	return a.count(e, who, e.rule.class)
}

// countedAs names who a request is counted for: the edge or the person whose credential it carries, else
// its address.
func (a *API) countedAs(e *entrance) string {
	switch {
	case e.edge.Name != "":
		return "edge " + e.edge.Name + " " + network(a.from(e.r).Addr) // several may share a token
	case e.caller.User != "":
		return "user " + string(e.caller.User)
	case e.caller.Token != "":
		return "token " + string(e.caller.Token)
	case e.caller.Via != "":
		return "operator"
	}
	return "addr " + network(a.from(e.r).Addr)
}

// network is the address, and of IPv6 its /64, which is what one customer gets.
func network(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Is4() {
		return addr
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return addr
	}
	return p.String()
}

// count counts a request in one class, says in the answer's headers what is left
// (draft-ietf-httpapi-ratelimit-headers), and refuses one too many.
func (a *API) count(e *entrance, who string, class limitClass) error {
	quota := a.quotas[class]
	if quota < 0 {
		return nil
	}
	left, reset, ok := a.windows.count(class.String()+" "+who, quota)
	seconds := strconv.Itoa(int((reset + time.Second - 1) / time.Second))
	h := e.w.Header()
	h.Add("RateLimit-Policy", fmt.Sprintf("%q;q=%d;w=%d", class, quota, int(windowTime/time.Second)))
	h.Add("RateLimit", fmt.Sprintf("%q;r=%d;t=%s", class, left, seconds))
	if ok {
		return nil
	}
	return &Problem{
		Code: hosting.CodeLimited, header: http.Header{"Retry-After": {seconds}},
		Detail: fmt.Sprintf("there were more than %d requests of the kind %s within a minute", quota, class),
		Hint:   "wait " + seconds + " seconds",
	}
}

// badCredential counts a credential that is no good against the address it came from, so that
// guessing is slow, and returns err, or that it was one too many.
func (a *API) badCredential(e *entrance, err error) error {
	if code := hosting.CodeOf(err); code != hosting.CodeUnauthenticated {
		return err
	}
	return cmp.Or(a.count(e, "addr "+network(a.from(e.r).Addr), classAuth), err)
}

// ParseLimits reads limits as a configuration has them, such as "api=200 logs=off".
func ParseLimits(s string) (l Limits, err error) {
	fields := map[string]*int{"api": &l.API, "auth": &l.Auth, "deploys": &l.Deploys, "logs": &l.Logs, "sensitive": &l.Sensitive}
	for _, word := range strings.Fields(s) {
		name, value, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(value)
		off := value == "off"
		if fields[name] == nil || !off && (err != nil || n < 1 || n > maxLimit) {
			return l, hosting.Errorf(hosting.CodeInvalid, "limits: %q is no limit", word).
				WithHint("write api=100 auth=10 deploys=10 logs=60 sensitive=5, each 1 to %d requests a minute, or off", maxLimit)
		}
		if off {
			n = -1
		}
		*fields[name] = n
	}
	return l, nil
}

const maxLimit = 1_000_000
