package state_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/state"
)

// unsteady is a store whose Updates fail while it is set to.
type unsteady struct {
	state.Store
	down atomic.Bool
}

func (u *unsteady) Update(ctx context.Context, fn func(state.Tx) error) error {
	if u.down.Load() {
		return errTest
	}
	return u.Store.Update(ctx, fn)
}

// holders counts who holds one lease, and fails the test when there are two.
type holders struct {
	t     *testing.T
	now   atomic.Int64
	turns sync.Map // name -> *atomic.Int64
}

func (h *holders) hold(ctx context.Context, db state.DB, name string) {
	_ = db.Hold(ctx, "feed", name, func(ctx context.Context) {
		if h.now.Add(1) > 1 {
			h.t.Error("two hold the lease")
		}
		defer h.now.Add(-1)
		turns, _ := h.turns.LoadOrStore(name, new(atomic.Int64))
		turns.(*atomic.Int64).Add(1)
		<-ctx.Done()
	})
}

func (h *holders) had(name string) int64 {
	turns, _ := h.turns.LoadOrStore(name, new(atomic.Int64))
	return turns.(*atomic.Int64).Load()
}

func TestHold_OneAtATimeAndTheNextWhenItIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, h := openDB(t), &holders{t: t}
		ctx, cancel := context.WithCancel(t.Context())
		first, leave := context.WithCancel(ctx)
		var all sync.WaitGroup
		all.Go(func() { h.hold(first, db, "a") })
		synctest.Wait()
		all.Go(func() { h.hold(ctx, db, "b") })
		all.Go(func() { h.hold(ctx, db, "c") })
		time.Sleep(time.Hour)
		if h.had("a") != 1 || h.had("b")+h.had("c") != 0 {
			t.Errorf("within an hour a had it %d times, b %d, c %d: want a alone, once", h.had("a"), h.had("b"), h.had("c"))
		}
		leave()
		time.Sleep(6 * time.Second) // a beat
		if h.had("b")+h.had("c") != 1 {
			t.Error("nobody has it 6 seconds after it was given back")
		}
		cancel()
		all.Wait()
	})
}

func TestHold_AHolderThatDiesIsFollowedByItselfAtOnceAndByOthersLater(t *testing.T) {
	for name, wait := range map[string]struct{ before, after time.Duration }{
		"dead":  {0, time.Millisecond},
		"other": {14 * time.Second, 21 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			db, h := openDB(t), &holders{t: t}
			dying := &unsteady{Store: db.Store}
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			all.Go(func() {
				_ = state.DB{Store: dying}.Hold(ctx, "feed", "dead", func(ctx context.Context) { <-ctx.Done() })
			})
			synctest.Wait()
			dying.down.Store(true) // so that it gives nothing back
			cancel()
			all.Wait()

			ctx, cancel = context.WithCancel(t.Context())
			all.Go(func() { h.hold(ctx, db, name) })
			time.Sleep(wait.before)
			if wait.before > 0 && h.had(name) != 0 {
				t.Errorf("%s has it after %v", name, wait.before)
			}
			time.Sleep(wait.after - wait.before)
			if h.had(name) != 1 {
				t.Errorf("%s does not have it after %v", name, wait.after)
			}
			cancel()
			all.Wait()
		})
	}
}

// Who cannot show that it lives stops before others may begin.
func TestHold_EndsBeforeOthersBeginWhenTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, h := openDB(t), &holders{t: t}
		cut := &unsteady{Store: db.Store}
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { h.hold(ctx, state.DB{Store: cut}, "a") })
		synctest.Wait()
		all.Go(func() { h.hold(ctx, db, "b") })
		time.Sleep(time.Minute)
		cut.down.Store(true)
		time.Sleep(time.Minute)
		if h.had("b") != 1 {
			t.Errorf("b had it %d times within a minute in which a was cut off", h.had("b"))
		}
		cut.down.Store(false)
		time.Sleep(time.Hour)
		if h.had("a") != 1 {
			t.Error("a took it from b")
		}
		cancel()
		all.Wait()
	})
}
