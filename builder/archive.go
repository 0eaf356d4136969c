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
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// maxEntries of a source: files, folders and links.
	maxEntries = 200_000
	// An archive that grows more than this many times, beyond a size that text reaches, is
	// made to fill the disk.
	maxRatio     = 200
	ratioMatters = 64 << 20
)

// unpack fetches the job's archive into the source folder.
func (a *attempt) unpack(ctx context.Context) error {
	a.log.say("Unpacking the uploaded source")
	files := 0
	err := retry(ctx, func(ctx context.Context) (err error) {
		files, err = a.unpackOnce(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("fetch the source: %w", err)
	}
	a.log.say("The source has %s", plural(files, "file"))
	return nil
}

// unpackOnce begins with an empty folder: control may be killed, and come back, while the
// archive is on its way.
func (a *attempt) unpackOnce(ctx context.Context) (files int, err error) {
	body, err := a.cfg.Control.Source(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }() // only read from
	dir := a.path(dirSource)
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		return 0, fmt.Errorf("empty the source folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, fmt.Errorf("open the source folder: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return extract(ctx, root, body, a.job.Limits)
}

// extract unpacks a tar.gz below root and returns how many files it had. Whatever is in the
// archive, nothing is written outside, nothing special is made, and no more than the limits.
func extract(ctx context.Context, root *os.Root, r io.Reader, limits hosting.Limits) (files int, err error) {
	packed := &countingReader{ctx: ctx, r: r, limit: limits.SourceBytes}
	z, err := gzip.NewReader(packed)
	if err != nil {
		return 0, packed.explain(fmt.Errorf("it is no gzip (%w)", err))
	}
	x := &extractor{root: root, limits: limits, packed: packed, unpacked: &countingReader{ctx: ctx, r: z, limit: -1}}
	t := tar.NewReader(x.unpacked)
	for entries := 1; ; entries++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, packed.explain(err)
		}
		if entries > maxEntries {
			return 0, fail(hosting.FailTooLarge, "the archive has more than %d entries, which is the limit", maxEntries)
		}
		if err := x.entry(h, t); err != nil {
			return 0, packed.explain(err)
		}
	}
	if err := x.checkLinks(); err != nil {
		return 0, err
	}
	if x.files == 0 {
		return 0, fail(hosting.FailSourceInvalid, "the archive holds no files")
	}
	return x.files, nil
}

type extractor struct {
	root     *os.Root
	limits   hosting.Limits
	packed   *countingReader
	unpacked *countingReader
	written  int64 // more than unpacked where files are sparse
	files    int
	links    []string
}

func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	name := path.Clean(h.Name)
	if h.Typeflag == tar.TypeXGlobalHeader || name == "." {
		return nil // what git archive writes first, and the folder itself
	}
	if strings.HasPrefix(h.Name, "/") || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsRune(name, 0) ||
		len(name) > hosting.MaxPath || strings.Count(name, "/") > maxDepth {
		return fail(hosting.FailSourceInvalid, "the archive's entry %q leads outside, or is too long or too deep", clip(oneLine(h.Name), 120))
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return x.root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		return x.file(name, h, content)
	case tar.TypeSymlink:
		return x.link(name, h.Linkname)
	}
	return fail(hosting.FailSourceInvalid, "the archive's entry %q is neither a file, a folder nor a symbolic link: pack it without", clip(oneLine(name), 120))
}

func (x *extractor) file(name string, h *tar.Header, content io.Reader) error {
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fail(hosting.FailSourceInvalid, "the archive has two entries named %q", clip(oneLine(name), 120))
	}
	if err != nil {
		return err
	}
	x.files++
	_, err = io.Copy(&boundedFile{f, x}, content)
	return errors.Join(err, f.Close())
}

// boundedFile checks the limits with every write, before the disk is full.
type boundedFile struct {
	f *os.File
	x *extractor
}

func (b *boundedFile) Write(p []byte) (int, error) {
	b.x.written += int64(len(p))
	out, in := max(b.x.unpacked.n, b.x.written), b.x.packed.n
	if out > b.x.limits.SiteBytes || out > ratioMatters && out/maxRatio > in {
		return 0, fail(hosting.FailTooLarge, "the archive unpacks to more than %s, or to more than %d times its size",
			formatBytes(b.x.limits.SiteBytes), maxRatio)
	}
	return b.f.Write(p)
}

func (x *extractor) link(name, target string) error {
	inside := path.Join(path.Dir(name), target)
	if target == "" || path.IsAbs(target) || inside == ".." || strings.HasPrefix(inside, "../") || len(target) > hosting.MaxPath {
		return leavesSource(name)
	}
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	x.links = append(x.links, name)
	return x.root.Symlink(target, name)
}

func leavesSource(name string) error {
	return fail(hosting.FailSourceInvalid, "the archive's link %q leads outside: pack what it points to instead", clip(oneLine(name), 120))
}

// checkLinks follows every link once all is there: through other links, one may lead out
// although its own text does not. A link to nothing is not followed by anybody.
func (x *extractor) checkLinks() error {
	for _, name := range x.links {
		if _, err := x.root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return leavesSource(name)
		}
	}
	return nil
}

// countingReader counts what is read, refuses to read more than limit (none if negative),
// and stops when ctx ends.
type countingReader struct {
	ctx    context.Context
	r      io.Reader
	n      int64
	limit  int64
	broken error // how r failed, if it did
}

func (c *countingReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.broken = err
	}
	if c.limit >= 0 && c.n > c.limit {
		return 0, fail(hosting.FailTooLarge, "the archive has more than %s, which is the limit", formatBytes(c.limit))
	}
	return n, err
}

// explain turns what went wrong while unpacking into a failure of the archive, unless it is
// one of the attempt or of the machine.
func (c *countingReader) explain(err error) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if _, ok := errors.AsType[*hosting.Error](err); ok || isFull(err) {
		return err
	}
	if c.broken != nil { // no fault of the archive's
		return fmt.Errorf("%w: %w", hosting.Errorf(hosting.CodeUnavailable, "the connection that brings the archive broke"), c.broken)
	}
	return fail(hosting.FailSourceInvalid, "the archive cannot be unpacked: %s", clip(oneLine(err.Error()), 200))
}
