package controlapi

import (
	"net/http"
	"strings"
)

// setHeaders makes an answer inert in a browser: never kept, never sniffed, never a page,
// never in a frame, never a resource of another site. Pages set a policy of their own.
func (a *API) setHeaders(h http.Header, r *http.Request) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	if r.TLS != nil && a.hsts != "" {
		h.Set("Strict-Transport-Security", a.hsts)
	}
}

// hstsFor returns the value of Strict-Transport-Security (RFC 6797) for a control host: a year,
// with what is below it, unless the sites are below it, whose owners choose for themselves.
// A name of the local machine gets none: it would hold every server on it to TLS.
func hstsFor(control, sites string) string {
	switch {
	case control == "" || control == "localhost" || strings.HasSuffix(control, ".localhost"):
		return ""
	case sites == control || strings.HasSuffix(sites, "."+control):
		return "max-age=31536000"
	}
	return "max-age=31536000; includeSubDomains"
}
