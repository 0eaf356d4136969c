package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scale-mesh/fairway/controlapi"
)

// API serves the control host to the network and passes requests for other hosts on.
type API struct {
	app     *App
	handler http.Handler
}

// CaddyModule names the handler.
func (API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.fairway_api", New: func() caddy.Module { return new(API) }}
}

// Provision takes the API of the configuration's app.
func (a *API) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	a.app, a.handler = app, app.platform.API()
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !a.app.platform.IsControl(r.Host) {
		return next.ServeHTTP(w, r)
	}
	ctx := controlapi.WithStopping(r.Context(), a.app.stopping)
	ctx = controlapi.WithClient(ctx, visitor(r))
	a.handler.ServeHTTP(w, r.WithContext(ctx))
	return nil
}

// UnmarshalCaddyfile reads the directive, which has no options: fairway_api
func (a *API) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

func parseAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(API)
	return a, a.UnmarshalCaddyfile(h.Dispenser)
}

var (
	_ caddy.Provisioner           = (*API)(nil)
	_ caddyhttp.MiddlewareHandler = (*API)(nil)
	_ caddyfile.Unmarshaler       = (*API)(nil)
)
