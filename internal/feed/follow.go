package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/seal"
)

// FollowerConfig is what a Follower is made of.
type FollowerConfig struct {
	Objects object.Store
	Keys    []seal.Key // the edges' key, and during a rotation the one before it
	Dir     string     // where snapshots are unpacked
	Log     *slog.Logger
}

// gets is how many changes are read at once.
const gets = 16

// Follower reads the feed. It is a routes.Source, which polls by its questions: each Changes
// that finds nothing reads the head once. It is safe for concurrent use.
type Follower struct {
	FollowerConfig
	mu   sync.Mutex // guards what follows
	head head       // the greatest that was seen
}

// NewFollower returns a Follower.
func NewFollower(c FollowerConfig) *Follower { return &Follower{FollowerConfig: c} }

// Head returns the greatest mark that is published, and asks for it.
func (f *Follower) Head(ctx context.Context) (hosting.Mark, error) {
	h, err := f.newest(ctx)
	return h.Mark, err
}

// newest reads the head, and returns the greatest one that was ever read. Nothing published
// yet is the zero head.
func (f *Follower) newest(ctx context.Context) (head, error) {
	h, err := readHead(ctx, f.Objects, f.Keys)
	if err != nil && !hosting.Is(err, hosting.CodeNotFound) {
		return head{}, fmt.Errorf("read the feed: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// Of two heads at one mark, the one that was read last may name a newer snapshot.
	if h.Compare(f.head.Mark) >= 0 {
		f.head = h
	}
	return f.head, nil
}

// known returns the greatest head that was read so far.
func (f *Follower) known() head {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// Changes returns up to limit changes after the mark, in order. complete is false when the
// feed no longer has them all, or is of a newer epoch: then a Snapshot is needed. An older
// epoch, and a smaller number, tell nothing.
func (f *Follower) Changes(ctx context.Context, after hosting.Mark, limit int) (changes []hosting.Change, complete bool, err error) {
	h := f.known()
	if h.Compare(after) <= 0 {
		if h, err = f.newest(ctx); err != nil {
			return nil, false, err
		}
	}
	if h.Compare(after) <= 0 {
		return nil, true, nil
	}
	if h.Epoch != after.Epoch {
		return nil, false, nil
	}
	changes, err = f.get(ctx, after, min(h.Seq-after.Seq, uint64(limit)))
	if err == nil {
		return changes, true, nil
	}
	if hosting.Is(err, hosting.CodeNotFound) || damaged(err) {
		// A snapshot may have taken their place meanwhile, or lead past what is damaged.
		if h, newer := f.newest(ctx); newer == nil && h.Snapshot.Compare(after) > 0 {
			return nil, false, nil
		}
	}
	return nil, false, fmt.Errorf("read the feed: %w", err)
}

// get reads up to n changes after the mark, and as many of them as can be read.
func (f *Follower) get(ctx context.Context, after hosting.Mark, n uint64) ([]hosting.Change, error) {
	changes := make([]hosting.Change, n)
	got, err := inOrder(len(changes), gets, func(i int) (err error) {
		changes[i], err = f.change(ctx, hosting.Mark{Epoch: after.Epoch, Seq: after.Seq + 1 + uint64(i)})
		return err
	})
	return changes[:got], err
}

// inOrder calls fn for 0 to n-1, some at once, and returns how many of the first succeeded, and
// why not one of them did. Over a store that fails now and then, all of many never would.
func inOrder(n, atOnce int, fn func(i int) error) (done int, err error) {
	errs := make([]error, n)
	var failed atomic.Bool
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range n {
		if failed.Load() {
			errs[i] = errSkipped // nothing after a failure counts
			continue
		}
		g.Go(func() error {
			if errs[i] = fn(i); errs[i] != nil {
				failed.Store(true)
			}
			return nil
		})
	}
	_ = g.Wait() // in errs
	for done < n && errs[done] == nil {
		done++
	}
	if done == 0 && n > 0 {
		err = errs[0]
	}
	return done, err
}

var errSkipped = errors.New("skipped")

func (f *Follower) change(ctx context.Context, m hosting.Mark) (hosting.Change, error) {
	name := changeKey(m)
	payload, err := read(ctx, f.Objects, f.Keys, name, maxChange)
	if err != nil {
		return hosting.Change{}, err
	}
	c, err := decode(payload, f.Log)
	if err == nil && c.Mark != m {
		err = fmt.Errorf("%w: %s is of %v", errDamaged, name, c.Mark)
	}
	return c, err
}

// Snapshot calls fn with all records of the newest snapshot, in pieces, and returns the mark
// at which they were true.
func (f *Follower) Snapshot(ctx context.Context, fn func(hosting.Change) error) (hosting.Mark, error) {
	h, err := f.newest(ctx)
	if err != nil {
		return hosting.Mark{}, err
	}
	if h.Snapshot.Mark == (hosting.Mark{}) {
		return hosting.Mark{}, fmt.Errorf("read the feed: %w", hosting.Errorf(hosting.CodeNotFound, "it has no snapshot yet"))
	}
	if err := unpack(ctx, f.Objects, h.Snapshot, f.Dir, f.Log, fn); err != nil {
		return hosting.Mark{}, fmt.Errorf("read the feed: %w", err)
	}
	return h.Snapshot.Mark, nil
}

// damaged reports whether what was read is not what a publisher with our key wrote.
func damaged(err error) bool { return errors.Is(err, errDamaged) }
