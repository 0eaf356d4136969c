package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// Put writes body to a temporary file, checks it on the way, and gives it its name.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, check object.Check) error {
	if err := usable(ctx, key); err != nil {
		return err
	}
	if check.Size < 0 {
		return hosting.Errorf(hosting.CodeInvalid, "an object's size cannot be %d", check.Size)
	}
	tmp := tmpDir + "/" + rand.Text()
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return explain("put", key, err)
	}
	defer f.Close() // late, since place may have to sync it; Close finds no more to write
	if err = object.Copy(ctx, f, body, check); err == nil {
		crash.At("upload.copied")
		err = s.place(f, tmp, key)
	}
	if err != nil {
		// Open removes it where this fails.
		_ = s.root.Remove(tmp)
		return explain("put", key, err)
	}
	crash.At("upload.stored")
	return nil
}

// place gives a written file its name and notes what Flush has to do.
//
// Where it replaces an object, that one may have been flushed: a power cut could keep the
// new name and lose the new bytes, so these are synced first.
func (s *Store) place(f *os.File, tmp, key string) error {
	replaces, err := s.replaces(key)
	if err != nil {
		return err
	}
	if replaces {
		if err := s.sync(f); err != nil {
			return err
		}
	}
	synced := replaces

	s.tree.Lock()
	defer s.tree.Unlock()
	if replaces, err = s.replaces(key); err != nil {
		return err
	}
	if replaces && !synced { // somebody else put it meanwhile: rare enough to sync in the lock
		if err := s.sync(f); err != nil {
			return err
		}
		synced = true
	}
	if err := s.makeParents(path.Dir(key)); err != nil {
		return err
	}
	if err := s.root.Rename(tmp, key); err != nil {
		return err
	}
	s.dirty.put(key, synced)
	return nil
}

// replaces reports whether key is an object already.
func (s *Store) replaces(key string) (bool, error) {
	st, err := s.root.Lstat(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case errors.Is(err, syscall.ENOTDIR):
		return false, hosting.Errorf(hosting.CodeConflict, "the object key %q lies below another object", key)
	case err != nil:
		return false, err
	case st.IsDir():
		return false, hosting.Errorf(hosting.CodeConflict, "the object key %q is the folder of other objects", key)
	}
	return true, nil
}

func (s *Store) makeParents(dir string) error {
	if dir == "." {
		return nil
	}
	if err := s.root.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make its folder: %w", err)
	}
	return nil
}

// Delete removes an object, and the folders that it leaves empty.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := usable(ctx, key); err != nil {
		return err
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	if st, err := s.root.Lstat(key); err == nil && !st.Mode().IsRegular() {
		return nil // a folder of objects is none itself
	}
	err := s.root.Remove(key)
	if err = explain("delete", key, err); err != nil && !hosting.Is(err, hosting.CodeNotFound) {
		return err
	}
	s.dirty.deleted(key) // of one that a Flush had to give up, nothing else is left
	if err != nil {
		return nil
	}
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		if s.root.Remove(dir) != nil {
			break // not empty, most likely; an empty folder does no harm
		}
	}
	return nil
}
