package statetest

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

var errTest = errors.New("the test's own error")

func absentKey(t *testing.T, open Open) {
	s := opened(t, open)
	wantAbsent(t, s, "never put")
	view(t, s, func(tx state.Tx) error {
		for _, key := range [][]byte{nil, {}, make([]byte, state.MaxKey+1)} {
			if b, err := tx.Get(key); b != nil || err != nil {
				t.Errorf("a key that cannot be stored, of %d bytes: %v, %v", len(key), b, err)
			}
		}
		return nil
	})
}

func putAndGet(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx state.Tx) error {
		return errors.Join(tx.Put([]byte("a"), []byte("1")), tx.Put([]byte("\x00\xff"), []byte{0, 255}),
			tx.Put([]byte("empty"), []byte{}), tx.Put([]byte("nil"), nil))
	})
	wantValue(t, s, "a", "1")
	wantValue(t, s, "\x00\xff", "\x00\xff")
	wantValue(t, s, "empty", "")
	wantValue(t, s, "nil", "")
	update(t, s, func(tx state.Tx) error { return tx.Put([]byte("a"), []byte("2")) })
	wantValue(t, s, "a", "2")
}

func putCopies(t *testing.T, open Open) {
	s := opened(t, open)
	update(t, s, func(tx state.Tx) error {
		key, value := []byte("key"), []byte("value")
		err := tx.Put(key, value)
		copy(key, "xxx")
		copy(value, "xxxxx")
		return err
	})
	wantValue(t, s, "key", "value")
	wantAbsent(t, s, "xxx")
}

func deletion(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "a", "ab", "b")
	for range 2 {
		update(t, s, func(tx state.Tx) error { return tx.Delete([]byte("a")) })
		wantAbsent(t, s, "a")
	}
	wantValue(t, s, "ab", "ab")
	wantValue(t, s, "b", "b")
}

func ownWrites(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "old")
	update(t, s, func(tx state.Tx) error {
		if err := errors.Join(tx.Put([]byte("new"), nil), tx.Delete([]byte("old"))); err != nil {
			return err
		}
		fresh, err := tx.Get([]byte("new"))
		gone, err2 := tx.Get([]byte("old"))
		if fresh == nil || gone != nil {
			t.Errorf("in its Update the new key has %v, the deleted one %v", fresh, gone)
		}
		return errors.Join(err, err2)
	})
}

func failedUpdate(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "kept")
	err := s.Update(t.Context(), func(tx state.Tx) error {
		return errors.Join(tx.Put([]byte("new"), nil), tx.Put([]byte("kept"), []byte("other")), tx.Delete([]byte("kept")), errTest)
	})
	if !errors.Is(err, errTest) {
		t.Errorf("the function's error came back as %v", err)
	}
	wantValue(t, s, "kept", "kept")
	wantAbsent(t, s, "new")
}

func panickingUpdate(t *testing.T, open Open) {
	s := opened(t, open)
	func() {
		defer func() {
			if p := recover(); p != "the test's panic" {
				t.Errorf("the panic came out as %v", p)
			}
		}()
		_ = s.Update(t.Context(), func(tx state.Tx) error {
			if err := tx.Put([]byte("new"), nil); err != nil {
				return err
			}
			panic("the test's panic")
		})
	}()
	wantAbsent(t, s, "new")
	putAll(t, s, "later") // and it holds no lock
	wantValue(t, s, "later", "later")
}

func isolation(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "a", "b")
	view(t, s, func(tx state.Tx) error {
		before, err := tx.Get([]byte("a"))
		if err != nil {
			return err
		}
		// From another goroutine: a transaction belongs to the one that made it.
		var others sync.WaitGroup
		others.Go(func() {
			err := s.Update(t.Context(), func(tx state.Tx) error {
				return errors.Join(tx.Put([]byte("a"), []byte("changed")), tx.Put([]byte("c"), nil), tx.Delete([]byte("b")))
			})
			if err != nil {
				t.Errorf("update beside the View: %v", err)
			}
		})
		others.Wait()
		pairs, err := tx.Scan(nil, nil, 10)
		if string(before) != "a" || len(pairs) != 2 || string(pairs[0].Value) != "a" || string(pairs[1].Key) != "b" {
			t.Errorf("the View sees %q and %q", before, pairs)
		}
		return err
	})
	wantValue(t, s, "a", "changed")
	wantAbsent(t, s, "b")
}

func readOnly(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "a")
	view(t, s, func(tx state.Tx) error {
		if err := tx.Put([]byte("b"), nil); err == nil {
			t.Error("a View has put")
		}
		if err := tx.Delete([]byte("a")); err == nil {
			t.Error("a View has deleted")
		}
		return nil
	})
	wantValue(t, s, "a", "a")
	wantAbsent(t, s, "b")
}

func viewError(t *testing.T, open Open) {
	s := opened(t, open)
	if err := s.View(t.Context(), func(state.Tx) error { return errTest }); !errors.Is(err, errTest) {
		t.Errorf("the function's error came back as %v", err)
	}
}

func limits(t *testing.T, open Open) {
	s := opened(t, open)
	longest, largest := bytes.Repeat([]byte("k"), state.MaxKey), make([]byte, state.MaxValue)
	update(t, s, func(tx state.Tx) error { return tx.Put(longest, largest) })
	if v, _ := get(t, s, string(longest)); len(v) != state.MaxValue {
		t.Errorf("the largest value came back with %d bytes", len(v))
	}
	for name, pair := range map[string]state.Pair{
		"no key":              {Key: nil},
		"an empty key":        {Key: []byte{}},
		"a key too long":      {Key: append(longest, 'k')},
		"a value too large":   {Key: []byte("k"), Value: append(largest, 0)},
		"both over the limit": {Key: append(longest, 'k'), Value: append(largest, 0)},
	} {
		err := s.Update(t.Context(), func(tx state.Tx) error { return tx.Put(pair.Key, pair.Value) })
		if !hosting.Is(err, hosting.CodeTooLarge) {
			t.Errorf("%s: got %v, want a %s", name, err, hosting.CodeTooLarge)
		}
	}
}

func serial(t *testing.T, open Open) {
	const writers, each = 8, 10
	s := opened(t, open)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				if err := s.Update(t.Context(), increment); err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	all.Wait()
	wantValue(t, s, "counter", strconv.Itoa(writers*each))
}

func increment(tx state.Tx) error {
	b, err := tx.Get([]byte("counter"))
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(string(b)) // none is 0
	return tx.Put([]byte("counter"), []byte(strconv.Itoa(n+1)))
}

func endedContext(t *testing.T, open Open) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	run := func(state.Tx) error {
		t.Error("the function was run")
		return nil
	}
	if err := s.View(ctx, run); !errors.Is(err, context.Canceled) {
		t.Errorf("View: %v", err)
	}
	if err := s.Update(ctx, run); !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v", err)
	}
	waitingUpdate(t, s, run)
}

// waitingUpdate has an Update wait behind another one while its context ends.
func waitingUpdate(t *testing.T, s state.Store, run func(state.Tx) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	update(t, s, func(state.Tx) error {
		go func() { result <- s.Update(ctx, run) }()
		cancel()
		return nil
	})
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("an Update that waited: %v", err)
	}
}

func reopening(t *testing.T, open Open) {
	dir := t.TempDir()
	for round := range 3 {
		s := open(t, dir)
		for earlier := range round {
			wantValue(t, s, strconv.Itoa(earlier), strconv.Itoa(earlier))
		}
		putAll(t, s, strconv.Itoa(round))
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

func closedStore(t *testing.T, open Open) {
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	run := func(state.Tx) error {
		t.Error("the function was run")
		return nil
	}
	for name, err := range map[string]error{"View": s.View(t.Context(), run), "Update": s.Update(t.Context(), run)} {
		if !hosting.Is(err, hosting.CodeUnavailable) {
			t.Errorf("%s of a closed store: %v", name, err)
		}
	}
}
