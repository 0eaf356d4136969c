package statetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/state"
)

// span is what a Scan is asked for; after "" is nil.
type span struct {
	prefix, after string
	limit         int
}

func (w span) scan(tx state.Tx) ([]state.Pair, error) {
	from := []byte(nil)
	if w.after != "" {
		from = []byte(w.after)
	}
	return tx.Scan([]byte(w.prefix), from, w.limit)
}

// scan returns the keys that a Scan finds.
func scan(t *testing.T, s state.Store, what span) (keys []string) {
	t.Helper()
	view(t, s, func(tx state.Tx) (err error) {
		keys, err = scanIn(tx, what)
		return err
	})
	return keys
}

func scanIn(tx state.Tx, what span) (keys []string, err error) {
	pairs, err := what.scan(tx)
	for _, p := range pairs {
		keys = append(keys, string(p.Key))
	}
	return keys, err
}

func wantKeys(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func scanOrder(t *testing.T, open Open) {
	s := opened(t, open)
	wantKeys(t, scan(t, s, span{"", "", 10}))
	putAll(t, s, "b", "a\xff", "a", "\x00", "a\x00", "\xff", "B", "ab", "\xff\xff", "é")
	wantKeys(t, scan(t, s, span{"", "", 100}), "\x00", "B", "a", "a\x00", "ab", "a\xff", "b", "é", "\xff", "\xff\xff")
}

func scanPrefix(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "a", "a\x00", "ab", "abc", "ac", "b", "\xff", "\xff\xff", "\xff\xffx")
	wantKeys(t, scan(t, s, span{"ab", "", 10}), "ab", "abc")
	wantKeys(t, scan(t, s, span{"a", "", 10}), "a", "a\x00", "ab", "abc", "ac")
	wantKeys(t, scan(t, s, span{"aa", "", 10}))
	wantKeys(t, scan(t, s, span{"c", "", 10}))
	// There is no greater string of this length: where a range would end is not its successor.
	wantKeys(t, scan(t, s, span{"\xff\xff", "", 10}), "\xff\xff", "\xff\xffx")
}

func scanAfter(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "a", "b1", "b2", "b3", "c")
	wantKeys(t, scan(t, s, span{"b", "b1", 10}), "b2", "b3")
	wantKeys(t, scan(t, s, span{"b", "b11", 10}), "b2", "b3") // which is not there itself
	wantKeys(t, scan(t, s, span{"b", "a", 10}), "b1", "b2", "b3")
	wantKeys(t, scan(t, s, span{"b", "b", 10}), "b1", "b2", "b3")
	wantKeys(t, scan(t, s, span{"b", "b3", 10}))
	wantKeys(t, scan(t, s, span{"b", "c", 10}))
	wantKeys(t, scan(t, s, span{"b", "z", 10}))
	wantKeys(t, scan(t, s, span{"", "b2", 10}), "b3", "c")
}

func scanLimit(t *testing.T, open Open) {
	s := opened(t, open)
	var all []string
	for i := range 25 {
		all = append(all, fmt.Sprintf("k%02d", i))
	}
	putAll(t, s, all...)
	wantKeys(t, scan(t, s, span{"k", "", 0}))
	wantKeys(t, scan(t, s, span{"k", "", -1}))
	wantKeys(t, scan(t, s, span{"k", "", 1}), "k00")
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page := scan(t, s, span{"k", after, 7})
		if got = append(got, page...); len(page) < 7 {
			break
		}
	}
	wantKeys(t, got, all...)
}

func scanOwnWrites(t *testing.T, open Open) {
	s := opened(t, open)
	putAll(t, s, "a", "b", "c")
	update(t, s, func(tx state.Tx) error {
		err := errors.Join(tx.Delete([]byte("b")), tx.Put([]byte("bb"), nil), tx.Put([]byte("d"), nil))
		keys, err2 := scanIn(tx, span{"", "a", 10})
		wantKeys(t, keys, "bb", "c", "d")
		return errors.Join(err, err2)
	})
}

// model compares the store with a map over random transactions, of which every fourth fails.
func model(t *testing.T, open Open) {
	const seed, rounds = 1, 60
	r := rand.New(rand.NewPCG(seed, seed))
	s := opened(t, open)
	want := map[string]string{}
	for range rounds {
		next := maps.Clone(want)
		fails := r.IntN(4) == 0
		err := s.Update(t.Context(), func(tx state.Tx) error {
			err := randomWrites(r, tx, next)
			compare(t, tx, next, span{randomKey(r)[:1], randomKey(r), 1000})
			if fails {
				err = errors.Join(err, errTest)
			}
			return err
		})
		if fails != errors.Is(err, errTest) || (!fails && err != nil) {
			t.Fatalf("update: %v", err)
		}
		if !fails {
			want = next
		}
		view(t, s, func(tx state.Tx) error {
			compare(t, tx, want, span{limit: 1000})
			return nil
		})
	}
}

func randomWrites(r *rand.Rand, tx state.Tx, to map[string]string) error {
	for range 1 + r.IntN(20) {
		key, value := randomKey(r), fmt.Sprint(r.Uint64())
		if r.IntN(3) == 0 {
			delete(to, key)
			if err := tx.Delete([]byte(key)); err != nil {
				return err
			}
			continue
		}
		to[key] = value
		if err := tx.Put([]byte(key), []byte(value)); err != nil {
			return err
		}
	}
	return nil
}

func randomKey(r *rand.Rand) string {
	key := make([]byte, 1+r.IntN(3))
	for i := range key {
		key[i] = "\x00ab\xff"[r.IntN(4)]
	}
	return string(key)
}

func compare(t *testing.T, tx state.Tx, want map[string]string, what span) {
	t.Helper()
	got, err := what.scan(tx)
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	i := 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if !strings.HasPrefix(k, what.prefix) || k <= what.after {
			continue
		}
		if i >= len(got) || string(got[i].Key) != k || string(got[i].Value) != want[k] {
			t.Fatalf("scan of %+v: pair %d is not %q = %q", what, i, k, want[k])
		}
		i++
	}
	if i != len(got) {
		t.Fatalf("scan of %+v found %d pairs, want %d", what, len(got), i)
	}
}
