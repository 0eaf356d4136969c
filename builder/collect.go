package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Output is a folder as it will be published: the files with their digests and stored forms.
// It reads blobs from the folder again when they are uploaded, so the folder must stay.
type Output struct {
	// Files are in the order of their paths.
	Files []hosting.File
	// Bytes is the size of all files, uncompressed.
	Bytes int64
	// LeftOut counts the names that are never published (.git, node_modules, .env and such).
	LeftOut int

	root  *os.Root
	parts map[hosting.Digest]part
	store *formStore
}

// Collect reads the folder dir: it walks it, hashes every file and compresses what shrinks.
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
	o := &Output{root: root, parts: make(map[hosting.Digest]part), store: &formStore{budget: memoryBudget}}
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
	places := make([]map[hosting.Digest]part, len(names))
	g, working := errgroup.WithContext(ctx) // which is over when Wait returns
	g.SetLimit(runtime.NumCPU())
	for i, name := range names {
		if working.Err() != nil {
			break
		}
		g.Go(func() error {
			h := hasher{root: o.root, store: o.store, parts: make(map[hosting.Digest]part)}
			file, err := h.file(working, name)
			o.Files[i], places[i] = file, h.parts
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, f := range o.Files {
		o.Bytes += f.Size
		for d, p := range places[i] {
			o.parts[d] = p
		}
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

// Inventory is what is told to control once everything is uploaded.
func (o *Output) Inventory(fallback hosting.Fallback, framework string) hosting.Inventory {
	return hosting.Inventory{Files: o.Files, Fallback: fallback, Framework: framework}
}

// Close frees what the Output holds. It may be repeated.
func (o *Output) Close() error {
	return errors.Join(o.root.Close(), o.store.close())
}
