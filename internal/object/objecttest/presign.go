package objecttest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// Presigning is a store that presigns, over a service that enforces everything.
type Presigning interface {
	object.Store
	object.Presigner
}

// RunPresigner runs the contract of object.Presigner. open returns an empty store that was
// not probed yet, and ends it with the test.
func RunPresigner(t *testing.T, open func(t *testing.T) Presigning) {
	t.Run("Nothing is signed before a probe", func(t *testing.T) { testUnprobed(t, open(t)) })
	for name, test := range map[string]func(*testing.T, Presigning){
		"A probe leaves nothing behind":             testProbeCleans,
		"The right bytes are stored":                testPresigned,
		"Other bytes are refused":                   testOtherBytes,
		"Other lengths are refused":                 testOtherLengths,
		"Other requests are refused":                testOtherRequests,
		"An upload is stored once":                  testReplay,
		"Of many at once, one is stored":            testOnceConcurrently,
		"What is stored already is not overwritten": testPresignedAfterPut,
		"Uploads that no store signs are invalid":   testInvalidUploads,
		"An upload shows no signature":              testUploadShowsNone,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			probe(t, s)
			test(t, s)
		})
	}
}

func probe(t *testing.T, s Presigning) {
	t.Helper()
	if found, err := s.Probe(t.Context()); err != nil || !found.All() {
		t.Fatalf("the probe found that %v, %v", found, err)
	}
}

func presign(t *testing.T, s Presigning, key string, b []byte) object.Upload {
	t.Helper()
	u, err := s.PresignPut(t.Context(), key, check(b), time.Minute)
	if err != nil {
		t.Fatalf("presign %s: %v", key, err)
	}
	return u
}

// Send makes the request of an upload, with whatever body, and returns the status, or Broken
// where the service refused it by ending the connection under the body.
func Send(ctx context.Context, u object.Upload, body []byte) (int, error) {
	return send(ctx, http.MethodPut, u, body)
}

// Broken is no status of HTTP.
const Broken = 0

func send(ctx context.Context, method string, u object.Upload, body []byte) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range u.Headers {
		r.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if op, ok := errors.AsType[*net.OpError](err); err != nil && ctx.Err() == nil && (!ok || op.Op != "dial") {
		return Broken, nil
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func wantStatus(t *testing.T, what string, u object.Upload, body []byte, want ...int) {
	t.Helper()
	got, err := Send(t.Context(), u, body)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, w := range want {
		if got == w {
			return
		}
	}
	t.Errorf("%s: status %d, want %v", what, got, want)
}

const (
	stored  = http.StatusOK
	exists  = http.StatusPreconditionFailed
	invalid = http.StatusBadRequest
	denied  = http.StatusForbidden
)

func testUnprobed(t *testing.T, s Presigning) {
	b := []byte("body")
	if _, err := s.PresignPut(t.Context(), "key", check(b), time.Minute); !errors.Is(err, object.ErrNotPresigned) {
		t.Errorf("signed before the probe: %v", err)
	}
	probe(t, s)
	wantStatus(t, "control", presign(t, s, "key", b), b, stored)
}

func testProbeCleans(t *testing.T, s Presigning) {
	if infos, err := s.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
		t.Errorf("the probe left %v, %v", infos, err)
	}
}

func testPresigned(t *testing.T, s Presigning) {
	for i, size := range []int{1, 100, 64 << 10, 1 << 20} {
		key, b := fmt.Sprintf("blobs/prj_a/%d", i), randomBytes(uint64(i), size)
		wantStatus(t, key, presign(t, s, key, b), b, stored)
		wantObject(t, s, key, b)
	}
}

func testOtherBytes(t *testing.T, s Presigning) {
	for i, size := range []int{1, 100, 1 << 20} {
		key, b := fmt.Sprintf("key-%d", i), randomBytes(uint64(i), size)
		u := presign(t, s, key, b)
		for _, at := range []int{0, size / 2, size - 1} {
			wrong := bytes.Clone(b)
			wrong[at] ^= 1
			wantStatus(t, "one wrong byte", u, wrong, invalid, Broken)
			sum := hosting.DigestOf(wrong)
			forged := object.Upload{URL: u.URL, Headers: maps.Clone(u.Headers)}
			for name, v := range forged.Headers {
				digest := hosting.DigestOf(b)
				if v == base64.StdEncoding.EncodeToString(digest[:]) {
					forged.Headers[name] = base64.StdEncoding.EncodeToString(sum[:])
				}
			}
			wantStatus(t, "one wrong byte under its own sum", forged, wrong, denied, Broken)
		}
		wantAbsent(t, s, key)
		wantStatus(t, "control", u, b, stored)
		wantObject(t, s, key, b)
	}
}

func testOtherLengths(t *testing.T, s Presigning) {
	b := randomBytes(1, 1000)
	u := presign(t, s, "key", b)
	for name, wrong := range map[string][]byte{
		"one byte longer": append(bytes.Clone(b), 0), "one byte shorter": b[:999], "twice": append(bytes.Clone(b), b...), "empty": nil,
	} {
		wantStatus(t, name, u, wrong, denied, invalid, Broken)
	}
	wantAbsent(t, s, "key")
	wantStatus(t, "control", u, b, stored)
}

// testOtherRequests: the signature is for one method, one key, and all of the headers.
func testOtherRequests(t *testing.T, s Presigning) {
	b := randomBytes(1, 100)
	put(t, s, "victim", []byte("of somebody else"))
	u := presign(t, s, "key", b)
	elsewhere := object.Upload{URL: strings.Replace(u.URL, "/key?", "/victim?", 1), Headers: u.Headers}
	wantStatus(t, "another key", elsewhere, b, denied)
	for name := range u.Headers {
		without := object.Upload{URL: u.URL, Headers: maps.Clone(u.Headers)}
		delete(without.Headers, name)
		wantStatus(t, "without "+name, without, b, denied)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPost} {
		if got, err := send(t.Context(), method, u, b); err != nil || got/100 == 2 {
			t.Errorf("%s: status %d, %v", method, got, err)
		}
	}
	wantAbsent(t, s, "key")
	wantObject(t, s, "victim", []byte("of somebody else"))
	wantStatus(t, "control", u, b, stored)
}

func testReplay(t *testing.T, s Presigning) {
	b := randomBytes(1, 100)
	u := presign(t, s, "key", b)
	wantStatus(t, "first", u, b, stored)
	wantStatus(t, "again", u, b, exists)
	wantStatus(t, "by a new signature", presign(t, s, "key", b), b, exists)
	wantObject(t, s, "key", b)
}

func testOnceConcurrently(t *testing.T, s Presigning) {
	b := randomBytes(1, 64<<10)
	u := presign(t, s, "key", b)
	var mu sync.Mutex // guards got
	got := map[int]int{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			st, err := Send(t.Context(), u, b)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			got[st]++
		})
	}
	wg.Wait()
	// Who meets another that is still being stored may also be sent away for the moment.
	if got[stored] != 1 || got[exists]+got[http.StatusConflict] != 15 {
		t.Errorf("statuses %v", got)
	}
	wantObject(t, s, "key", b)
}

func testPresignedAfterPut(t *testing.T, s Presigning) {
	b := randomBytes(1, 100)
	u := presign(t, s, "key", b)
	put(t, s, "key", []byte("before"))
	wantStatus(t, "over another", u, b, exists)
	wantObject(t, s, "key", []byte("before"))
	if err := s.Delete(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, "control", u, b, stored)
}

func testInvalidUploads(t *testing.T, s Presigning) {
	b := []byte("body")
	for name, c := range map[string]struct {
		key   string
		check object.Check
	}{
		"no key": {"", check(b)}, "a bad key": {"a/../b", check(b)}, "no bytes": {"key", check(nil)},
		"no digest": {"key", object.Check{Size: 4}}, "a negative size": {"key", object.Check{Size: -1, Digest: hosting.DigestOf(b)}},
	} {
		_, err := s.PresignPut(t.Context(), c.key, c.check, time.Minute)
		wantCode(t, name, err, hosting.CodeInvalid)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.PresignPut(ctx, "key", check(b), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
	presign(t, s, "key", b) // control
}

func testUploadShowsNone(t *testing.T, s Presigning) {
	u := presign(t, s, "key", []byte("body"))
	_, secret, ok := strings.Cut(u.URL, "?")
	if !ok {
		t.Fatalf("void: %s has no query", u)
	}
	for _, shown := range []string{fmt.Sprint(u), fmt.Sprintf("%+v", u), fmt.Sprintf("%v", []object.Upload{u})} {
		if strings.Contains(shown, secret) || !strings.Contains(shown, "/key") {
			t.Errorf("it shows %s", shown)
		}
	}
}
