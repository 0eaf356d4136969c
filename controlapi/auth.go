package controlapi

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

type (
	callerKey struct{}
	fromKey   struct{}
	clientKey struct{}
)

// callerOf returns who asks. An open route may have no caller, and asking for one there is a
// mistake of the program: a caller without a team would see nothing.
func callerOf(ctx context.Context) hosting.Caller {
	c, ok := ctx.Value(callerKey{}).(hosting.Caller)
	if !ok {
		panic("controlapi: a route that nobody was admitted to asks for its caller")
	}
	return c
}

// fromOf returns where the request came from.
func fromOf(ctx context.Context) account.From {
	f, _ := ctx.Value(fromKey{}).(account.From)
	return f
}

// WithClient returns a request's context that says which address it comes from, where a driver
// knows better than the connection does: behind proxies that the operator trusts.
func WithClient(ctx context.Context, addr string) context.Context {
	return context.WithValue(ctx, clientKey{}, addr)
}

// maxAgent bounds what is kept of a browser's own name.
const maxAgent = 200

// from says where a request comes from: the connection's address, or what the driver said.
// Headers that a client can write are never asked.
func (a *API) from(r *http.Request) account.From {
	addr, ok := r.Context().Value(clientKey{}).(string)
	if !ok {
		addr = r.RemoteAddr
	}
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		addr = ap.Addr().Unmap().String()
	} else if ip, err := netip.ParseAddr(addr); err == nil {
		addr = ip.Unmap().WithZone("").String()
	} else {
		addr = "" // a socket's
	}
	return account.From{Addr: addr, Agent: printable(r.UserAgent(), maxAgent)}
}

// printable keeps the printable ASCII of s, up to n bytes: it goes into logs and lists.
func printable(s string, n int) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < n; i++ {
		if s[i] >= ' ' && s[i] <= '~' {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

func (a *API) checkHost(e *entrance) error {
	host, ok := hosting.CanonicalHost(e.r.Host)
	if ok && a.hosts[host] {
		return nil
	}
	// Any page can point a name of its own at this address (DNS rebinding).
	return &Problem{
		Status: http.StatusMisdirectedRequest, Code: hosting.CodeForbidden,
		Detail: "Fairway's API is not served under this host name", Hint: "ask under the name that the Caddyfile gives it",
	}
}

// identify finds out who asks. A bearer token comes first, and a cookie beside it is not looked
// at: a page could not have added the token without knowing it.
func (a *API) identify(e *entrance) (err error) {
	if e.rule.job {
		return nil // the route itself checks the attempt's token
	}
	if e.rule.edge {
		return a.badCredential(e, a.identifyEdge(e))
	}
	if e.rule.open {
		e.team = "" // nothing is done there in a team
	}
	if token, ok := bearer(e.r.Header.Get("Authorization")); ok {
		e.caller, err = a.byBearer(e, token)
		return a.badCredential(e, err)
	}
	if e.foreign || e.isPage() {
		return nil // pages look at the cookie themselves, and without one they are shown all the same
	}
	secret, err := sessionSecret(e.r)
	if err != nil || secret == "" {
		return err
	}
	e.cookie = true
	e.r = e.r.WithContext(withSecret(e.r.Context(), secret))
	e.caller, err = a.cfg.Account.BySession(e.r.Context(), secret, e.team, a.from(e.r))
	if e.rule.open && hosting.Is(err, hosting.CodeUnauthenticated) {
		return nil // who signs in often still carries the cookie of a session that is over
	}
	return a.badCredential(e, err)
}

func (e *entrance) isPage() bool {
	return e.pattern != "" && !strings.Contains(e.pattern, " /api/")
}

func (a *API) byBearer(e *entrance, token string) (hosting.Caller, error) {
	if a.cfg.Token != "" && seal.Equal(token, a.cfg.Token) {
		return a.cfg.Account.Operator(e.r.Context(), hosting.ViaFile, e.team, a.from(e.r))
	}
	return a.cfg.Account.ByToken(e.r.Context(), token, e.team, a.from(e.r))
}

func (a *API) identifyOperator(e *entrance) (err error) {
	if e.rule.edge {
		return a.identifyEdge(e)
	}
	if !e.rule.job {
		e.caller, err = a.cfg.Account.Operator(e.r.Context(), hosting.ViaSocket, e.team, a.from(e.r))
	}
	return err
}

// takeTeam finds the team that a request names: in the path of a team's routes, else in the
// query, from which it is taken so that no route has to know of it.
func (a *API) takeTeam(e *entrance) error {
	q := e.r.URL.Query()
	named := q["team"]
	if len(named) > 1 || len(named) == 1 && (named[0] == "" || len(named[0]) > maxTeamName) {
		return hosting.Errorf(hosting.CodeInvalid, "the query names no team, or several").WithHint("write team= once, with the team's id or slug")
	}
	if len(named) == 1 && e.pattern != "" && !e.isPage() {
		e.team = named[0]
		q.Del("team")
		u := *e.r.URL
		u.RawQuery = q.Encode()
		r := *e.r
		r.URL = &u
		e.r = &r
	}
	if inPath, ok := pathValue(e.pattern, e.r.URL.EscapedPath(), "{team}"); ok {
		e.team = inPath
	}
	return nil
}

const maxTeamName = 100

// pathValue returns the segment of a path that stands where the pattern has the wildcard.
func pathValue(pattern, escaped, wildcard string) (string, bool) {
	_, pattern, _ = strings.Cut(pattern, " ")
	names, segments := strings.Split(pattern, "/"), strings.Split(escaped, "/")
	for i, name := range names {
		if name == wildcard && i < len(segments) {
			v, err := url.PathUnescape(segments[i])
			return v, err == nil
		}
	}
	return "", false
}

// checkSetup lets almost nothing pass before the installation has an owner: until then
// whoever comes first would be.
func (a *API) checkSetup(e *entrance) error {
	if e.rule.setup || e.rule.own() || e.pattern == "" {
		return nil
	}
	claimed, err := a.cfg.Account.Claimed(e.r.Context())
	if err != nil || claimed {
		return err
	}
	return hosting.Errorf(hosting.CodeSetup, "this Fairway has no owner yet").
		WithHint("open the link that it printed at its start, or print it again with: fairway owner-link")
}

// bearer returns the token of an Authorization header (RFC 6750, section 2.1).
func bearer(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "bearer") && token != ""
}

type noUpgradeKey struct{}

// withoutUpgrades marks a request of the admin endpoint, where Caddy refuses upgrades of
// browsers and ends those of others with its own next reload.
func withoutUpgrades(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), noUpgradeKey{}, true))
}

func upgradesRefused(ctx context.Context) bool { return ctx.Value(noUpgradeKey{}) != nil }
