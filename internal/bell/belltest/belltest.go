// Package belltest is the contract of bell.Bell as a suite that runs over every
// implementation.
package belltest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Run runs the suite. open returns a bell that nobody uses yet and ends it with the test.
func Run(t *testing.T, open func(t *testing.T) bell.Bell) {
	for name, test := range map[string]func(*testing.T, bell.Bell){
		"Await returns what was announced since Listen": testSinceListen,
		"Await returns what is announced later":         testLater,
		"Lower and equal marks wake nobody":             testLowerMarks,
		"A greater epoch is greater":                    testEpochs,
		"Topics do not wake each other":                 testTopics,
		"Every listener is woken":                       testManyListeners,
		"Close wakes who waits":                         testClose,
		"Close leaves other listeners alone":            testCloseOne,
		"Await ends with its context":                   testContext,
		"Nothing is missed under load":                  testLoad,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// patience is how long a mark may be on its way before the suite calls it lost.
const patience = 10 * time.Second

func mark(epoch, seq uint64) hosting.Mark { return hosting.Mark{Epoch: epoch, Seq: seq} }

func announce(t *testing.T, b bell.Bell, topic bell.Topic, m hosting.Mark) {
	t.Helper()
	if err := b.Announce(t.Context(), topic, m); err != nil {
		t.Fatalf("announce %v: %v", m, err)
	}
}

func listen(t *testing.T, b bell.Bell, topic bell.Topic) bell.Listener {
	l := b.Listen(topic)
	t.Cleanup(l.Close)
	return l
}

func wantMark(t *testing.T, l bell.Listener, after, want hosting.Mark) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if got, err := l.Await(ctx, after); err != nil || got != want {
		t.Errorf("await after %v: %v, %v; want %v", after, got, err, want)
	}
}

// wantQuiet fails where news comes. Within synctest its wait costs no time.
func wantQuiet(t *testing.T, l bell.Listener, after hosting.Mark) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got, err := l.Await(ctx, after); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("await after %v: %v, %v; want nothing", after, got, err)
	}
}

func testSinceListen(t *testing.T, b bell.Bell) {
	l := listen(t, b, bell.Routes)
	wantQuiet(t, l, hosting.Mark{})
	announce(t, b, bell.Routes, mark(1, 1))
	announce(t, b, bell.Routes, mark(1, 2))
	wantMark(t, l, hosting.Mark{}, mark(1, 2))
	wantMark(t, l, mark(1, 1), mark(1, 2))
	wantQuiet(t, l, mark(1, 2))
}

func testLater(t *testing.T, b bell.Bell) {
	l := listen(t, b, bell.Queue)
	announce(t, b, bell.Queue, mark(0, 1))
	got := make(chan hosting.Mark)
	go func() {
		defer close(got)
		if m, err := l.Await(t.Context(), mark(0, 1)); err == nil {
			got <- m
		}
	}()
	announce(t, b, bell.Queue, mark(0, 2))
	if m := <-got; m != mark(0, 2) {
		t.Errorf("got %v", m)
	}
}

func testLowerMarks(t *testing.T, b bell.Bell) {
	l := listen(t, b, bell.Routes)
	announce(t, b, bell.Routes, mark(2, 5))
	wantMark(t, l, mark(2, 4), mark(2, 5))
	for _, m := range []hosting.Mark{mark(2, 5), mark(2, 4), mark(1, 100), {}} {
		announce(t, b, bell.Routes, m)
		wantQuiet(t, l, mark(2, 5))
	}
	wantMark(t, l, mark(1, 200), mark(2, 5))
}

func testEpochs(t *testing.T, b bell.Bell) {
	l := listen(t, b, bell.Routes)
	announce(t, b, bell.Routes, mark(1, 1_000_000))
	announce(t, b, bell.Routes, mark(2, 1))
	wantMark(t, l, mark(1, 1_000_000), mark(2, 1))
	announce(t, b, bell.Routes, mark(1, 2_000_000))
	wantMark(t, l, mark(1, 1), mark(2, 1))
}

func testTopics(t *testing.T, b bell.Bell) {
	const one, two = hosting.DeploymentID("dpl_aaaa"), hosting.DeploymentID("dpl_aaab")
	logOne, logTwo, stateOne := listen(t, b, bell.Log(one)), listen(t, b, bell.Log(two)), listen(t, b, bell.Deployment(one))
	announce(t, b, bell.Log(one), mark(0, 7))
	wantMark(t, logOne, hosting.Mark{}, mark(0, 7))
	wantQuiet(t, logTwo, hosting.Mark{})
	wantQuiet(t, stateOne, hosting.Mark{})
}

func testManyListeners(t *testing.T, b bell.Bell) {
	var woken sync.WaitGroup
	for range 100 {
		l := listen(t, b, bell.Routes)
		woken.Go(func() { wantMark(t, l, mark(1, 1), mark(1, 2)) })
	}
	announce(t, b, bell.Routes, mark(1, 1))
	announce(t, b, bell.Routes, mark(1, 2))
	woken.Wait()
}

func testClose(t *testing.T, b bell.Bell) {
	l := listen(t, b, bell.Routes)
	announce(t, b, bell.Routes, mark(1, 1))
	var woken sync.WaitGroup
	for range 10 {
		woken.Go(func() {
			if m, err := l.Await(t.Context(), mark(1, 1)); !errors.Is(err, bell.ErrClosed) {
				t.Errorf("await: %v, %v; want %v", m, err, bell.ErrClosed)
			}
		})
	}
	for range 3 {
		woken.Go(l.Close)
	}
	woken.Wait()
	if _, err := l.Await(t.Context(), hosting.Mark{}); !errors.Is(err, bell.ErrClosed) {
		t.Errorf("await after close: %v, want %v", err, bell.ErrClosed)
	}
	announce(t, b, bell.Routes, mark(1, 2))
}

func testCloseOne(t *testing.T, b bell.Bell) {
	closed, open := listen(t, b, bell.Routes), listen(t, b, bell.Routes)
	closed.Close()
	closed.Close()
	announce(t, b, bell.Routes, mark(1, 1))
	wantMark(t, open, hosting.Mark{}, mark(1, 1))
	wantMark(t, open, hosting.Mark{}, mark(1, 1))
}

func testContext(t *testing.T, b bell.Bell) {
	l := listen(t, b, bell.Routes)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := l.Await(ctx, hosting.Mark{})
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("await: %v, want %v", err, context.Canceled)
	}
	announce(t, b, bell.Routes, mark(1, 1))
	wantMark(t, l, hosting.Mark{}, mark(1, 1)) // the listener goes on
}

// testLoad follows a number as every user of a bell does: listen, read, await, read.
func testLoad(t *testing.T, b bell.Bell) {
	const last = 2000
	var mu sync.Mutex
	var stored uint64
	read := func() uint64 { mu.Lock(); defer mu.Unlock(); return stored }
	var followers sync.WaitGroup
	for range 8 {
		followers.Go(func() {
			l := b.Listen(bell.Queue)
			defer l.Close()
			for n := read(); n < last; n = read() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				_, err := l.Await(ctx, mark(0, n))
				cancel()
				if err != nil {
					t.Errorf("at %d of %d: %v", n, last, err)
					return
				}
			}
		})
	}
	for range last {
		mu.Lock()
		stored++
		n := stored
		mu.Unlock()
		announce(t, b, bell.Queue, mark(0, n))
	}
	followers.Wait()
}
