package objecttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/object"
)

func listAll(t *testing.T, s object.Store, prefix, after string, page int) []string {
	t.Helper()
	var keys []string
	for {
		infos, err := s.List(t.Context(), prefix, after, page)
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		if len(infos) > page {
			t.Fatalf("list %q after %q: %d objects, asked for %d", prefix, after, len(infos), page)
		}
		for _, info := range infos {
			if info.Size != int64(len(info.Key)) {
				t.Errorf("%s is listed with size %d, want %d", info.Key, info.Size, len(info.Key))
			}
			keys = append(keys, info.Key)
			after = info.Key
		}
		if len(infos) < page {
			return keys
		}
	}
}

// wantKeys compares a listing with the sorted keys it should have.
func wantKeys(t *testing.T, s object.Store, all []string, prefix, after string, page int) {
	t.Helper()
	var want []string
	for _, key := range all {
		if strings.HasPrefix(key, prefix) && key > after {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if got := listAll(t, s, prefix, after, page); !slices.Equal(got, want) {
		t.Fatalf("list %q after %q by %d:\n got %q\nwant %q", prefix, after, page, got, want)
	}
}

// testListOrder has names around "/", which is greater than "-" and "." but less than digits
// and letters: sorting folder by folder would be wrong.
func testListOrder(t *testing.T, s object.Store) {
	keys := []string{
		"a/x", "a/x-y", "a-b", "a-/z", "a.b", "a./c", "a0", "a_", "aa", "a/b/c", "a/b-c", "a/b.c/d", "a/b0",
		"A/x", "Z", "_", "-", "b/.well-known/x", "b/...", "0",
	}
	for _, key := range keys {
		put(t, s, key, []byte(key))
	}
	for _, prefix := range []string{
		"", "a", "a/", "a/b", "a/b/", "a-", "a.", "b/.", "a/b/c", "a/b/c/", "none", "none/", "/", "//", "..", "../",
		"a/../", ".tmp", ".tmp/", "a b/", "\x00", strings.Repeat("a/", 400),
	} {
		for _, after := range []string{"", "a", "a/", "a/b", "a/b/c", "a/zzz", "a.", "a-b", "zzzz", "a/b/", "\xff"} {
			for _, page := range []int{1, 3, 100} {
				wantKeys(t, s, keys, prefix, after, page)
			}
		}
	}
}

func testListPages(t *testing.T, s object.Store) {
	const seed = 20
	r := rand.New(rand.NewPCG(seed, seed))
	seen := map[string]bool{}
	var keys []string
	for len(keys) < 300 {
		key := randomKey(r)
		if conflicts(seen, key) {
			continue
		}
		seen[key] = true
		keys = append(keys, key)
		put(t, s, key, []byte(key))
	}
	for range 150 {
		prefix, after := "", ""
		if r.IntN(3) > 0 {
			k := keys[r.IntN(len(keys))]
			prefix = k[:r.IntN(len(k)+1)]
		}
		switch r.IntN(3) {
		case 0:
			after = keys[r.IntN(len(keys))]
		case 1:
			after = randomKey(r)
		}
		wantKeys(t, s, keys, prefix, after, 1+r.IntN(100))
	}
}

// randomKey uses few characters, so that keys share beginnings.
func randomKey(r *rand.Rand) string {
	const chars = "ab0.-_"
	segments := make([]string, 1+r.IntN(4))
	for i := range segments {
		// The first character is a letter, since "." and ".." are no segments.
		b := []byte{"abZ"[r.IntN(3)]}
		for range r.IntN(4) {
			b = append(b, chars[r.IntN(len(chars))])
		}
		segments[i] = string(b)
	}
	return strings.Join(segments, "/")
}

// conflicts reports whether key is there, above or below another: a folder has no room for both.
func conflicts(seen map[string]bool, key string) bool {
	for k := range seen {
		if k == key || strings.HasPrefix(k, key+"/") || strings.HasPrefix(key, k+"/") {
			return true
		}
	}
	return false
}

func testListNoLimit(t *testing.T, s object.Store) {
	put(t, s, "key", []byte("x"))
	for _, limit := range []int{0, -1} {
		infos, err := s.List(t.Context(), "", "", limit)
		if err != nil || len(infos) != 0 {
			t.Errorf("limit %d: %v, %v; want nothing", limit, fmt.Sprint(infos), err)
		}
	}
}
