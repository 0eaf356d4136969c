package routes

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterr "go.etcd.io/bbolt/errors"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	lockTimeout = 2 * time.Second
	// mapSize is address space, not memory: up to it the file grows without a new map, for
	// which a writer has to wait until no lookup reads.
	mapSize   = 256 << 20
	allocSize = 1 << 20
	// format is the version of the buckets and records. A file of another one is set aside.
	format = 1
)

var metaKey = []byte("table")

// meta says what a file holds.
type meta struct {
	Format int          `json:"format"`
	Mark   hosting.Mark `json:"mark"`
}

// file is one routing file with the cache of what was read from it. Its Epoch never changes:
// another one comes with another file.
type file struct {
	db     *bbolt.DB
	cache  *cache
	epoch  uint64
	seq    atomic.Uint64
	faulty atomic.Bool // reading it failed once
}

func (f *file) mark() hosting.Mark { return hosting.Mark{Epoch: f.epoch, Seq: f.seq.Load()} }

func (f *file) close() error {
	if err := f.db.Close(); err != nil {
		return fmt.Errorf("close routes: %w", err)
	}
	return nil
}

// view runs fn over one consistent state of the file.
func (f *file) view(fn func(*bbolt.Tx) error) error {
	return guarded(func() error { return f.db.View(fn) })
}

// guarded runs fn, which reads pages that may be damaged: there bbolt panics, and a page that
// the disk cannot deliver is a fault of the mapped memory. Neither may end a process that
// goes on serving from its cache.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return fn()
}

// openOrReplace opens the file at path. One that is damaged is renamed (only the last such
// one is kept, for whoever wants to know why) and replaced by an empty one.
func openOrReplace(path string, log *slog.Logger) (*file, error) {
	f, err := openFile(path)
	if errors.Is(err, errDamaged) {
		log.Warn("the routing table's file is set aside and built anew", "err", err)
		if err = os.Rename(path, path+".damaged"); err == nil {
			f, err = openFile(path)
		}
	}
	if errors.Is(err, bbolterr.ErrTimeout) {
		return nil, hosting.Errorf(hosting.CodeConflict, "another Fairway has %s open", filepath.Base(filepath.Dir(path))).
			WithHint("stop it, or use caddy reload, or another FAIRWAY_DATA")
	}
	if err != nil {
		return nil, fmt.Errorf("open routes: %w", err)
	}
	crash.At("open.routes")
	return f, nil
}

// openFile opens the file, or makes one that holds nothing. A file whose making was cut
// short is a damaged one.
//
// Its commits are synced, cache or not: without that a power cut could leave pages of two
// ages under one mark, each whole, which no check can tell from the truth. It costs a few
// milliseconds a batch, and an edge whose control plane is dead still has its table after it.
func openFile(path string) (f *file, err error) {
	if err := checkClosed(path); err != nil {
		return nil, damageOf(err)
	}
	var db *bbolt.DB
	err = guarded(func() error {
		db, err = bbolt.Open(path, 0o600, options())
		return err
	})
	if err != nil {
		return nil, damageOf(err)
	}
	db.AllocSize = allocSize
	f = &file{db: db, cache: newCache()}
	if err := f.start(); err != nil {
		_ = db.Close()
		return nil, damageOf(err)
	}
	return f, nil
}

// checkClosed checks the pages of a file that nobody has open. Opening it to read locks it
// and reads no page but the metas.
func checkClosed(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || (err == nil && info.Size() == 0) {
		return nil // a new one
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &os.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	return guarded(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
		if err != nil {
			return err
		}
		return errors.Join(checkPages(path), db.Close())
	})
}

func options() *bbolt.Options {
	return &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize}
}

// damageOf marks err as damage, unless it is the machine's: setting a good file aside because
// there were too many open files would lose what an edge cannot get back just now.
func damageOf(err error) error {
	if _, ok := errors.AsType[syscall.Errno](err); ok || errors.Is(err, bbolterr.ErrTimeout) || errors.Is(err, errDamaged) {
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// start makes the buckets of a new file, and looks at the head of an old one.
func (f *file) start() error {
	var m meta
	fresh := false
	err := f.view(func(tx *bbolt.Tx) error {
		k, _ := tx.Cursor().First()
		if fresh = k == nil; fresh {
			return nil
		}
		var err error
		m, err = checkHead(tx)
		return err
	})
	if err == nil && fresh {
		err = f.db.Update(initialise)
	}
	f.epoch = m.Mark.Epoch
	f.seq.Store(m.Mark.Seq)
	return err
}

func initialise(tx *bbolt.Tx) error {
	for _, b := range buckets {
		if _, err := tx.CreateBucket(b); err != nil {
			return err
		}
	}
	return putMeta(tx, hosting.Mark{})
}

func putMeta(tx *bbolt.Tx, m hosting.Mark) error {
	return put(tx, metaBucket, metaKey, meta{Format: format, Mark: m})
}
