package domains_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/certmagic"

	"github.com/scale-mesh/fairway/internal/domains"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// cloud is what the nodes of a test share.
type cloud struct {
	t       *testing.T
	objects *objecttest.Faulty
	blind   *blind // behind objects
	folder  string // of the objects
	db      state.DB
	key     seal.Key
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	dir := t.TempDir()
	db, err := bolt.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c := &cloud{t: t, folder: filepath.Join(dir, "objects"), db: state.DB{Store: db}, key: newKey(t)}
	c.blind = &blind{Store: folder(t, c.folder)}
	c.objects = objecttest.NewFaulty(c.blind, objecttest.Faults{})
	return c
}

// blind is a store that takes what it is given and, while it is set to, shows nothing of it, as
// one does whose policy forbids to read.
type blind struct {
	object.Store
	on atomic.Bool
}

var errBlind = hosting.Errorf(hosting.CodeUnavailable, "the object store may not be read")

func (b *blind) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	if b.on.Load() {
		return nil, object.Info{}, errBlind
	}
	return b.Store.Get(ctx, key)
}

func (b *blind) Stat(ctx context.Context, key string) (object.Info, error) {
	if b.on.Load() {
		return object.Info{}, errBlind
	}
	return b.Store.Stat(ctx, key)
}

func (b *blind) List(ctx context.Context, prefix, after string, limit int) ([]object.Info, error) {
	if b.on.Load() {
		return nil, errBlind
	}
	return b.Store.List(ctx, prefix, after, limit)
}

func (b *blind) Flush(ctx context.Context) error { return object.Flush(ctx, b.Store) }

func newKey(t testing.TB) seal.Key {
	t.Helper()
	k, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func folder(t *testing.T, dir string) object.Store {
	t.Helper()
	s, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// node is one process.
type node struct {
	*domains.Certificates
	t    *testing.T
	dir  string // of its disk
	disk object.Store
	log  *bytes.Buffer
}

// control starts a control plane, and edge an edge, over a disk: "" is a new one.
func (c *cloud) control(dir string) node { return c.node(dir, c.db) }
func (c *cloud) edge(dir string) node    { return c.node(dir, nil) }

func (c *cloud) node(dir string, locks domains.Locks) node {
	c.t.Helper()
	if dir == "" {
		dir = c.t.TempDir()
	}
	n := node{t: c.t, dir: dir, disk: folder(c.t, dir), log: new(bytes.Buffer)}
	config := domains.CertificatesConfig{
		Objects: c.objects, Disk: n.disk, Edge: seal.NewRing(c.key.Derive("edge")), Locks: locks,
		Log: slog.New(slog.NewTextHandler(n.log, nil)),
	}
	if locks != nil {
		config.Own = seal.NewRing(c.key)
	}
	n.Certificates = domains.NewCertificates(config)
	c.t.Cleanup(func() { _ = n.Close() })
	return n
}

func (n node) store(name, value string) {
	n.t.Helper()
	if err := n.Store(context.Background(), name, []byte(value)); err != nil {
		n.t.Fatalf("store %s: %v", name, err)
	}
}

// has fails the test unless name loads as value.
func (n node) has(name, value string) {
	n.t.Helper()
	if got, err := n.Load(context.Background(), name); err != nil || string(got) != value {
		n.t.Errorf("%s is %q, %v; want %q", name, got, err, value)
	}
}

// lacks fails the test unless name is said to be absent.
func (n node) lacks(name string) {
	n.t.Helper()
	got, err := n.Load(context.Background(), name)
	if !errors.Is(err, fs.ErrNotExist) {
		n.t.Errorf("%s is %q, %v; want that it is absent", name, got, err)
	}
}

// cannotTell fails the test unless loading name fails with an error that is not its absence.
func (n node) cannotTell(name string) error {
	n.t.Helper()
	got, err := n.Load(context.Background(), name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		n.t.Errorf("%s is %q, %v; want an error that does not say that it is absent", name, got, err)
	}
	return err
}

var (
	down    = objecttest.Faults{Fail: 1}
	healthy = objecttest.Faults{}
)

// certs are the names of a host's certificate of one issuer.
func certs(issuer, site string) (crt, key, meta string) {
	base := "certificates/" + issuer + "/" + site + "/" + site
	return base + ".crt", base + ".key", base + ".json"
}

// storage is Certificates as certmagic takes them.
type storage struct{ *domains.Certificates }

func (s storage) Stat(ctx context.Context, name string) (certmagic.KeyInfo, error) {
	i, err := s.Certificates.Stat(ctx, name)
	return certmagic.KeyInfo(i), err
}

var _ certmagic.Storage = storage{}

// rotated starts a control plane with a key before the cloud's.
func (c *cloud) rotated(old seal.Key) node {
	c.t.Helper()
	n := c.control("")
	n.Certificates = domains.NewCertificates(domains.CertificatesConfig{
		Objects: c.objects, Disk: n.disk, Locks: c.db, Log: slog.New(slog.NewTextHandler(n.log, nil)),
		Own: seal.NewRing(c.key, old), Edge: seal.NewRing(c.key.Derive("edge"), old.Derive("edge")),
	})
	return n
}
