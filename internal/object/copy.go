package object

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Copy copies body to w, as a Put does before anything of it is visible. A body that check
// does not describe is refused with CodeMismatch, after at most one byte more than check.Size
// was read. It ends with ctx.
func Copy(ctx context.Context, w io.Writer, body io.Reader, check Check) error {
	hash := sha256.New()
	if !check.Digest.IsZero() {
		w = io.MultiWriter(w, hash)
	}
	body = &ctxReader{ctx, body}
	n, err := io.Copy(w, io.LimitReader(body, check.Size))
	if err != nil {
		return err
	}
	if n < check.Size {
		return hosting.Errorf(hosting.CodeMismatch, "the body has %d bytes instead of %d", n, check.Size)
	}
	switch _, err := io.ReadFull(body, make([]byte, 1)); {
	case err == nil:
		return hosting.Errorf(hosting.CodeMismatch, "the body has more than %d bytes", check.Size)
	case !errors.Is(err, io.EOF):
		return err
	}
	if !check.Digest.IsZero() && hosting.Digest(hash.Sum(nil)) != check.Digest {
		return hosting.Errorf(hosting.CodeMismatch, "the body is not what its digest says")
	}
	return nil
}

// ctxReader ends a copy when ctx ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
