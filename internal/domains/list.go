package domains

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// page is how many objects are listed at a time. Tests make it small.
var page = 1000

func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// List returns the names of the values and folders in a folder, "" being all there is;
// recursive, also of what is in those. The mirror answers where the object store fails, with
// what it has.
func (c *Certificates) List(ctx context.Context, name string, recursive bool) ([]string, error) {
	if c.edge() && !shared(name) {
		names, err := list(ctx, c.cfg.Disk, keptFolder, name, recursive)
		return names, answer("list", name, err)
	}
	copied, lost := list(context.WithoutCancel(ctx), c.cfg.Disk, mirrorFolder, name, recursive)
	if lost == nil && c.resting() {
		return copied, nil
	}
	var names []string
	err := c.ask(ctx, lost == nil, func(ctx context.Context) (err error) {
		names, err = list(ctx, c.cfg.Objects, objectsFolder, name, recursive)
		return err
	})
	if err != nil && lost == nil && !hosting.Is(err, hosting.CodeNotFound) {
		return copied, nil
	}
	return names, answer("list", name, err)
}

// list returns the names in a folder of a store, CodeNotFound for a folder with nothing in it.
func list(ctx context.Context, s object.Store, root, name string, recursive bool) ([]string, error) {
	folder := root
	if name != "" {
		key, err := encode(root, name)
		if err != nil {
			return nil, err
		}
		folder = key + "/"
	}
	found := map[string]bool{}
	for after := ""; ; {
		infos, err := s.List(ctx, folder, after, page)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			for _, key := range within(folder, info.Key, recursive) {
				if n, ok := decode(root, key); ok {
					found[n] = true
				}
			}
		}
		if len(infos) < page {
			break
		}
		after = infos[len(infos)-1].Key
		if first, _, nested := strings.Cut(after[len(folder):], "/"); nested && !recursive {
			after = folder + first + "/~" // behind all that is in it
		}
	}
	if len(found) == 0 {
		return nil, hosting.Errorf(hosting.CodeNotFound, "nothing is stored there")
	}
	names := make([]string, 0, len(found))
	for n := range found {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, nil
}

// within returns a key as it is to be listed: with the folders on the way to it, or the first of
// these alone.
func within(folder, key string, recursive bool) (keys []string) {
	for i := len(folder); i < len(key); i++ {
		if key[i] != '/' {
			continue
		}
		keys = append(keys, key[:i])
		if !recursive {
			return keys
		}
	}
	return append(keys, key)
}

// there reports whether a store has an object, or some below it.
func there(ctx context.Context, s object.Store, key string) (bool, error) {
	_, err := s.Stat(ctx, key)
	if err == nil || !hosting.Is(err, hosting.CodeNotFound) {
		return err == nil, err
	}
	below, err := s.List(ctx, key+"/", "", 1)
	return len(below) > 0, err
}

// removeAll removes an object, and all below it.
func removeAll(ctx context.Context, s object.Store, key string) error {
	if err := s.Delete(ctx, key); err != nil {
		return err
	}
	for {
		below, err := s.List(ctx, key+"/", "", page)
		if err != nil {
			return err
		}
		for _, info := range below {
			if err := s.Delete(ctx, info.Key); err != nil {
				return err
			}
		}
		if len(below) < page {
			return nil
		}
	}
}
