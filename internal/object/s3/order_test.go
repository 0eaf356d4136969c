package s3

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/object"
)

// TestReachable_LeavesTheSameKeysGreater compares with the text itself, for texts of all
// bytes around keys.
func TestReachable_LeavesTheSameKeysGreater(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	const chars = "-./09AZ_az"
	text := func(chars string) string {
		b := make([]byte, r.IntN(4))
		for i := range b {
			b[i] = chars[r.IntN(len(chars))]
		}
		return string(b)
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := strings.Repeat("k", object.MaxKey-2)
	for range 300_000 {
		base := []string{"", long}[r.IntN(2)]
		key, after := base+text(chars), base+text(chars)+text(string(all))
		if object.CheckKey(key) != nil {
			continue
		}
		got := reachable(after)
		if (key > got) != (key > after) {
			t.Fatalf("%q > %q is %v, but with %q it is %v", key, after, key > after, got, key > got)
		}
		if len(got) > object.MaxKey+1 || strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("%q became %q, which cannot be sent", after, got)
		}
	}
}

// TestBegins_HoldsForEveryBeginningOfAKey and for no text that begins none.
func TestBegins_HoldsForEveryBeginningOfAKey(t *testing.T) {
	for _, key := range []string{"a", "a/b.c/d-e_F", ".well-known/x", "..a/.../x", ".tm", strings.Repeat("k", object.MaxKey)} {
		for i := range len(key) + 1 {
			if !begins(key[:i]) {
				t.Errorf("%q begins %q", key[:i], key)
			}
		}
	}
	for _, prefix := range []string{"/", "a//", "../", "a/../", "./a", ".tmp", "a/.tmpx", ".tmp/", "a b", "\x00", "ä", strings.Repeat("k", object.MaxKey+1)} {
		if begins(prefix) {
			t.Errorf("no key begins with %q", prefix)
		}
	}
}
