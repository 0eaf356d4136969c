package caddymodule

import (
	"context"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// Permission says which hosts may have a certificate: the control host and those in the
// routing table. Caddy asks at every handshake whose certificate is not in memory, so it
// answers from the table alone.
type Permission struct{ app *App }

// CaddyModule names the module.
func (Permission) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tls.permission.fairway", New: func() caddy.Module { return new(Permission) }}
}

// Provision takes the configuration's app.
func (p *Permission) Provision(ctx caddy.Context) (err error) {
	p.app, err = appOf(ctx)
	return err
}

// CertificateAllowed implements caddytls.OnDemandPermission.
func (p *Permission) CertificateAllowed(_ context.Context, name string) error {
	if !p.app.platform.Allowed(name) {
		return fmt.Errorf("%s: %w", name, caddytls.ErrPermissionDenied)
	}
	return nil
}

// UnmarshalCaddyfile reads the module, which has no options: permission fairway
func (p *Permission) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

var (
	_ caddy.Provisioner           = (*Permission)(nil)
	_ caddytls.OnDemandPermission = (*Permission)(nil)
	_ caddyfile.Unmarshaler       = (*Permission)(nil)
)
