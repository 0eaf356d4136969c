package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Sites serves the sites, by the request's host. It answers every request itself: an
// unknown host gets a page that says so.
type Sites struct{ handler http.Handler }

// CaddyModule names the handler.
func (Sites) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.fairway", New: func() caddy.Module { return new(Sites) }}
}

// Provision takes the sites of the configuration's app.
func (s *Sites) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	s.handler = app.platform.Sites()
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (s *Sites) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	s.handler.ServeHTTP(w, r)
	return nil
}

// UnmarshalCaddyfile reads the directive, which has no options: fairway
func (s *Sites) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

func parseSites(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	s := new(Sites)
	return s, s.UnmarshalCaddyfile(h.Dispenser)
}

// bare reads a directive without arguments and block.
func bare(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.ArgErr()
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("unknown option %q", d.Val())
	}
	return nil
}

var (
	_ caddy.Provisioner           = (*Sites)(nil)
	_ caddyhttp.MiddlewareHandler = (*Sites)(nil)
	_ caddyfile.Unmarshaler       = (*Sites)(nil)
)
