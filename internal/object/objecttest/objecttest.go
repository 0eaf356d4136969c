// Package objecttest is the contract of object.Store as a suite that runs over every
// implementation.
package objecttest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// Run runs the suite. open returns an empty store and ends it with the test.
func Run(t *testing.T, open func(t *testing.T) object.Store) {
	for name, test := range map[string]func(*testing.T, object.Store){
		"Get returns what Put stored":                 testRoundTrip,
		"Put replaces an object":                      testReplace,
		"Put refuses a body that its check denies":    testRefuse,
		"Put leaves the old object when it refuses":   testRefuseKeepsOld,
		"Put hands on the error of the body":          testBodyFails,
		"An absent object is not found":               testAbsent,
		"Delete may be repeated":                      testDelete,
		"Keys that no store may have are invalid":     testBadKeys,
		"An ended context ends every call":            testEndedContext,
		"A context that ends meanwhile ends a Put":    testContextEndsPut,
		"List orders by the bytes of the whole key":   testListOrder,
		"List pages make up the sorted keys":          testListPages,
		"List knows no limit below one":               testListNoLimit,
		"Flush is followed by the same objects":       testFlush,
		"Readers see the old object or the new whole": testReadersDuringReplace,
		"Concurrent calls do not disturb each other":  testConcurrent,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func check(b []byte) object.Check {
	return object.Check{Size: int64(len(b)), Digest: hosting.DigestOf(b)}
}

func put(t *testing.T, s object.Store, key string, b []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(b), check(b)); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func wantObject(t *testing.T, s object.Store, key string, want []byte) {
	t.Helper()
	r, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("%s holds %d bytes that are not the %d put", key, len(b), len(want))
	}
	if at := (object.Info{Key: key, Size: int64(len(want))}); info != at {
		t.Errorf("get %s: info %+v, want %+v", key, info, at)
	}
	if info, err := s.Stat(t.Context(), key); err != nil || info != (object.Info{Key: key, Size: int64(len(want))}) {
		t.Errorf("stat %s: %+v, %v", key, info, err)
	}
}

func wantCode(t *testing.T, what string, err error, code hosting.Code) {
	t.Helper()
	if got := hosting.CodeOf(err); got != code {
		t.Errorf("%s: code %q, want %q (%v)", what, got, code, err)
	}
}

func wantAbsent(t *testing.T, s object.Store, key string) {
	t.Helper()
	_, err := s.Stat(t.Context(), key)
	wantCode(t, "stat "+key, err, hosting.CodeNotFound)
	_, _, err = s.Get(t.Context(), key)
	wantCode(t, "get "+key, err, hosting.CodeNotFound)
	infos, err := s.List(t.Context(), "", "", 1000)
	if err != nil {
		t.Fatalf("list: %v", err)
	}
	for _, info := range infos {
		if info.Key == key {
			t.Errorf("%s is listed", key)
		}
	}
}

// randomBytes is reproducible, and different for each seed.
func randomBytes(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	_, _ = r.Read(b)
	return b
}
