package builder

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Pack writes the folder's source as a tar.gz: what git tracks, or would if it were added,
// where dir is inside a work tree, else everything. Never .git, node_modules and .env files;
// links only where they stay inside; no devices and such. The same files give the same
// bytes. It returns how many files it packed.
func Pack(ctx context.Context, dir string, w io.Writer, limits hosting.Limits) (files int, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("open the folder %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	p := &packer{ctx: ctx, root: root, limits: limits.OrDefaults()}
	names, inTree, err := gitFiles(ctx, dir)
	if err != nil {
		return 0, err
	}
	if !inTree {
		names = []string{"."}
	}
	for _, name := range names {
		if err := p.find(name, 0); err != nil {
			return 0, err
		}
	}
	slices.Sort(p.names)
	p.names = slices.Compact(p.names)
	if len(p.names) == 0 {
		return 0, fail(hosting.FailSourceInvalid, "%s holds no files to deploy", dir)
	}
	if err := p.write(w); err != nil {
		return 0, err
	}
	return len(p.names), nil
}

type packer struct {
	ctx    context.Context
	root   *os.Root
	limits hosting.Limits
	names  []string
	bytes  int64
}

// find adds name, or what is below it: git names a repository inside the work tree, such as
// a submodule, by its folder.
func (p *packer) find(name string, depth int) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	name = path.Clean(name)
	if slices.ContainsFunc(strings.Split(name, "/"), secret) || depth > maxDepth {
		return nil
	}
	info, err := p.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // tracked, but deleted
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", name, err)
	}
	switch {
	case info.IsDir():
		entries, err := fs.ReadDir(p.root.FS(), name)
		if err != nil {
			return fmt.Errorf("read the folder %s: %w", name, err)
		}
		for _, e := range entries {
			if err := p.find(path.Join(name, e.Name()), depth+1); err != nil {
				return err
			}
		}
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		if _, err := p.root.Stat(name); err != nil {
			return nil // leads out, or nowhere
		}
	case !info.Mode().IsRegular():
		return nil
	}
	p.names = append(p.names, name)
	p.bytes += info.Size()
	if len(p.names) > maxEntries || p.bytes > p.limits.SiteBytes {
		return fail(hosting.FailTooLarge, "the source has more than %d files or %s, which is the limit: ignore what is not needed in .gitignore",
			maxEntries, formatBytes(p.limits.SiteBytes))
	}
	return nil
}

// secret reports whether a name never leaves the machine with a source: what version control,
// package managers and Fairway keep beside it, and files that hold credentials.
func secret(name string) bool {
	return name == ".git" || name == "node_modules" || name == ".fairway" || name == ".DS_Store" || strings.HasPrefix(name, ".env")
}

func (p *packer) write(w io.Writer) error {
	counted := &cappedWriter{w: w, left: p.limits.SourceBytes}
	z := gzip.NewWriter(counted)
	t := tar.NewWriter(z)
	for _, name := range p.names {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		if err := p.add(t, name); err != nil {
			return counted.explain(p.limits, fmt.Errorf("pack %s: %w", name, err))
		}
	}
	return counted.explain(p.limits, errors.Join(t.Close(), z.Close()))
}

func (p *packer) add(t *tar.Writer, name string) error {
	info, err := p.root.Lstat(name)
	if err != nil {
		return err
	}
	// Of the owner's machine, only whether a file can be executed goes along.
	h := &tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if info.Mode()&fs.ModeSymlink != 0 {
		h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
		if h.Linkname, err = p.root.Readlink(name); err != nil {
			return err
		}
		return t.WriteHeader(h)
	}
	f, err := p.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no file any more")
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if info.Mode()&0o111 != 0 {
		h.Mode = 0o755
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.CopyN(t, f, h.Size); err != nil {
		return fmt.Errorf("it changed while it was read: %w", err)
	}
	return nil
}

// cappedWriter refuses to write more than left bytes.
type cappedWriter struct {
	w    io.Writer
	left int64
	over bool
}

func (c *cappedWriter) Write(b []byte) (int, error) {
	if c.left -= int64(len(b)); c.left < 0 {
		c.over = true
		return 0, errors.New("over the limit")
	}
	return c.w.Write(b)
}

func (c *cappedWriter) explain(l hosting.Limits, err error) error {
	if err != nil && c.over {
		return fail(hosting.FailTooLarge, "the source packs to more than %s, which is the limit: ignore what is not needed in .gitignore", formatBytes(l.SourceBytes))
	}
	return err
}
