package objecttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

func testReadersDuringReplace(t *testing.T, s object.Store) {
	const versions = 30
	bodies := make([][]byte, 4)
	known := map[hosting.Digest]bool{}
	for i := range bodies {
		bodies[i] = randomBytes(uint64(i), 50_000*(i+1))
		known[hosting.DigestOf(bodies[i])] = true
	}
	put(t, s, "key", bodies[0])
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if err := readKnown(t.Context(), s, known); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range versions {
		put(t, s, "key", bodies[i%len(bodies)])
	}
	stop()
	readers.Wait()
}

func readKnown(ctx context.Context, s object.Store, known map[hosting.Digest]bool) error {
	r, info, err := s.Get(ctx, "key")
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(b)) != info.Size || !known[hosting.DigestOf(b)] {
		return fmt.Errorf("read %d of %d bytes that nobody put whole", len(b), info.Size)
	}
	return nil
}

// testConcurrent has workers that put, flush and delete neighbours, so that folders come and
// go under each other's hands.
func testConcurrent(t *testing.T, s object.Store) {
	var workers sync.WaitGroup
	for w := range 6 {
		workers.Go(func() {
			for i := range 20 {
				if err := putAndDelete(t.Context(), s, fmt.Sprintf("p/q%d/r/%d", i%3, w), fmt.Appendf(nil, "%d %d", w, i)); err != nil {
					t.Errorf("worker %d, round %d: %v", w, i, err)
					return
				}
			}
		})
	}
	workers.Wait()
	if infos, err := s.List(t.Context(), "", "", 100); err != nil || len(infos) != 0 {
		t.Errorf("left over: %v, %v", infos, err)
	}
}

func putAndDelete(ctx context.Context, s object.Store, key string, b []byte) error {
	if err := s.Put(ctx, key, bytes.NewReader(b), check(b)); err != nil {
		return err
	}
	if err := object.Flush(ctx, s); err != nil {
		return err
	}
	r, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(r)
	_ = r.Close()
	if err != nil || !bytes.Equal(got, b) {
		return fmt.Errorf("read %q, %w; want %q", got, err, b)
	}
	if _, err := s.List(ctx, "p/", "", 100); err != nil {
		return err
	}
	return s.Delete(ctx, key)
}
