package controlapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// checkCrossSite refuses what a page of another site sent (ASVS 5.0, 3.5.1). Sites of tenants
// can be same-site with the control host, so SameSite cookies do not help, and only what the
// browser says of the request's origin counts.
//
// http.CrossOriginProtection admits requests that say nothing of it, since only browsers do. A
// request that changes something by a cookie has to say it: it comes from a browser.
func (a *API) checkCrossSite(e *entrance) error {
	if e.foreign {
		return nil // its cookies were not looked at, so it does what a bearer token allows
	}
	if a.origin.Check(e.r) != nil {
		return errCrossSite()
	}
	if !isWrite(e.r.Method) || !e.cookie && !e.isPage() {
		return nil
	}
	site, origin := e.r.Header.Get("Sec-Fetch-Site"), e.r.Header.Get("Origin")
	sameSite, sameOrigin := site == "same-origin", isOwnOrigin(e.r, origin)
	switch {
	case site == "" && origin == "":
		return hosting.Errorf(hosting.CodeForbidden, "the request does not say which page sent it").
			WithHint("use a browser that sends Origin or Sec-Fetch-Site, or an API token in place of the cookie")
	case site != "" && !sameSite, origin != "" && !sameOrigin:
		return errCrossSite()
	}
	return nil
}

func errCrossSite() error {
	return hosting.Errorf(hosting.CodeForbidden, "the request was sent by a page of another site")
}

// isOwnOrigin reports whether an Origin header names the host and scheme that were asked.
func isOwnOrigin(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return err == nil && u.Scheme == scheme && strings.EqualFold(u.Host, r.Host) && u.Path == ""
}

// checkUpgradeOrigin holds web sockets to pages of the same origin (ASVS 5.0, 4.4.2): upgrades
// are GETs, which cross-origin protection lets pass, and no preflight precedes them.
func checkUpgradeOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" || isOwnOrigin(r, origin) { // without one it is no browser
		return nil
	}
	return hosting.Errorf(hosting.CodeForbidden, "a page of another origin cannot open the socket")
}

// What pages of allowed origins may send and read.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
	corsExposed = "RateLimit, RateLimit-Policy, Retry-After, Idempotent-Replayed"
	corsMaxAge  = "600" // seconds
)

// shareWithOrigins lets pages of Config.AllowedOrigins read the answer. They come with a
// bearer token or as nobody: their cookies are not looked at, and no credentials are allowed.
func (a *API) shareWithOrigins(e *entrance) error {
	if len(a.allowed) == 0 {
		return nil
	}
	e.w.Header().Add("Vary", "Origin")
	if origin := e.r.Header.Get("Origin"); a.allowed[origin] && !e.isPage() {
		e.foreign = true
		e.w.Header().Set("Access-Control-Allow-Origin", origin)
		e.w.Header().Set("Access-Control-Expose-Headers", corsExposed)
	}
	return nil
}

// preflight answers a browser that asks whether a page of an allowed origin may send a request
// (Fetch standard, CORS-preflight). It reports whether it did.
func (a *API) preflight(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" || !a.allowed[origin] {
		return false
	}
	if host, ok := hosting.CanonicalHost(r.Host); !ok || !a.hosts[host] {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	h.Add("Vary", "Origin")
	w.WriteHeader(http.StatusNoContent)
	return true
}
