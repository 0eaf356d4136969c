package state_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/state"
)

func lock(t *testing.T, db state.DB, name string) *state.Lock {
	t.Helper()
	l, err := db.Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func unlock(t *testing.T, l *state.Lock) {
	t.Helper()
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func lockRows(t *testing.T, db state.DB) (n int) {
	t.Helper()
	view(t, db, func(tx state.Tx) error {
		rows, err := tx.Scan([]byte("s\x00lease\x00lock/"), nil, 100)
		n = len(rows)
		return err
	})
	return n
}

func TestLock_OneAtATimeAndNoneForTwoNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		var all sync.WaitGroup
		var now, turns atomic.Int64
		for range 5 {
			all.Go(func() {
				l, err := db.Lock(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				if now.Add(1) > 1 {
					t.Error("two have the lock")
				}
				time.Sleep(40 * time.Second) // longer than a holder without sign of life keeps it
				now.Add(-1)
				turns.Add(1)
				unlock(t, l)
			})
		}
		synctest.Wait()
		began := time.Now()
		b := lock(t, db, "b")
		if d := time.Since(began); d != 0 {
			t.Errorf("another name was waited for %v", d)
		}
		if n := lockRows(t, db); n != 2 {
			t.Errorf("%d rows for two locks", n)
		}
		unlock(t, b)
		all.Wait()
		if n := lockRows(t, db); n != 0 {
			t.Errorf("%d rows stay behind", n)
		}
		if d := time.Since(began); turns.Load() != 5 || d > 205*time.Second {
			t.Errorf("%d of 5 had their turn of 40 s within %v", turns.Load(), d)
		}
	})
}

func TestLock_OfADeadHolderIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		dying := &unsteady{Store: db.Store}
		dead := lock(t, state.DB{Store: dying}, "a")
		live := lock(t, db, "b")
		dying.down.Store(true)
		if err := dead.Unlock(t.Context()); !errors.Is(err, errTest) {
			t.Errorf("a lock that cannot be given back: %v", err)
		}

		began := time.Now()
		taken := lock(t, db, "a")
		if d := time.Since(began); d < 14*time.Second || d > 21*time.Second {
			t.Errorf("it was taken over after %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := db.Lock(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within an hour, the lock of who lives: %v", err)
		}
		unlock(t, live)
		unlock(t, taken)
		dying.down.Store(false)
		if err := dead.Unlock(t.Context()); err == nil {
			t.Error("who lost its lock gives it back")
		}
	})
}

func TestLock_FailsWithTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		cut := &unsteady{Store: db.Store}
		cut.down.Store(true)
		if _, err := (state.DB{Store: cut}).Lock(t.Context(), "a"); !errors.Is(err, errTest) {
			t.Errorf("without a store: %v", err)
		}
		cut.down.Store(false)
		unlock(t, lock(t, state.DB{Store: cut}, "a"))
	})
}
