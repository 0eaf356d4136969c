package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/scale-mesh/fairway/internal/object"
)

// List walks only the folders that can hold keys of the answer.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]object.Info, error) {
	l := &listing{store: s, prefix: prefix, after: after, limit: limit}
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	if dir != "" && object.CheckKey(dir[:len(dir)-1]) != nil {
		return nil, nil // no key begins so
	}
	if err := l.walk(ctx, dir); err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	return l.found, nil
}

type listing struct {
	store  *Store
	prefix string
	after  string
	limit  int
	found  []object.Info
}

// walk adds the keys below dir, which is empty or ends in a slash, in order.
func (l *listing) walk(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(l.found) >= l.limit {
		return nil
	}
	entries, err := l.entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if len(l.found) >= l.limit {
			return nil
		}
		if e.entry.IsDir() {
			err = l.walk(ctx, e.key)
		} else {
			err = l.add(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// candidate is an entry of a folder; the key of a folder ends in a slash. All keys below it
// begin with that, and no other entry's does, so ordering the entries orders the keys.
type candidate struct {
	key   string
	entry fs.DirEntry
}

// entries returns what of a folder can lead to keys of the answer, in order.
func (l *listing) entries(dir string) ([]candidate, error) {
	f, err := l.store.root.Open("./" + dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []candidate
	for {
		// In pieces: a folder can hold 100,000 blobs of which one page is asked for.
		page, err := f.ReadDir(1024)
		for _, e := range page {
			if key, ok := l.leads(dir, e); ok {
				found = append(found, candidate{key, e})
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b candidate) int { return cmp.Compare(a.key, b.key) })
	return found, nil
}

func (l *listing) leads(dir string, e fs.DirEntry) (key string, ok bool) {
	if object.CheckKey(e.Name()) != nil {
		return "", false // .tmp, or nothing that Put made
	}
	key = dir + e.Name()
	switch {
	case e.IsDir():
		key += "/"
		within := strings.HasPrefix(key, l.prefix) || strings.HasPrefix(l.prefix, key)
		return key, within && (key > l.after || strings.HasPrefix(l.after, key))
	case e.Type().IsRegular():
		return key, strings.HasPrefix(key, l.prefix) && key > l.after
	}
	return "", false
}

func (l *listing) add(c candidate) error {
	st, err := l.store.root.Lstat(c.key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted since the folder was read
	}
	if err != nil {
		return err
	}
	l.found = append(l.found, object.Info{Key: c.key, Size: st.Size()})
	return nil
}
