// Package file keeps objects as files: a key is a path below one folder, so what is stored
// can be looked at, copied and backed up with any tool.
//
// A Put is atomic at once and durable after Flush. Only one process may have the folder
// open; who owns the folder sees to that. A key cannot lie below another object, nor be the
// folder of others: such a Put fails with CodeConflict.
package file

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/scale-mesh/fairway/internal/object"
)

// tmpDir holds the bodies that are still being written. No key begins with its name.
const tmpDir = ".tmp"

// Store is an object.Store and object.Flusher over a folder. Make it with Open.
type Store struct {
	root *os.Root
	// sync makes one open file or folder durable. Tests let it fail.
	sync func(*os.File) error

	// tree serialises what changes folders and the notes about it: no folder that Delete
	// found empty gains an object, and no object has its name before Flush knows of it.
	tree  sync.Mutex
	dirty notes

	flush flushes
}

var (
	_ object.Store   = (*Store)(nil)
	_ object.Flusher = (*Store)(nil)
)

// Open opens the folder, makes it where there is none, and throws away what interrupted
// Puts left. Objects that a killed process had put but not flushed are durable when it
// returns, so whoever finds one may rely on it.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open object folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open object folder: %w", err)
	}
	s := &Store{root: root, sync: (*os.File).Sync, dirty: newNotes(), flush: newFlushes()}
	if err := s.prepare(); err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open object folder: %w", err)
	}
	return s, nil
}

func (s *Store) prepare() error {
	if err := s.root.Chmod(".", 0o700); err != nil {
		return err
	}
	if err := s.root.RemoveAll(tmpDir); err != nil {
		return err
	}
	if err := s.root.Mkdir(tmpDir, 0o700); err != nil {
		return err
	}
	return syncAll(s.root)
}

// Close releases the folder. Call it when no other call is under way; it flushes nothing.
func (s *Store) Close() error { return s.root.Close() }

// Get opens an object. What is read from it stays the same when the key is put again.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	if err := usable(ctx, key); err != nil {
		return nil, object.Info{}, err
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, object.Info{}, explain("get", key, err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = os.ErrNotExist
	}
	if err != nil {
		_ = f.Close()
		return nil, object.Info{}, explain("get", key, err)
	}
	return f, object.Info{Key: key, Size: st.Size()}, nil
}

// Stat tells whether an object is there, and its size.
func (s *Store) Stat(ctx context.Context, key string) (object.Info, error) {
	if err := usable(ctx, key); err != nil {
		return object.Info{}, err
	}
	st, err := s.root.Lstat(key)
	if err == nil && !st.Mode().IsRegular() {
		err = os.ErrNotExist
	}
	if err != nil {
		return object.Info{}, explain("stat", key, err)
	}
	return object.Info{Key: key, Size: st.Size()}, nil
}

// usable says whether a call for key should begin at all.
func usable(ctx context.Context, key string) error {
	if err := object.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("object %s: %w", key, err)
	}
	return nil
}
