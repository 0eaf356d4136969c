package objecttest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

func folder(t *testing.T) object.Store {
	t.Helper()
	s, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(t *testing.T, s object.Store, key, body string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(body), object.Check{Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
}

func get(ctx context.Context, s object.Store, key string) (string, object.Info, error) {
	r, info, err := s.Get(ctx, key)
	if err != nil {
		return "", info, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), info, err
}

func TestFaulty_WithoutFaultsKeepsTheContract(t *testing.T) {
	objecttest.Run(t, func(t *testing.T) object.Store { return objecttest.NewFaulty(folder(t), objecttest.Faults{}) })
}

func TestFaulty_TellsItsShareOfLies(t *testing.T) {
	const n = 2000
	f := objecttest.NewFaulty(folder(t), objecttest.Faults{Seed: 1, Fail: 0.1, Short: 0.1, Long: 0.2, Wrong: 0.05, Stale: 0.15})
	f.Set(objecttest.Faults{})
	old, now := strings.Repeat("old ", 100), strings.Repeat("now!", 200)
	put(t, f, "key", old)
	put(t, f, "key", now)
	f.Set(objecttest.Faults{Seed: 1, Fail: 0.1, Short: 0.1, Long: 0.2, Wrong: 0.05, Stale: 0.15})
	var seen objecttest.Calls
	for range n {
		b, info, err := get(t.Context(), f, "key")
		switch {
		case hosting.Is(err, hosting.CodeUnavailable):
			seen.Failed++
		case err != nil:
			t.Fatal(err)
		case b == old && info.Size == int64(len(old)):
			seen.Stale++
		case info.Size != int64(len(now)):
			t.Fatalf("%d bytes, said to be %d", len(b), info.Size)
		case len(b) < len(now) && strings.HasPrefix(now, b):
			seen.Short++
		case len(b) > len(now) && strings.HasPrefix(b, now):
			seen.Long++
		case b != now && len(b) == len(now):
			seen.Wrong++
		case b != now:
			t.Fatalf("a lie of no kind: %q", b)
		}
	}
	seen.Get, seen.Put = n, 2
	if got := f.Calls(); got != seen {
		t.Errorf("it counts %+v, seen were %+v", got, seen)
	}
	for name, c := range map[string][2]int{
		"failed": {seen.Failed, n / 10}, "short": {seen.Short, n * 9 / 100}, "long": {seen.Long, n * 18 / 100},
		"wrong": {seen.Wrong, n * 9 / 200}, "stale": {seen.Stale, n * 27 / 200},
	} {
		if got, want := c[0], c[1]; got < want*3/4 || got > want*4/3 {
			t.Errorf("%s: %d of %d, want about %d", name, got, n, want)
		}
	}
	if f.Calls().Lies() != seen.Short+seen.Long+seen.Wrong+seen.Stale || f.Calls().Total() != n+2 {
		t.Errorf("%d lies in %d calls", f.Calls().Lies(), f.Calls().Total())
	}
}

func TestFaulty_CountsNoLieThatCannotBeTold(t *testing.T) {
	f := objecttest.NewFaulty(folder(t), objecttest.Faults{Short: 1})
	put(t, f, "empty", "")
	put(t, f, "once", "body")
	for _, faults := range []objecttest.Faults{{Short: 1}, {Wrong: 1}, {Stale: 1}} {
		f.Set(faults)
		if b, _, err := get(t.Context(), f, "empty"); b != "" || err != nil {
			t.Errorf("%+v: %q, %v", faults, b, err)
		}
	}
	if b, _, err := get(t.Context(), f, "once"); b != "body" || err != nil {
		t.Errorf("stale without an older body: %q, %v", b, err)
	}
	if n := f.Calls().Lies(); n != 0 {
		t.Errorf("%d lies", n)
	}
}

// history is what the calls of some keys answered, each key in a goroutine of its own.
func history(t *testing.T, seed uint64) string {
	t.Helper()
	f := objecttest.NewFaulty(folder(t), objecttest.Faults{})
	keys := []string{"a", "b", "c", "d"}
	for _, key := range keys {
		put(t, f, key, "old "+key)
		put(t, f, key, "now "+key)
	}
	f.Set(objecttest.Faults{Seed: seed, Fail: 0.2, Lose: 0.2, Short: 0.2, Long: 0.2, Wrong: 0.2, Stale: 0.2})
	told := make([]strings.Builder, len(keys))
	var workers sync.WaitGroup
	for i, key := range keys {
		workers.Go(func() {
			for range 50 {
				b, info, err := get(t.Context(), f, key)
				fmt.Fprintf(&told[i], "%q %d %v\n", b, info.Size, err)
				_, err = f.Stat(t.Context(), key)
				fmt.Fprintf(&told[i], "%v\n", err)
				fmt.Fprintf(&told[i], "%v\n", f.Delete(t.Context(), "none/"+key))
			}
		})
	}
	workers.Wait()
	var all bytes.Buffer
	for i := range told {
		all.WriteString(told[i].String())
	}
	fmt.Fprintf(&all, "%+v", f.Calls())
	return all.String()
}

func TestFaulty_RepeatsItselfBySeedUnderConcurrency(t *testing.T) {
	first := history(t, 7)
	for range 5 {
		if again := history(t, 7); again != first {
			t.Fatalf("the same seed gave\n%s\nand then\n%s", first, again)
		}
	}
	if history(t, 8) == first {
		t.Error("another seed gave the same")
	}
}

func TestFaulty_FailsBeforeOrAfterTheWork(t *testing.T) {
	below := folder(t)
	f := objecttest.NewFaulty(below, objecttest.Faults{Fail: 1})
	ctx := t.Context()
	body := func() io.Reader { return strings.NewReader("x") }
	_, _, getErr := f.Get(ctx, "key")
	_, statErr := f.Stat(ctx, "key")
	_, listErr := f.List(ctx, "", "", 1)
	for i, err := range []error{f.Put(ctx, "key", body(), object.Check{Size: 1}), f.Delete(ctx, "key"), f.Flush(ctx), getErr, statErr, listErr} {
		if !hosting.Is(err, hosting.CodeUnavailable) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if _, err := below.Stat(ctx, "key"); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("a Put that failed was done: %v", err)
	}
	f.Set(objecttest.Faults{Lose: 1})
	if err := f.Put(ctx, "key", body(), object.Check{Size: 1}); !hosting.Is(err, hosting.CodeUnavailable) {
		t.Error(err)
	}
	if _, err := below.Stat(ctx, "key"); err != nil {
		t.Errorf("a Put that was lost was not done: %v", err)
	}
	if err := f.Delete(ctx, "key"); !hosting.Is(err, hosting.CodeUnavailable) {
		t.Error(err)
	}
	if _, err := below.Stat(ctx, "key"); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("a Delete that was lost was not done: %v", err)
	}
	if c := f.Calls(); c.Failed != 6 || c.Lost != 2 || c.Total() != 8 {
		t.Errorf("%+v", c)
	}
}

func TestFaulty_DelaysUpToItsDelayAndEndsWithTheContext(t *testing.T) {
	below := folder(t)
	put(t, below, "key", "x")
	synctest.Test(t, func(t *testing.T) {
		f := objecttest.NewFaulty(below, objecttest.Faults{Delay: time.Second})
		var sum time.Duration
		for range 100 {
			began := time.Now()
			if _, err := f.Stat(t.Context(), "key"); err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			if took > time.Second {
				t.Fatalf("a call took %v", took)
			}
			sum += took
		}
		if sum < 40*time.Second || sum > 60*time.Second {
			t.Errorf("100 calls took %v, want about 50 s", sum)
		}
		f.Set(objecttest.Faults{Delay: 1000 * time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Stat(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
