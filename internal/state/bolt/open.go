package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"
	bbolterr "go.etcd.io/bbolt/errors"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// mapSize is how much address space the file is mapped into at first. bbolt maps anew when a
// file outgrows its map, and for that an Update has to wait for every View that runs; up to
// this size none has to. It costs addresses, not memory.
const mapSize = 256 << 20

// allocSize is by how much the file grows.
const allocSize = 1 << 20

// Open opens the state in the file at path and makes it if there is none. It fails with
// CodeConflict while another process has it open.
func Open(path string) (*Store, error) {
	if err := makeFirst(path); err != nil {
		return nil, explain(fmt.Errorf("make the state's file: %w", err))
	}
	db, err := openFile(path)
	if errors.Is(err, bbolterr.ErrTimeout) {
		return nil, hosting.Errorf(hosting.CodeConflict, "another Fairway has %s open", filepath.Base(filepath.Dir(path))).
			WithHint("stop it, or use caddy reload, or another FAIRWAY_DATA")
	}
	if errors.Is(err, bbolterr.ErrInvalid) || errors.Is(err, bbolterr.ErrChecksum) || errors.Is(err, bbolterr.ErrVersionMismatch) {
		return nil, fmt.Errorf("open state %s: %w: restore it from a backup, or move it away to begin anew without projects", filepath.Base(path), err)
	}
	if err != nil {
		return nil, explain(fmt.Errorf("open state %s: %w", filepath.Base(path), err))
	}
	err = db.View(func(t *bbolt.Tx) error {
		if t.Bucket(bucket) == nil {
			return errors.New("the file holds no state of Fairway")
		}
		return nil
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open state %s: %w", filepath.Base(path), err)
	}
	return &Store{db}, nil
}

// openFile opens a file that exists. bbolt panics, or faults beyond the file's end, where the
// pages it needs at once are damaged; that is an error here, for whoever starts Fairway to read.
func openFile(path string) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		// bbolt would take it for a new one, and what is lost would not be noticed.
		return nil, errors.New("the file is empty, which Fairway never leaves behind: restore it, or remove it to begin anew")
	}
	db, err = bbolt.Open(path, 0o600, options())
	if err != nil {
		return nil, err
	}
	db.AllocSize = allocSize
	return db, nil
}

func options() *bbolt.Options {
	return &bbolt.Options{
		Timeout:         lockTimeout,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapSize,
	}
}

// makeFirst makes the file if there is none: under another name, whole and synced before it
// gets its own, since a bbolt file whose very first write is cut can never be opened. It is
// linked and not renamed, so that of two that start at once neither replaces the other's.
func makeFirst(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".first-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	if err := temp.Close(); err != nil {
		return err
	}
	if err := initialise(temp.Name()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	_ = os.Remove(temp.Name())
	crash.At("open.state")
	return syncDir(filepath.Dir(path))
}

func initialise(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(t *bbolt.Tx) error {
		_, err := t.CreateBucket(bucket)
		return err
	})
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, db.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
