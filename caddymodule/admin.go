package caddymodule

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/scale-mesh/fairway/controlapi"
)

// Admin mounts the control API on Caddy's admin endpoint, below /fairway/. Whoever can open
// that endpoint acts as the owner: it could replace Caddy's whole configuration as well.
type Admin struct{}

// CaddyModule names the module.
func (Admin) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.fairway", New: func() caddy.Module { return new(Admin) }}
}

// Provision loads the app before the admin endpoint is opened: it makes the data folder, in
// which the endpoint's socket is; and if it fails, Caddy keeps the endpoint it has.
func (a *Admin) Provision(ctx caddy.Context) error {
	if _, err := ctx.AppIfConfigured("fairway"); err != nil && !errors.Is(err, caddy.ErrNotConfigured) {
		return err
	}
	return nil
}

// Routes implements caddy.AdminRouter.
func (a *Admin) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/fairway/", Handler: caddy.AdminHandlerFunc(a.serve)}}
}

// serve looks for the app at each request: Caddy makes admin modules before the apps and
// keeps the new ones even when the configuration they came with fails.
func (a *Admin) serve(w http.ResponseWriter, r *http.Request) error {
	v, err := caddy.ActiveContext().AppIfConfigured("fairway")
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: errors.New("the configuration has no fairway app")}
	}
	app := v.(*App)
	r = r.WithContext(controlapi.WithStopping(r.Context(), app.stopping))
	u := *r.URL
	u.Path = "/api/" + strings.TrimPrefix(u.Path, "/fairway/")
	if u.RawPath != "" {
		u.RawPath = "/api/" + strings.TrimPrefix(u.RawPath, "/fairway/")
	}
	r.URL = &u
	app.platform.Admin().ServeHTTP(w, r)
	return nil
}

var (
	_ caddy.Provisioner = (*Admin)(nil)
	_ caddy.AdminRouter = (*Admin)(nil)
)
