package platform

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/object"
	objectfile "github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/seal"
)

// openCertificates opens the certificates of all nodes, and this node's mirror of them. An edge
// has no locks, and no ring of its own.
func (p *Platform) openCertificates(objects object.Store, edge, own seal.Ring, locks domains.Locks) error {
	disk, err := objectfile.Open(filepath.Join(p.config.Data, "certs"))
	if err != nil {
		return fmt.Errorf("open the mirror of certificates: %w", err)
	}
	p.closers = append(p.closers, disk.Close)
	p.certs = domains.NewCertificates(domains.CertificatesConfig{
		Objects: objects, Disk: disk, Edge: edge, Own: own, Locks: locks, Log: p.log,
	})
	p.closers = append(p.closers, p.certs.Close)
	return nil
}

// resealCertificates has what was sealed before the key changed open without the old one.
func (p *Platform) resealCertificates(ctx context.Context) error {
	n, err := p.certs.Reseal(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		p.log.Error("certificates stay sealed under an old key; the next start tries again", "error", err)
	case n > 0:
		p.log.Info("certificates were sealed anew under the current key", "count", n)
	}
	return nil
}

// Certificates are those of all nodes, for who terminates TLS.
func (p *Platform) Certificates() *domains.Certificates { return p.certs }
