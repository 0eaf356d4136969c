package controlapi

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// access says who may ask for a route. The zero value is the strictest, so a route that
// declares nothing is the owner's.
type access int

const (
	accessOwner access = iota
	accessJob          // the token of the attempt that the path names
	accessOpen         // everybody
)

type callerKey struct{}

func asOwner(r *http.Request) *http.Request {
	owner := hosting.Caller{
		Via: hosting.ViaFile, Name: "owner", Operator: true, Role: hosting.RoleOwner, Team: hosting.Team{ID: hosting.DefaultTeam},
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, owner))
}

// callerOf returns who asks. A route that is not the owner's has no caller, and asking for
// one there is a mistake of the program: a caller without a team would see nothing.
func callerOf(ctx context.Context) hosting.Caller {
	c, ok := ctx.Value(callerKey{}).(hosting.Caller)
	if !ok {
		panic("controlapi: a route that nobody was admitted to asks for its caller")
	}
	return c
}

func (a *API) checkHost(r *http.Request) error {
	host, ok := hosting.CanonicalHost(r.Host)
	if ok && a.hosts[host] {
		return nil
	}
	// Any page can point a name of its own at this address (DNS rebinding).
	return &Problem{
		Status: http.StatusMisdirectedRequest, Code: hosting.CodeForbidden,
		Detail: "Fairway's API is not served under this host name", Hint: "ask under the name that the Caddyfile gives it",
	}
}

func (a *API) checkOrigin(r *http.Request) error {
	if err := a.origin.Check(r); err != nil {
		return hosting.Errorf(hosting.CodeForbidden, "the request was sent by a page of another site")
	}
	return nil
}

func (a *API) checkToken(r *http.Request) error {
	token, ok := bearer(r.Header.Get("Authorization"))
	if ok && a.cfg.Token != "" && seal.Equal(token, a.cfg.Token) {
		return nil
	}
	e := hosting.Errorf(hosting.CodeUnauthenticated, "the request carries no token")
	if ok {
		e = hosting.Errorf(hosting.CodeUnauthenticated, "the token is not known")
	}
	return e.WithHint("send Authorization: Bearer and the content of the file \"token\" in Fairway's data folder")
}

// bearer returns the token of an Authorization header (RFC 6750, section 2.1).
func bearer(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "bearer") && token != ""
}

// checkUpgradeOrigin holds web sockets to pages of the same origin: upgrades are GETs,
// which cross-origin protection lets pass, and no preflight precedes them.
func checkUpgradeOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil // no browser
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	return hosting.Errorf(hosting.CodeForbidden, "a page of another origin cannot open the socket")
}

type noUpgradeKey struct{}

// withoutUpgrades marks a request of the admin endpoint, where Caddy refuses upgrades of
// browsers and ends those of others with its own next reload.
func withoutUpgrades(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), noUpgradeKey{}, true))
}

func upgradesRefused(ctx context.Context) bool { return ctx.Value(noUpgradeKey{}) != nil }

// setHeaders makes an answer inert in a browser: never kept, never sniffed, never a page.
func setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}
