package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxDepth of folders: deeper ones only exist to break programs.
const maxDepth = 64

// walker lists the files of an output folder, which the build wrote and may have filled with
// anything. It reads names and types only.
type walker struct {
	ctx     context.Context
	root    *os.Root
	limits  hosting.Limits
	files   []string
	bytes   int64
	leftOut int
	pages   int
	open    []fs.FileInfo // folders on the way to the current one: a link back to one of these has no end
}

// private reports whether a name is never published: what never leaves the machine with a
// source, and what a build needs but may hold credentials.
func private(name string) bool { return secret(name) || name == ".npmrc" }

func (w *walker) folder(dir string) error {
	info, err := w.root.Stat(dir)
	if err != nil {
		return fmt.Errorf("open the folder %s: %w", dir, err)
	}
	for _, above := range w.open {
		if os.SameFile(info, above) {
			return fail(hosting.FailOutputInvalid, "the link %s leads back to a folder that it is in: remove it", dir)
		}
	}
	if len(w.open) >= maxDepth {
		return fail(hosting.FailOutputInvalid, "%s is more than %d folders deep", clip(dir, 200), maxDepth)
	}
	w.open = append(w.open, info)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	entries, err := w.entries(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return context.Cause(w.ctx)
		}
		if private(e.Name()) {
			w.leftOut++
			continue
		}
		if err := w.entry(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) entries(dir string) ([]fs.DirEntry, error) {
	// O_NONBLOCK: what was a folder a moment ago may be a fifo now.
	f, err := w.root.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the folder %s: %w", dir, err)
	}
	defer func() { _ = f.Close() }()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("read the folder %s: %w", dir, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

func (w *walker) entry(name string) error {
	if err := hosting.CheckFilePath(name); err != nil {
		return fail(hosting.FailOutputInvalid, "%s", err)
	}
	info, err := w.root.Lstat(name)
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		// Stat follows it, but never out of the root.
		if info, err = w.root.Stat(name); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return fail(hosting.FailOutputInvalid, "%s is a link to nothing: remove it, or build its target", name)
			}
			if errors.Is(err, syscall.ELOOP) {
				return fail(hosting.FailOutputInvalid, "%s is a link that leads back to itself: remove it", name)
			}
			return fail(hosting.FailOutputInvalid, "%s is a link that leaves the output folder: copy the file instead", name)
		}
	}
	switch {
	case info.IsDir():
		return w.folder(name)
	case !info.Mode().IsRegular():
		return fail(hosting.FailOutputInvalid, "%s is neither a file nor a folder: remove it", name)
	}
	return w.file(name, info.Size())
}

func (w *walker) file(name string, size int64) error {
	w.files = append(w.files, name)
	w.bytes += size
	if isPage(name) {
		w.pages++
	}
	switch l := w.limits; {
	case len(w.files) > l.Files:
		return fail(hosting.FailTooLarge, "the site has more than %d files, which is the limit", l.Files)
	case size > l.FileBytes:
		return fail(hosting.FailTooLarge, "%s has %s, the limit for a file is %s", name, formatBytes(size), formatBytes(l.FileBytes))
	case w.bytes > l.SiteBytes:
		return fail(hosting.FailTooLarge, "the site has more than %s, which is the limit", formatBytes(l.SiteBytes))
	}
	return nil
}

func isPage(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".html" || ext == ".htm"
}
