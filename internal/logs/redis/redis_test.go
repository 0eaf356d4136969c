package redis

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/logs/logstest"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/servertest"
)

const id = hosting.DeploymentID("dpl_aaaa")

// rig is a Redis and an object store, which outlive the stores over them.
type rig struct {
	t       *testing.T
	redis   *servertest.Server
	objects *flaky
}

// flaky is an object store that fails while it is told to.
type flaky struct {
	object.Store
	down bool
}

func (f *flaky) List(ctx context.Context, prefix, after string, limit int) ([]object.Info, error) {
	if f.down {
		return nil, hosting.Errorf(hosting.CodeUnavailable, "down")
	}
	return f.Store.List(ctx, prefix, after, limit)
}

func newRig(t *testing.T, args ...string) *rig {
	t.Helper()
	objects, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objects.Close() })
	return &rig{t: t, redis: servertest.Redis(t, args...), objects: &flaky{Store: objects}}
}

// open returns the store of one process.
func (r *rig) open() *Store {
	r.t.Helper()
	return openAt(r.t, r.redis.Addr, r.objects)
}

func openAt(t *testing.T, addr string, objects object.Store) *Store {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	s := Open(Config{Client: c, Objects: objects})
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ready lets the store ask Redis again at once.
func ready(s *Store) { s.away.Store(0) }

func TestStore_KeepsTheContract(t *testing.T) {
	r := newRig(t)
	other := newRig(t) // what is moved to the object store all the time reads the same
	t.Run("in Redis", func(t *testing.T) {
		logstest.Run(t, func(t *testing.T) (logs.Store, func() logs.Store) {
			return r.fresh(t, func(s *Store) logs.Store { return s })
		})
	})
	t.Run("moved", func(t *testing.T) {
		logstest.Run(t, func(t *testing.T) (logs.Store, func() logs.Store) {
			return other.fresh(t, func(s *Store) logs.Store { return moving{s} })
		})
	})
	t.Run("without Redis", func(t *testing.T) {
		gone := newRig(t)
		gone.redis.Kill()
		logstest.Run(t, func(t *testing.T) (logs.Store, func() logs.Store) {
			return gone.fresh(t, func(s *Store) logs.Store { return alone{s} })
		})
	})
}

// fresh returns an empty store, and the function that opens another over what it has.
func (r *rig) fresh(t *testing.T, as func(*Store) logs.Store) (logs.Store, func() logs.Store) {
	objects, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objects.Close() })
	c := redis.NewClient(&redis.Options{Addr: r.redis.Addr, MaxRetries: -1, DialerRetries: 1})
	_ = c.FlushAll(t.Context()).Err() // it may be dead
	_ = c.Close()
	open := func() logs.Store { return as(openAt(t, r.redis.Addr, objects)) }
	return open(), open
}

// moving moves a log to the object store behind each Append.
type moving struct{ *Store }

func (m moving) Append(ctx context.Context, id hosting.DeploymentID, first int64, lines []hosting.LogLine) (int64, error) {
	next, err := m.Store.Append(ctx, id, first, lines)
	if err == nil && next%3 == 0 {
		if archived, err := m.Archive(ctx, id); err != nil || archived < next {
			return archived, fmt.Errorf("moved up to %d of %d: %w", archived, next, err)
		}
	}
	return next, err
}

// alone finds the next number as a job does, by an empty batch, and deletes as if Redis were
// empty and not away.
type alone struct{ *Store }

func (a alone) Next(ctx context.Context, id hosting.DeploymentID) (int64, error) {
	return a.Append(ctx, id, 1, nil)
}

func (a alone) Delete(ctx context.Context, id hosting.DeploymentID) error {
	if l, err := a.of(ctx, id); err != nil {
		return err
	} else {
		return a.deletePieces(ctx, l)
	}
}

func lines(first, last int64) (all []hosting.LogLine) {
	for n := first; n <= last; n++ {
		all = append(all, hosting.LogLine{N: n, At: n, Stream: "out", Text: fmt.Sprint("line ", n)})
	}
	return all
}

// Two processes append by turns: what one has of the end is not taken for all of it.
func TestRead_GoesOnBehindItsOwnLines(t *testing.T) {
	r := newRig(t)
	one, other := r.open(), r.open()
	wantAppend(t, one, 1, 2, 3)
	wantAppend(t, other, 3, 4, 5)
	for _, s := range []*Store{one, other} {
		if got, err := s.Read(t.Context(), id, 0, 10); len(got) != 4 || err != nil {
			t.Errorf("%d lines, %v", len(got), err)
		}
	}
}

func wantAppend(t *testing.T, s *Store, first, last, want int64) {
	t.Helper()
	if next, err := s.Append(t.Context(), id, first, lines(first, last)); next != want || err != nil {
		t.Fatalf("append %d to %d: next %d, %v; want %d", first, last, next, err, want)
	}
}

func wantLines(t *testing.T, s *Store, last int64) {
	t.Helper()
	var got []hosting.LogLine
	for {
		page, err := s.Read(t.Context(), id, int64(len(got)), 500)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	if !slices.Equal(got, lines(1, last)) {
		t.Fatalf("%d lines are there, want %d", len(got), last)
	}
}

func putAs(t *testing.T, objects object.Store, key string, b []byte) {
	t.Helper()
	if err := objects.Put(t.Context(), key, bytes.NewReader(b), object.Check{Size: int64(len(b))}); err != nil {
		t.Fatal(err)
	}
}
