package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/bell/belltest"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestBell_KeepsTheContract(t *testing.T) {
	belltest.Run(t, func(*testing.T) bell.Bell { return New() })
}

func TestBell_KeepsNothingOfTopicsWithoutListeners(t *testing.T) {
	b := New()
	for i := range 100 {
		topic := bell.Topic(fmt.Sprint(i))
		if err := b.Announce(t.Context(), topic, hosting.Mark{Seq: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.topics); n != 0 {
		t.Fatalf("%d topics are kept that nobody ever listened to", n)
	}
	one, two := b.Listen(bell.Routes), b.Listen(bell.Routes)
	one.Close()
	one.Close() // counts once
	if n := len(b.topics); n != 1 {
		t.Errorf("%d topics are kept with one listener left, want 1", n)
	}
	two.Close()
	if n := len(b.topics); n != 0 {
		t.Errorf("%d topics are kept without a listener", n)
	}
}

func TestBell_ForgetsAnOldListenersTopicWhenItIsListenedToAnew(t *testing.T) {
	b := New()
	old := b.Listen(bell.Routes)
	old.Close()
	fresh := b.Listen(bell.Routes)
	old.Close()
	if err := b.Announce(t.Context(), bell.Routes, hosting.Mark{Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if m, err := fresh.Await(t.Context(), hosting.Mark{}); err != nil || m.Seq != 1 {
		t.Errorf("%v, %v", m, err)
	}
	fresh.Close()
}

// The bubble fails where a goroutine is left, or where waiters sleep that should be awake.
func TestAwait_SleepsUntilNewsAndLeavesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New()
		l := b.Listen(bell.Queue)
		var mu sync.Mutex
		returned := 0
		var waiters sync.WaitGroup
		for range 50 {
			waiters.Go(func() {
				_, err := l.Await(t.Context(), hosting.Mark{Seq: 3})
				mu.Lock()
				defer mu.Unlock()
				returned++
				if err != nil {
					t.Error(err)
				}
			})
		}
		count := func() int { mu.Lock(); defer mu.Unlock(); return returned }
		for seq := range uint64(4) {
			if err := b.Announce(t.Context(), bell.Queue, hosting.Mark{Seq: seq}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := count(); n != 0 {
				t.Fatalf("%d waiters woke at %d, which is not greater than 3", n, seq)
			}
		}
		if err := b.Announce(t.Context(), bell.Queue, hosting.Mark{Seq: 4}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := count(); n != 50 {
			t.Errorf("%d of 50 waiters woke", n)
		}
		waiters.Wait()
		l.Close()
	})
}

func TestAwait_ReturnsAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New().Listen(bell.Routes)
		defer l.Close()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.Await(ctx, hosting.Mark{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("returned after %v, want a minute", took)
		}
	})
}
