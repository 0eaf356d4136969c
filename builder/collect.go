package builder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Output is a folder as it will be published: the files with their digests and, once Upload has
// returned, all stored forms. It reads blobs from the folder again when they are compressed and
// uploaded, so the folder must stay.
type Output struct {
	// Files are in the order of their paths.
	Files []hosting.File
	// Bytes is the size of all files, uncompressed.
	Bytes int64
	// LeftOut counts the names that are never published (.git, node_modules, .env and such).
	LeftOut int

	root     *os.Root
	store    *formStore
	uploaded bool // control was asked for compressed forms

	mu    sync.Mutex // guards what follows
	parts map[hosting.Digest]part
	forms map[hosting.Digest]compressed // by the digest of the whole file
}

// Collect reads the folder dir: it walks it and hashes every file. What shrinks is compressed by
// Upload, which knows what is compressed already.
// The same files give the same Output. Failures that the folder's owner can mend are *Error:
// output_empty, output_invalid, too_large. The caller closes the Output.
func Collect(ctx context.Context, dir string, limits hosting.Limits) (*Output, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fail(hosting.FailOutputMissing, "the folder %s does not exist", dir)
		}
		return nil, fmt.Errorf("open the folder %s: %w", dir, err)
	}
	return collect(ctx, root, limits)
}

// collect takes root over.
func collect(ctx context.Context, root *os.Root, limits hosting.Limits) (_ *Output, err error) {
	o := &Output{
		root: root, store: &formStore{budget: memoryBudget},
		parts: make(map[hosting.Digest]part), forms: make(map[hosting.Digest]compressed),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}()
	w := &walker{ctx: ctx, root: root, limits: limits.OrDefaults()}
	if err := w.folder("."); err != nil {
		return nil, err
	}
	switch {
	case len(w.files) == 0:
		return nil, fail(hosting.FailOutputEmpty, "there are no files to publish in it: check that the build writes to this folder")
	case w.pages == 0:
		return nil, fail(hosting.FailOutputEmpty, "there is no HTML page among its %s: check that this is the folder to publish", plural(len(w.files), "file"))
	}
	o.LeftOut = w.leftOut
	if err := o.hashAll(ctx, w.files); err != nil {
		return nil, err
	}
	return o, nil
}

// hashAll fills Files, in the order of the walk, with one worker for each processor.
func (o *Output) hashAll(ctx context.Context, names []string) error {
	o.Files = make([]hosting.File, len(names))
	g, working := errgroup.WithContext(ctx) // which is over when Wait returns
	hashers := make([]*hasher, min(runtime.NumCPU(), len(names)))
	var next atomic.Int64
	for i := range hashers {
		h := &hasher{root: o.root, parts: make(map[hosting.Digest]part), buf: make([]byte, hosting.MaxBlob)}
		hashers[i] = h
		g.Go(func() (err error) {
			for n := next.Add(1) - 1; n < int64(len(names)) && err == nil; n = next.Add(1) - 1 {
				o.Files[n], err = h.file(working, names[n])
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, f := range o.Files {
		o.Bytes += f.Size
	}
	for _, h := range hashers {
		maps.Copy(o.parts, h.parts)
	}
	return nil
}

// Has reports whether the site has a file of that path.
func (o *Output) Has(path string) bool {
	for _, f := range o.Files {
		if f.Path == path {
			return true
		}
	}
	return false
}

func (o *Output) part(d hosting.Digest) part {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.parts[d]
}

func (o *Output) addPart(d hosting.Digest, p part) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parts[d] = p
}

// Inventory is what is told to control once everything is uploaded.
func (o *Output) Inventory(fallback hosting.Fallback, framework string) hosting.Inventory {
	return hosting.Inventory{Files: o.Files, Fallback: fallback, Framework: framework}
}

// Close frees what the Output holds. It may be repeated.
func (o *Output) Close() error {
	return errors.Join(o.root.Close(), o.store.close())
}
