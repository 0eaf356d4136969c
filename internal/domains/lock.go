package domains

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
)

var errClosed = hosting.Errorf(hosting.CodeUnavailable, "the store of certificates is closed")

// issueLock begins the names of the locks under which certmagic orders and renews.
const issueLock = "issue_cert_"

// Lock waits until no process has the lock of that name, and takes it. An edge has none to give,
// but see await.
func (c *Certificates) Lock(ctx context.Context, name string) error {
	if c.edge() {
		if host, ok := strings.CutPrefix(name, issueLock); ok && c.await(ctx, host) {
			return nil
		}
		return failed("lock", name, ErrEdge)
	}
	l, err := c.cfg.Locks.Lock(ctx, objectsFolder+name)
	if err != nil {
		return failed("lock", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errors.Join(failed("lock", name, errClosed), l.Unlock(context.WithoutCancel(ctx)))
	}
	c.held[name] = l
	return nil
}

// Unlock gives a lock back.
func (c *Certificates) Unlock(ctx context.Context, name string) error {
	if c.edge() {
		return nil
	}
	c.mu.Lock()
	l, closed := c.held[name], c.closed
	delete(c.held, name)
	c.mu.Unlock()
	if l == nil {
		if closed {
			return nil // Close gave it back
		}
		return hosting.Errorf(hosting.CodeInternal, "the lock %s is given back, and was not taken", name)
	}
	return l.Unlock(ctx)
}

// Close gives back the locks that are held. What is under way under one goes on without.
func (c *Certificates) Close() error {
	c.mu.Lock()
	held := c.held
	c.held, c.closed = nil, true
	c.mu.Unlock()
	var errs []error
	for _, l := range held {
		errs = append(errs, l.Unlock(context.Background()))
	}
	return errors.Join(errs...)
}

// await reports whether an edge may have the lock for a host's certificate, which certmagic takes
// before it looks whether somebody else has ordered or renewed that: where it was done. What would
// order all the same, as when one is revoked, fails at the next lock, that of the account.
//
// No visitor waits for a wildcard to be ordered. Who does was told to have one at the start, and
// never asks again; so it waits here.
func (c *Certificates) await(ctx context.Context, host string) bool {
	for !c.fresh(ctx, host) {
		if !strings.HasPrefix(host, "*.") || ctx.Err() != nil || c.isClosed() {
			return false
		}
		_ = pause.For(ctx, look)
	}
	return true
}

// look is how often an edge looks for a wildcard that is to be ordered. Tests make it short.
var look = 10 * time.Second

func (c *Certificates) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// fresh reports whether there is a certificate for a host, of whose life less than three fifths
// are over. Two thirds are when certmagic renews.
func (c *Certificates) fresh(ctx context.Context, host string) bool {
	site := strings.ReplaceAll(host, "*", wildcard)
	issuers, _ := c.List(ctx, certificates, false)
	for _, issuer := range issuers {
		base := issuer + "/" + site + "/" + site
		// The last of the three that is stored; with it, all are there.
		if _, err := c.Load(ctx, base+".json"); err != nil {
			continue
		}
		chain, err := c.Load(ctx, base+".crt")
		if err != nil {
			continue
		}
		block, _ := pem.Decode(chain)
		if block == nil {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && time.Since(cert.NotBefore) < cert.NotAfter.Sub(cert.NotBefore)*3/5 {
			return true
		}
	}
	return false
}

// wildcard is how certmagic spells * in a name.
const wildcard = "wildcard_"

// issuers are the folders of those whose certificates the mirror has.
func (c *Certificates) issuers(ctx context.Context) []string {
	names, _ := list(context.WithoutCancel(ctx), c.cfg.Disk, mirrorFolder, certificates, false)
	return names
}

// covered reports whether the mirror has another certificate for the host of a certificate's
// name: of another issuer, or a wildcard's. certmagic looks at those once it was told that this
// one is absent, and at nothing where it was told of an error. What an edge is told so leads to
// no order.
func (c *Certificates) covered(ctx context.Context, name string) bool {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != certificates || !strings.HasPrefix(parts[3], parts[2]+".") {
		return false
	}
	issuer, site := parts[0]+"/"+parts[1], parts[2]
	_, domain, _ := strings.Cut(site, ".")
	for _, other := range c.issuers(ctx) {
		for _, s := range []string{site, wildcard + "." + domain} {
			if (other != issuer || s != site) && c.whole(ctx, other+"/"+s+"/"+s) {
				return true
			}
		}
	}
	return false
}

// whole reports whether the mirror has all parts of a certificate.
func (c *Certificates) whole(ctx context.Context, name string) bool {
	for _, part := range []string{".crt", ".key", ".json"} {
		key, err := encode(mirrorFolder, name+part)
		if err != nil {
			return false
		}
		if _, err := c.cfg.Disk.Stat(context.WithoutCancel(ctx), key); err != nil {
			return false
		}
	}
	return true
}
