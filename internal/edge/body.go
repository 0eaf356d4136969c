package edge

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// maxAhead bounds the parts that are in memory before they are needed, over all requests.
// A slow reader holds the part it reads, and, while there is room, the next one.
const maxAhead = 64

// parts reads blobs, and some of them ahead.
type parts struct {
	blobs Blobs
	ahead chan struct{} // one token a part read ahead
}

func newParts(b Blobs) *parts { return &parts{blobs: b, ahead: make(chan struct{}, maxAhead)} }

// get returns a blob of exactly the size that the manifest gives it: the response's length
// and the borders of ranges rest on that.
func (p *parts) get(ctx context.Context, project hosting.ProjectID, ref hosting.BlobRef) ([]byte, Layer, error) {
	b, from, err := p.blobs.Find(ctx, project, ref.Digest)
	if err != nil {
		return nil, "", fmt.Errorf("read blob %s: %w", ref.Digest, err)
	}
	if int64(len(b)) != ref.Size {
		return nil, "", hosting.Errorf(hosting.CodeMismatch, "blob %s has %d bytes, not %d", ref.Digest, len(b), ref.Size)
	}
	return b, from, nil
}

// body is one stored form on its way out. Its methods have it by value, so that only one of
// several parts, which the reading ahead shares, is allocated.
type body struct {
	parts   *parts
	project hosting.ProjectID
	form    manifest.Form
}

func partAt(offset int64) int { return int(offset / hosting.MaxBlob) }

// write sends the span, reading only the parts it touches. blob is the first of them if it
// was read already. Where the span goes on in another part, that one is read while this one
// is written.
func (b body) write(ctx context.Context, w io.Writer, sp span, blob []byte) error {
	i, last := partAt(sp.start), partAt(sp.start+sp.length-1)
	if blob == nil {
		var err error
		if blob, _, err = b.parts.get(ctx, b.project, b.form.Part(i)); err != nil {
			return err
		}
	}
	if i == last {
		return writePart(w, blob, sp, i)
	}
	return b.writeParts(ctx, w, sp, blob)
}

func (b body) writeParts(ctx context.Context, w io.Writer, sp span, blob []byte) error {
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	last := partAt(sp.start + sp.length - 1)
	for i := partAt(sp.start); ; i++ {
		var next *readAhead
		if i < last {
			next = b.readAhead(ctx, &reading, i+1)
		}
		err := writePart(w, blob, sp, i)
		if err != nil || i == last {
			next.drop()
			return err
		}
		if blob, err = b.take(ctx, next, i+1); err != nil {
			return err
		}
	}
}

// writePart sends what of part i lies in the span.
func writePart(w io.Writer, blob []byte, sp span, i int) error {
	offset := int64(i) * hosting.MaxBlob
	from, to := max(sp.start-offset, 0), min(sp.start+sp.length-offset, int64(len(blob)))
	if _, err := w.Write(blob[from:to]); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// readAhead is a part that is being read. It holds a token of parts.ahead until it is taken
// or dropped.
type readAhead struct {
	parts *parts
	done  chan struct{}
	blob  []byte
	err   error
}

// readAhead begins to read part i, unless too many parts wait to be sent already: then it
// returns nil. The goroutine is counted in reading.
func (b body) readAhead(ctx context.Context, reading *sync.WaitGroup, i int) *readAhead {
	select {
	case b.parts.ahead <- struct{}{}:
	default:
		return nil
	}
	r := &readAhead{parts: b.parts, done: make(chan struct{})}
	reading.Go(func() {
		defer close(r.done)
		r.blob, _, r.err = b.parts.get(ctx, b.project, b.form.Part(i))
	})
	return r
}

// take returns part i, read ahead or now.
func (b body) take(ctx context.Context, r *readAhead, i int) ([]byte, error) {
	if r == nil {
		blob, _, err := b.parts.get(ctx, b.project, b.form.Part(i))
		return blob, err
	}
	<-r.done
	r.drop()
	return r.blob, r.err
}

// drop gives the token back.
func (r *readAhead) drop() {
	if r != nil {
		<-r.parts.ahead
	}
}
