package caddymodule

import (
	"context"
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"

	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/platform"
)

// Storage keeps certificates in the platform's object store, for all nodes.
type Storage struct{ platform *platform.Platform }

// CaddyModule names the module.
func (Storage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.fairway", New: func() caddy.Module { return new(Storage) }}
}

// Provision takes the configuration's platform. Caddy makes the storage before any app, so this
// is what opens the app. Caddy's commands that read a storage alone have no app.
func (s *Storage) Provision(ctx caddy.Context) error {
	v, err := ctx.AppIfConfigured("fairway")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return errors.New("fairway: its storage is that of a server whose configuration has the global option fairway")
	}
	if err != nil {
		return fmt.Errorf("fairway: %w", err)
	}
	s.platform = v.(*App).platform
	return nil
}

// CertMagicStorage implements caddy.StorageConverter.
func (s *Storage) CertMagicStorage() (certmagic.Storage, error) {
	all := storage{s.platform.Certificates()}
	if s.platform.Config().Role == platform.RoleEdge {
		return edgeStorage{all}, nil
	}
	return all, nil
}

// storage is Certificates with certmagic's own KeyInfo.
type storage struct{ *domains.Certificates }

// Stat implements certmagic.Storage.
func (s storage) Stat(ctx context.Context, name string) (certmagic.KeyInfo, error) {
	info, err := s.Certificates.Stat(ctx, name)
	return certmagic.KeyInfo(info), err
}

// String is what certmagic logs of it.
func (storage) String() string { return "fairway" }

// edgeStorage is an edge's.
type edgeStorage struct{ storage }

// TryLock implements certmagic.TryLocker, which is how certmagic looks after renewal information.
// An edge leaves that to the control plane: as far as it knows, somebody is at it.
func (edgeStorage) TryLock(context.Context, string) (bool, error) { return false, nil }

// UnmarshalCaddyfile reads the module, which has no options: storage fairway
func (s *Storage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return bare(d) }

var (
	_ caddy.Provisioner      = (*Storage)(nil)
	_ caddy.StorageConverter = (*Storage)(nil)
	_ caddyfile.Unmarshaler  = (*Storage)(nil)
	_ certmagic.Storage      = storage{}
	_ certmagic.TryLocker    = edgeStorage{}
)
