package s3

import (
	"context"
	"errors"
	"io"
	"time"
)

// body is the response to a Get. A Read that gets nothing for the store's timeout ends it;
// time that the reader takes between its Reads does not count.
type body struct {
	s      *Store
	ctx    context.Context // the caller's: its end is no fault of the store
	key    string
	from   io.ReadCloser
	cancel context.CancelFunc
	stall  *time.Timer
}

func (s *Store) newBody(ctx context.Context, key string, from io.ReadCloser, cancel context.CancelFunc) *body {
	b := &body{s: s, ctx: ctx, key: key, from: from, cancel: cancel, stall: time.AfterFunc(s.timeout, cancel)}
	b.stall.Stop()
	return b
}

func (b *body) Read(p []byte) (int, error) {
	b.stall.Reset(b.s.timeout)
	n, err := b.from.Read(p)
	b.stall.Stop()
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, b.s.explain(b.ctx, "read", b.key, err)
}

func (b *body) Close() error {
	b.stall.Stop()
	b.cancel()
	return b.from.Close()
}
