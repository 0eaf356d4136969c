package builder

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	missingPage   = 5000
	uploadWorkers = 8
)

// Progress is how far an upload is.
type Progress struct {
	Blobs, TotalBlobs int   // of those that control does not have
	Bytes, TotalBytes int64 // likewise
	Known             int   // blobs that control had already
}

// Upload asks which of the output's blobs are missing and brings these, the largest first.
// progress, which may be nil, is called once when the total is known and after every blob,
// never concurrently. A repeated Upload brings only what is still missing.
func Upload(ctx context.Context, to Uploads, o *Output, progress func(Progress)) error {
	missing, p, err := askMissing(ctx, to, o)
	if err != nil {
		return err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	progress(p)
	var mu sync.Mutex                       // guards p and orders the calls of progress
	g, working := errgroup.WithContext(ctx) // which is over when Wait returns
	g.SetLimit(uploadWorkers)
	for _, m := range missing {
		if working.Err() != nil {
			break
		}
		g.Go(func() error {
			size, err := o.upload(working, to, m)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			p.Blobs++
			p.Bytes += size
			progress(p)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func askMissing(ctx context.Context, to Uploads, o *Output) ([]hosting.BlobUpload, Progress, error) {
	refs := o.blobs()
	var missing []hosting.BlobUpload
	for page := range slices.Chunk(refs, missingPage) {
		var answer hosting.MissingAnswer
		err := retry(ctx, func(ctx context.Context) (err error) {
			answer, err = to.Missing(ctx, hosting.MissingRequest{Blobs: page})
			return err
		})
		if err != nil {
			return nil, Progress{}, fmt.Errorf("ask which files are missing: %w", err)
		}
		missing = append(missing, answer.Missing...)
	}
	p := Progress{TotalBlobs: len(missing), Known: len(refs) - len(missing)}
	for _, m := range missing {
		at, ok := o.parts[m.Digest]
		if !ok {
			return nil, Progress{}, fmt.Errorf("control asks for the blob %s, which is none of the output", m.Digest)
		}
		p.TotalBytes += at.size
	}
	slices.SortStableFunc(missing, func(a, b hosting.BlobUpload) int {
		return cmp.Compare(o.parts[b.Digest].size, o.parts[a.Digest].size)
	})
	return missing, p, nil
}

// blobs lists each blob of the output once, in an order that only the content decides.
func (o *Output) blobs() []hosting.BlobRef {
	refs := make([]hosting.BlobRef, 0, len(o.parts))
	for d, p := range o.parts {
		refs = append(refs, hosting.BlobRef{Digest: d, Size: p.size})
	}
	slices.SortFunc(refs, func(a, b hosting.BlobRef) int { return slices.Compare(a.Digest[:], b.Digest[:]) })
	return refs
}

func (o *Output) upload(ctx context.Context, to Uploads, m hosting.BlobUpload) (int64, error) {
	b, err := o.read(m.Digest)
	if err != nil {
		return 0, err
	}
	err = retry(ctx, func(ctx context.Context) error { return to.PutBlob(ctx, m, b) })
	if err != nil {
		return 0, fmt.Errorf("upload the blob %s: %w", m.Digest, err)
	}
	return int64(len(b)), nil
}

// read returns a blob's bytes, and makes sure that they still are what was hashed.
func (o *Output) read(d hosting.Digest) ([]byte, error) {
	p := o.parts[d]
	if p.file == "" {
		return o.store.get(d)
	}
	f, err := o.root.OpenFile(p.file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", p.file, err)
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, p.size)
	if _, err := f.ReadAt(b, p.offset); err != nil || hosting.DigestOf(b) != d {
		return nil, changed(p.file)
	}
	return b, nil
}
