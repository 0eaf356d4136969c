// Package domains keeps the certificates of hosts for many nodes.
//
// It knows neither Caddy nor certmagic: caddymodule gives them Certificates as their storage.
package domains

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	// patience bounds a call of the object store whose answer the mirror has, too.
	patience = 3 * time.Second
	// rest is how long an edge answers from its mirror after a call of the object store failed,
	// before it tries again: one handshake needs several values.
	rest = 5 * time.Second

	objectsFolder = "certs/"
	mirrorFolder  = "mirror/"
	keptFolder    = "kept/"
)

// ErrEdge is what an edge answers who wants to order, renew or remove a certificate.
var ErrEdge error = hosting.Errorf(hosting.CodeForbidden, "only the control plane orders certificates, and this is an edge").
	WithHint("the control plane orders one for each host that it is to serve; edges load what it has stored")

// Locks gives out locks that exclude each other among all processes that may order.
type Locks interface {
	Lock(ctx context.Context, name string) (*state.Lock, error)
}

// CertificatesConfig is what Certificates need. All fields but Own and Locks are mandatory.
type CertificatesConfig struct {
	// Objects is the store that all processes share.
	Objects object.Store
	// Disk is this machine's: the mirror, and what an edge keeps for itself.
	Disk object.Store
	// Edge seals what edges read, and all that is an edge's own.
	Edge seal.Ring
	// Own seals what is the control plane's alone, as the keys of its accounts.
	Own seal.Ring
	// Locks are the control plane's. Without them this is an edge: it orders nothing.
	Locks Locks
	Log   *slog.Logger
}

// Certificates are named values, sealed, in the object store, with a mirror on this machine's
// disk. The names and their meaning are certmagic's; the methods are those of its Storage.
//
// An error that is fs.ErrNotExist says that the object store was asked and has no such value:
// whoever is told so orders a certificate. A store that cannot be asked is another error, unless
// the mirror has the value, and so is a value that does not open.
//
// An edge reads certificates and the tokens of challenges from the object store, and writes
// nothing there. All other names, as those of OCSP responses, it keeps for itself on its disk.
//
// All methods may be called concurrently.
type Certificates struct {
	cfg CertificatesConfig

	// sealing is held by Reseal between reading and writing a value, and shared by writers.
	sealing sync.RWMutex

	away  atomic.Bool  // the object store failed, and nothing has succeeded since
	until atomic.Int64 // and it is not asked again before (UnixNano), where the mirror can answer

	mu     sync.Mutex // of what follows, and of the mirror's changes
	held   map[string]*state.Lock
	closed bool
	// changes counts those that this process made, so that what was read before one is not
	// mirrored after it.
	changes uint64
}

// NewCertificates returns the values that are stored already.
func NewCertificates(c CertificatesConfig) *Certificates {
	return &Certificates{cfg: c, held: map[string]*state.Lock{}}
}

// KeyInfo describes a name.
type KeyInfo struct {
	Key        string
	Modified   time.Time
	Size       int64
	IsTerminal bool // false for what is no value's name, but a folder of such
}

// place is where a name's value is.
type place struct {
	name   string
	key    string // in the object store, or of what an edge keeps for itself on its disk
	mirror string // on the disk, "" for what is not mirrored
	ring   seal.Ring
	kept   bool // by this edge for itself
}

// edge reports whether this process is one.
func (c *Certificates) edge() bool { return c.cfg.Locks == nil }

const certificates = "certificates"

// shared reports whether edges read a name, or what is below it.
func shared(name string) bool {
	return name == certificates || strings.HasPrefix(name, certificates+"/") || isToken(name)
}

// isToken reports whether a name is that of a challenge's token, which lives for a minute.
func isToken(name string) bool { return strings.Contains(name, "/challenge_tokens/") }

func (c *Certificates) place(name string) (place, error) {
	at := place{name: name, ring: c.cfg.Own}
	if shared(name) || c.edge() {
		at.ring = c.cfg.Edge
	}
	folder := objectsFolder
	if at.kept = c.edge() && !shared(name); at.kept {
		folder = keptFolder
	}
	var err error
	if at.key, err = encode(folder, name); err != nil {
		return at, err
	}
	if !at.kept && !isToken(name) {
		at.mirror, err = encode(mirrorFolder, name)
	}
	return at, err
}

// Load returns the value of a name.
func (c *Certificates) Load(ctx context.Context, name string) ([]byte, error) {
	v, err := c.load(ctx, name)
	return v.plain, err
}

func (c *Certificates) load(ctx context.Context, name string) (value, error) {
	at, err := c.place(name)
	if err != nil {
		return value{}, err
	}
	if at.kept {
		v, err := c.open(ctx, c.cfg.Disk, at.key, at)
		return v, answer("load", name, err)
	}
	copied, lost := c.mirrored(ctx, at)
	if lost == nil && c.resting() {
		return copied, nil
	}
	before := c.changed()
	var v value
	err = c.ask(ctx, lost == nil, func(ctx context.Context) (err error) {
		v, err = c.open(ctx, c.cfg.Objects, at.key, at)
		return err
	})
	switch {
	case err == nil:
		if !bytes.Equal(v.sealed, copied.sealed) {
			c.refresh(ctx, at, before, v.sealed)
		}
		return v, nil
	case hosting.Is(err, hosting.CodeNotFound):
		if !isAbsent(lost) {
			c.refresh(ctx, at, before, nil)
		}
		return value{}, absent(name)
	}
	if errors.Is(err, ErrDamaged) {
		c.cfg.Log.Error("a stored certificate, key or token does not open: somebody changed it, or the key is another one",
			"object", at.key, "mirrored", lost == nil)
	}
	switch {
	case lost == nil:
		return copied, nil
	case c.edge() && c.covered(ctx, name):
		return value{}, absent(name)
	case errors.Is(lost, ErrDamaged):
		return value{}, failed("load", name, errors.Join(err, lost))
	}
	return value{}, failed("load", name, err)
}

// open reads a value from a store.
func (c *Certificates) open(ctx context.Context, s object.Store, key string, at place) (value, error) {
	b, err := read(ctx, s, key)
	if err != nil {
		return value{}, err
	}
	v, ok := openValue(at.ring, at.name, b)
	if !ok {
		return value{}, damaged(key)
	}
	return v, nil
}

func (c *Certificates) mirrored(ctx context.Context, at place) (value, error) {
	if at.mirror == "" {
		return value{}, absent(at.name)
	}
	return c.open(context.WithoutCancel(ctx), c.cfg.Disk, at.mirror, at)
}

// answer translates what a store said about a name that is nowhere else.
func answer(action, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case hosting.Is(err, hosting.CodeNotFound):
		return absent(name)
	}
	return failed(action, name, err)
}

// ask asks the object store, which has little time where the answer is known, and notes whether
// it could be reached.
func (c *Certificates) ask(ctx context.Context, known bool, f func(context.Context) error) error {
	bound := ctx
	if known {
		var cancel context.CancelFunc
		bound, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	err := f(bound)
	switch {
	case ctx.Err() != nil: // the caller's end says nothing about the store
	case err == nil, answered[hosting.CodeOf(err)]:
		if c.away.Swap(false) {
			c.cfg.Log.Info("the store of certificates is there again")
		}
	default:
		c.until.Store(time.Now().Add(rest).UnixNano())
		if !c.away.Swap(true) {
			c.cfg.Log.Warn("the store of certificates cannot be reached: those that this machine has go on", "error", err)
		}
	}
	return err
}

// answered are the codes of what only a store that can be reached says.
var answered = map[hosting.Code]bool{
	hosting.CodeNotFound: true, hosting.CodeMismatch: true, hosting.CodeInvalid: true, hosting.CodeConflict: true, hosting.CodeTooLarge: true,
}

// resting reports whether the object store is better not asked now. Who orders always asks.
func (c *Certificates) resting() bool {
	return c.edge() && c.away.Load() && time.Now().UnixNano() < c.until.Load()
}

// refresh makes the mirror what the object store said: sealed, or nil for nothing. The mirror is
// only behind where that fails.
func (c *Certificates) refresh(ctx context.Context, at place, before uint64, sealed []byte) {
	if at.mirror == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	c.mirror(ctx, func() error {
		if c.changes != before {
			return nil
		}
		if sealed == nil {
			return c.cfg.Disk.Delete(ctx, at.mirror)
		}
		return put(ctx, c.cfg.Disk, at.mirror, sealed)
	})
}

// mirror changes the mirror, one change after the other.
func (c *Certificates) mirror(ctx context.Context, do func() error) {
	err := durably(ctx, c.cfg.Disk, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		return do()
	})
	if err != nil {
		c.cfg.Log.Warn("a certificate is not mirrored on this machine: while the object store is away it cannot be loaded here", "error", err)
	}
}

func (c *Certificates) changed() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// Store stores a value durably. It fails if the object store does.
func (c *Certificates) Store(ctx context.Context, name string, plain []byte) error {
	at, err := c.place(name)
	if err != nil {
		return err
	}
	if len(plain) > maxValue/2 {
		return hosting.Errorf(hosting.CodeTooLarge, "%s: a value has at most %d bytes", name, maxValue/2)
	}
	sealed := sealValue(at.ring, name, plain, time.Now())
	if at.kept {
		return answer("store", name, durably(ctx, c.cfg.Disk, func() error { return put(ctx, c.cfg.Disk, at.key, sealed) }))
	}
	if c.edge() {
		return failed("store", name, ErrEdge)
	}
	return c.change(ctx, at, "store",
		func(ctx context.Context, s object.Store, key string) error { return put(ctx, s, key, sealed) })
}

// Delete removes a value, and all that are below its name. An absent one is no error.
func (c *Certificates) Delete(ctx context.Context, name string) error {
	at, err := c.place(name)
	if err != nil {
		return err
	}
	if at.kept {
		return answer("delete", name, removeAll(ctx, c.cfg.Disk, at.key))
	}
	if c.edge() {
		return failed("delete", name, ErrEdge)
	}
	return c.change(ctx, at, "delete", removeAll)
}

// change does the same to the object store and, if that succeeded, to the mirror.
func (c *Certificates) change(ctx context.Context, at place, action string, do func(context.Context, object.Store, string) error) error {
	c.sealing.RLock()
	defer c.sealing.RUnlock()
	err := c.ask(ctx, false, func(ctx context.Context) error {
		return durably(ctx, c.cfg.Objects, func() error { return do(ctx, c.cfg.Objects, at.key) })
	})
	if err != nil {
		return failed(action, at.name, err)
	}
	ctx = context.WithoutCancel(ctx)
	c.mirror(ctx, func() error {
		c.changes++
		if at.mirror == "" {
			return nil
		}
		return do(ctx, c.cfg.Disk, at.mirror)
	})
	return nil
}

// Exists reports whether there is a value of that name, or below it. It is false only where that
// is certain: a store that cannot be asked may have it.
func (c *Certificates) Exists(ctx context.Context, name string) bool {
	at, err := c.place(name)
	if err != nil {
		return true
	}
	if at.kept {
		ok, err := there(ctx, c.cfg.Disk, at.key)
		return ok || err != nil
	}
	_, lost := c.mirrored(ctx, at)
	if lost == nil && c.resting() {
		return true
	}
	before := c.changed()
	var ok bool
	err = c.ask(ctx, lost == nil, func(ctx context.Context) (err error) {
		ok, err = there(ctx, c.cfg.Objects, at.key)
		return err
	})
	if err == nil && !ok && !isAbsent(lost) {
		c.refresh(ctx, at, before, nil)
	}
	return ok || err != nil
}

// Stat describes a name.
func (c *Certificates) Stat(ctx context.Context, name string) (KeyInfo, error) {
	v, err := c.load(ctx, name)
	if err == nil {
		return KeyInfo{Key: name, Modified: v.modified, Size: int64(len(v.plain)), IsTerminal: true}, nil
	}
	if !isAbsent(err) {
		return KeyInfo{}, err
	}
	if _, err := c.List(ctx, name, false); err != nil {
		return KeyInfo{}, err
	}
	return KeyInfo{Key: name}, nil
}
