package s3_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

// TestStore_DoesNotHammerAStoreThatFails counts what a faulty service is asked for 1000
// calls. The budget allows 1.1 times as much and 10.
func TestStore_DoesNotHammerAStoreThatFails(t *testing.T) {
	const n = 1000
	for _, share := range []float64{0, 0.1, 0.3, 0.6, 1} {
		var dice sync.Mutex
		r := rand.New(rand.NewPCG(3, 3))
		s, requests := proxied(t, s3.Config{}, func(w http.ResponseWriter, req *http.Request, next http.Handler) {
			dice.Lock()
			fails := r.Float64() < share
			dice.Unlock()
			if fails {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			if req.Method == http.MethodHead { // as of an object that is there
				w.Header().Set("Content-Length", "1")
				w.Header().Set("ETag", `"1"`)
				return
			}
			next.ServeHTTP(w, req)
		})
		var failed atomic.Int64
		var workers sync.WaitGroup
		for range 8 {
			workers.Go(func() {
				for range n / 8 {
					if _, err := s.Stat(t.Context(), "key"); err != nil {
						failed.Add(1)
					}
				}
			})
		}
		workers.Wait()
		t.Logf("%3.0f %% fail: %d requests for %d calls (%.3f), %d calls failed", share*100, requests.Load(), n, float64(requests.Load())/n, failed.Load())
		if got := requests.Load(); got < n || got > n*11/10+10 {
			t.Errorf("%.1f fail: %d requests for %d calls", share, got, n)
		}
		if share == 0.3 && requests.Load() > n*11/10 {
			t.Errorf("where 30 %% fail, %d calls made %d requests", n, requests.Load())
		}
		if (share == 0) != (failed.Load() == 0) {
			t.Errorf("%.1f fail: %d calls failed", share, failed.Load())
		}
	}
}

func TestStore_RetriesEveryCallOnce(t *testing.T) {
	fail := map[string]bool{} // the first request of each method and place
	var mu sync.Mutex
	s, _ := proxied(t, s3.Config{}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		first := !fail[r.Method+r.URL.Path]
		fail[r.Method+r.URL.Path] = true
		mu.Unlock()
		if first {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	body := strings.Repeat("body ", 1000)
	put(t, s, "key", body)
	wantBody(t, s, "key", body)
	if info, err := s.Stat(t.Context(), "key"); err != nil || info.Size != 5000 {
		t.Error(info, err)
	}
	if infos, err := s.List(t.Context(), "", "", 10); err != nil || len(infos) != 1 {
		t.Error(infos, err)
	}
	if err := s.Delete(t.Context(), "key"); err != nil {
		t.Error(err)
	}
}

func wantBody(t *testing.T, s object.Store, key, want string) {
	t.Helper()
	r, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || string(b) != want || info.Size != int64(len(want)) {
		t.Errorf("%s: %d bytes of %d, %v; want %d", key, len(b), info.Size, err, len(want))
	}
}

// onBodies applies f to Gets of objects alone.
func onBodies(f fault) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		f(w, r, next)
	}
}

func TestGet_TellsAShortBody(t *testing.T) {
	s, _ := proxied(t, s3.Config{}, onBodies(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		w.Header().Set("Content-Length", rec.Header().Get("Content-Length"))
		w.Header().Set("ETag", rec.Header().Get("ETag"))
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	put(t, s, "key", strings.Repeat("x", 1000))
	r, info, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if info.Size != 1000 || len(b) >= 1000 || !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("%d bytes of %d, %v", len(b), info.Size, err)
	}
	wantNoSecrets(t, err)
}

// TestGet_ReturnsWhatCame holds to the contract: who needs bytes to be right verifies their
// digest, and must be able to.
func TestGet_ReturnsWhatCame(t *testing.T) {
	s, _ := proxied(t, s3.Config{}, onBodies(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("ETag", `"1"`)
		_, _ = io.WriteString(w, "wrong")
	}))
	put(t, s, "key", "right")
	wantBody(t, s, "key", "wrong")
}

func TestGet_GivesUpOnABodyThatStops(t *testing.T) {
	release := make(chan struct{})
	s, _ := proxied(t, s3.Config{Timeout: 200 * time.Millisecond}, onBodies(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", "10")
		w.Header().Set("ETag", `"1"`)
		_, _ = io.WriteString(w, "12345")
		_ = http.NewResponseController(w).Flush()
		<-release
	}))
	defer close(release)
	r, _, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	began := time.Now()
	b, err := io.ReadAll(r)
	if string(b) != "12345" || !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("read %q, %v", b, err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestStore_GivesUpOnAServiceThatDoesNotAnswer(t *testing.T) {
	s, requests := proxied(t, s3.Config{Timeout: 100 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	began := time.Now()
	wantUnavailable(t, s, "timeout")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if n := requests.Load(); n > 15 {
		t.Errorf("%d requests for 5 calls", n)
	}
}

// TestPut_IsRefusedWhenBytesChangeOnTheirWay has a proxy that flips one byte of the body.
func TestPut_IsRefusedWhenBytesChangeOnTheirWay(t *testing.T) {
	var flip atomic.Bool
	s, _ := proxied(t, s3.Config{}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut && flip.Load() {
			b, _ := io.ReadAll(r.Body)
			b[len(b)/2] ^= 1
			r.Body = io.NopCloser(bytes.NewReader(b))
		}
		next.ServeHTTP(w, r)
	})
	put(t, s, "key", "before")
	flip.Store(true)
	err := s.Put(t.Context(), "key", strings.NewReader("after!"), object.Check{Size: 6})
	if !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("a damaged body: %v", err)
	}
	wantBody(t, s, "key", "before")
	flip.Store(false)
	put(t, s, "key", "after!")
	wantBody(t, s, "key", "after!")
}

// TestPut_IsNotSeenWhereTheBodyIsCut has a proxy that loses the connection in the body.
func TestPut_IsNotSeenWhereTheBodyIsCut(t *testing.T) {
	s, _ := proxied(t, s3.Config{}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut {
			r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 1000), errReader{}))
		}
		next.ServeHTTP(w, r)
	})
	err := s.Put(t.Context(), "key", strings.NewReader(strings.Repeat("x", 5000)), object.Check{Size: 5000})
	if !hosting.Is(err, hosting.CodeUnavailable) {
		t.Error(err)
	}
	if _, err := s.Stat(t.Context(), "key"); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("after half a body: %v", err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("cut") }

// TestPut_SignsTheDigestOverTLSToo looks at the header by which a service compares; the SDK
// leaves it out over TLS.
func TestPut_SignsTheDigestOverTLSToo(t *testing.T) {
	g := gateway(t)
	target, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	next := httputil.NewSingleHostReverseProxy(target)
	var sent, others atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			sent.Store(r.Header.Get("X-Amz-Content-Sha256"))
			others.Store(r.Header.Get("X-Amz-Trailer") + r.Header.Get("X-Amz-Sdk-Checksum-Algorithm") + r.Header.Get("Content-Md5") + r.Header.Get("X-Amz-Checksum-Crc32"))
		}
		next.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // one connection is refused below
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := s3.Config{Endpoint: server.URL, Bucket: g.bucket(t)}
	wantUnavailable(t, open(t, c), "certificate")
	t.Setenv("AWS_CA_BUNDLE", ca)
	put(t, open(t, c), "key", "body")
	if got, want := sent.Load(), hosting.DigestOf([]byte("body")).String(); got != want || others.Load() != "" {
		t.Errorf("the body went with digest %q and %q, want %q", got, others.Load(), want)
	}
}

func TestPut_SpoolsLargeBodiesAndLeavesNothing(t *testing.T) {
	g := gateway(t)
	dir := t.TempDir()
	c := s3.Config{Endpoint: g.url, Bucket: g.bucket(t), Dir: dir}
	s := open(t, c)
	big := strings.Repeat("0123456789abcdef", 33<<20/16)
	seen := false // that the body waits in a file
	body := io.MultiReader(strings.NewReader(big[:1<<20]), readFunc(func([]byte) (int, error) {
		links, _ := filepath.Glob("/proc/self/fd/*")
		for _, l := range links {
			to, _ := os.Readlink(l)
			seen = seen || strings.HasPrefix(to, dir)
		}
		return 0, io.EOF
	}), strings.NewReader(big[1<<20:]))
	check := object.Check{Size: int64(len(big)), Digest: hosting.DigestOf([]byte(big))}
	if err := s.Put(t.Context(), "big", body, check); err != nil {
		t.Fatal(err)
	}
	if !seen {
		t.Error("the body was not in the folder")
	}
	wantBody(t, s, "big", big)
	put(t, s, "free", big) // without a digest
	wantBody(t, s, "free", big)
	err := s.Put(t.Context(), "big", strings.NewReader(big[1:]+"!"), check)
	if !hosting.Is(err, hosting.CodeMismatch) {
		t.Errorf("another body: %v", err)
	}
	wantBody(t, s, "big", big)
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	c.Dir = filepath.Join(dir, "none")
	if err := open(t, c).Put(t.Context(), "big", strings.NewReader(big), check); err == nil {
		t.Error("a body was put without a place to check it")
	}
	if err := s.Put(t.Context(), "huge", strings.NewReader(""), object.Check{Size: 5<<30 + 1}); !hosting.Is(err, hosting.CodeTooLarge) {
		t.Errorf("a body of more than 5 GiB: %v", err)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
