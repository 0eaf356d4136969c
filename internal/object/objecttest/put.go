package objecttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

func testRoundTrip(t *testing.T, s object.Store) {
	for key, size := range map[string]int{
		"empty": 0, "one": 1, "blobs/prj_a/x": 100, "a/b/c/d/e": 1 << 20, "big/odd": 3<<20 + 7,
		"a.b-c_D/9": 10, strings.Repeat("k/", 200) + "deep": 5,
	} {
		b := randomBytes(uint64(size), size)
		put(t, s, key, b)
		wantObject(t, s, key, b)
	}
	b := []byte("no digest is asked for")
	if err := s.Put(t.Context(), "free", iotest.OneByteReader(bytes.NewReader(b)), object.Check{Size: int64(len(b))}); err != nil {
		t.Fatal(err)
	}
	wantObject(t, s, "free", b)
}

func testReplace(t *testing.T, s object.Store) {
	for i, size := range []int{100, 5000, 3, 3, 0} {
		b := randomBytes(uint64(i), size)
		put(t, s, "a/key", b)
		wantObject(t, s, "a/key", b)
	}
}

// refused are bodies with checks that deny them.
func refused() map[string]struct {
	body  []byte
	check object.Check
} {
	b := randomBytes(7, 2000)
	d := hosting.DigestOf(b)
	return map[string]struct {
		body  []byte
		check object.Check
	}{
		"one byte short":         {b[:1999], object.Check{Size: 2000, Digest: d}},
		"empty":                  {nil, object.Check{Size: 2000, Digest: d}},
		"one byte long":          {append(bytes.Clone(b), 0), object.Check{Size: 2000, Digest: d}},
		"very long":              {bytes.Repeat(b, 100), object.Check{Size: 2000, Digest: d}},
		"long for an empty one":  {b, object.Check{Size: 0}},
		"short without a digest": {b, object.Check{Size: 2001}},
		"long without a digest":  {b, object.Check{Size: 1999}},
		"of another digest":      {append(bytes.Clone(b[:1999]), b[1999]+1), object.Check{Size: 2000, Digest: d}},
	}
}

func testRefuse(t *testing.T, s object.Store) {
	for name, c := range refused() {
		err := s.Put(t.Context(), "refused/key", bytes.NewReader(c.body), c.check)
		wantCode(t, name, err, hosting.CodeMismatch)
		wantAbsent(t, s, "refused/key")
	}
	err := s.Put(t.Context(), "refused/key", strings.NewReader(""), object.Check{Size: -1})
	wantCode(t, "a negative size", err, hosting.CodeInvalid)
	if infos, err := s.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
		t.Errorf("refused bodies left %v, %v", infos, err)
	}
}

func testRefuseKeepsOld(t *testing.T, s object.Store) {
	old := []byte("what was there before")
	put(t, s, "key", old)
	for name, c := range refused() {
		err := s.Put(t.Context(), "key", bytes.NewReader(c.body), c.check)
		wantCode(t, name, err, hosting.CodeMismatch)
		wantObject(t, s, "key", old)
	}
}

func testBodyFails(t *testing.T, s object.Store) {
	broken := errors.New("the body broke")
	for name, body := range map[string]io.Reader{
		"at once":    iotest.ErrReader(broken),
		"within":     io.MultiReader(strings.NewReader("12345"), iotest.ErrReader(broken)),
		"at the end": io.MultiReader(strings.NewReader("1234567890"), iotest.ErrReader(broken)),
	} {
		err := s.Put(t.Context(), "key", body, object.Check{Size: 10})
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v, want the body's error", name, err)
		}
		wantAbsent(t, s, "key")
	}
}

func testAbsent(t *testing.T, s object.Store) {
	put(t, s, "folder/object", []byte("x"))
	for _, key := range []string{"none", "folder", "folder/none", "folder/object/below", "none/at/all", "folder/objec"} {
		wantAbsent(t, s, key)
	}
}

func testDelete(t *testing.T, s object.Store) {
	put(t, s, "a/b/one", []byte("1"))
	put(t, s, "a/b/two", []byte("2"))
	for range 2 {
		for _, key := range []string{"a/b/one", "a/b", "never/was", "a/b/two/below"} {
			if err := s.Delete(t.Context(), key); err != nil {
				t.Errorf("delete %s: %v", key, err)
			}
		}
		wantAbsent(t, s, "a/b/one")
		wantObject(t, s, "a/b/two", []byte("2"))
	}
	put(t, s, "a/b/one", []byte("again"))
	wantObject(t, s, "a/b/one", []byte("again"))
}

func testBadKeys(t *testing.T, s object.Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".tmp", ".tmp/x", "a/.tmpx",
		"a b", "a\x00b", "a\\b", "ä", "a\nb", strings.Repeat("k", object.MaxKey+1),
	} {
		wantCode(t, "put", s.Put(t.Context(), key, strings.NewReader("x"), object.Check{Size: 1}), hosting.CodeInvalid)
		wantCode(t, "delete", s.Delete(t.Context(), key), hosting.CodeInvalid)
		_, err := s.Stat(t.Context(), key)
		wantCode(t, "stat", err, hosting.CodeInvalid)
		_, _, err = s.Get(t.Context(), key)
		wantCode(t, "get", err, hosting.CodeInvalid)
	}
}

func testEndedContext(t *testing.T, s object.Store) {
	put(t, s, "key", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, getErr := s.Get(ctx, "key")
	_, statErr := s.Stat(ctx, "key")
	_, listErr := s.List(ctx, "", "", 10)
	for name, err := range map[string]error{
		"put": s.Put(ctx, "other", strings.NewReader("x"), object.Check{Size: 1}),
		"get": getErr, "stat": statErr, "list": listErr,
		"delete": s.Delete(ctx, "key"), "flush": flushIfAny(ctx, s),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", name, err, context.Canceled)
		}
	}
	wantObject(t, s, "key", []byte("x"))
	wantAbsent(t, s, "other")
}

// flushIfAny answers a store that needs no Flush as if it had looked at ctx.
func flushIfAny(ctx context.Context, s object.Store) error {
	if f, ok := s.(object.Flusher); ok {
		return f.Flush(ctx)
	}
	return ctx.Err()
}

// cancelReader cancels once some bytes were read.
type cancelReader struct {
	io.Reader
	left   int
	cancel func()
}

func (r *cancelReader) Read(p []byte) (int, error) {
	if r.left--; r.left == 0 {
		r.cancel()
	}
	return r.Reader.Read(p[:min(len(p), 1000)])
}

func testContextEndsPut(t *testing.T, s object.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := randomBytes(1, 1<<20)
	err := s.Put(ctx, "key", &cancelReader{bytes.NewReader(b), 10, cancel}, check(b))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
	wantAbsent(t, s, "key")
}

func testFlush(t *testing.T, s object.Store) {
	for range 2 {
		if err := object.Flush(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "a/b", []byte("1"))
	put(t, s, "a/c", []byte("2"))
	if err := s.Delete(t.Context(), "a/c"); err != nil {
		t.Fatal(err)
	}
	if err := object.Flush(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	wantObject(t, s, "a/b", []byte("1"))
	wantAbsent(t, s, "a/c")
}
