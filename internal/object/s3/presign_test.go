package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

func TestStore_KeepsTheContractOfAPresigner(t *testing.T) {
	g := gateway(t)
	for _, prefix := range []string{"", "team/objects"} {
		t.Run(fmt.Sprintf("below %q", prefix), func(t *testing.T) {
			objecttest.RunPresigner(t, func(t *testing.T) objecttest.Presigning {
				return open(t, s3.Config{Endpoint: g.url, Bucket: g.bucket(t), Prefix: prefix})
			})
		})
	}
}

var body = []byte("body")

func sign(t *testing.T, s *s3.Store, key string) object.Upload {
	t.Helper()
	u, err := s.PresignPut(t.Context(), key, object.Check{Size: 4, Digest: hosting.DigestOf(body)}, 15*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestPresignPut_Expires(t *testing.T) {
	g := gateway(t)
	s := open(t, s3.Config{Endpoint: g.url, Bucket: g.bucket(t)})
	if found, err := s.Probe(t.Context()); err != nil || !found.All() {
		t.Fatal(found, err)
	}
	for ago, want := range map[time.Duration]int{16 * time.Minute: http.StatusForbidden, 14 * time.Minute: http.StatusOK} {
		s.PresignAgo(ago)
		if got, err := objecttest.Send(t.Context(), sign(t, s, "key"), body); err != nil || got != want {
			t.Errorf("signed %v ago: status %d, %v; want %d", ago, got, err, want)
		}
	}
}

// lenient is a proxy of versitygw that lets through uploads which the service refuses.
type lenient struct {
	name string
	want object.Enforced
	// lets says what becomes of an upload that was refused with a status: "take" stores it after
	// all, "both" stores it and refuses it, "304" refuses it as old releases of MinIO do.
	lets func(status int, length int64) string
}

const rightLength = 64 // of what a probe uploads

var lenients = []lenient{
	{"that is strict", object.Enforced{Taken: true, Bytes: true, Length: true, Once: true}, func(int, int64) string { return "" }},
	{"that compares no checksum", object.Enforced{Taken: true, Length: true, Once: true}, func(status int, _ int64) string {
		return map[int]string{http.StatusBadRequest: "take"}[status]
	}},
	{"that compares it too late", object.Enforced{Taken: true, Length: true, Once: true}, func(status int, _ int64) string {
		return map[int]string{http.StatusBadRequest: "both"}[status]
	}},
	{"that takes headers which were not signed", object.Enforced{Taken: true, Length: true}, func(status int, length int64) string {
		if status == http.StatusForbidden && length == rightLength {
			return "take"
		}
		return ""
	}},
	{"that takes any length", object.Enforced{Taken: true, Bytes: true, Once: true}, func(status int, length int64) string {
		if status == http.StatusForbidden && length != rightLength {
			return "take"
		}
		return ""
	}},
	{"that knows no conditions", object.Enforced{Taken: true, Bytes: true, Length: true}, func(status int, _ int64) string {
		return map[int]string{http.StatusPreconditionFailed: "take"}[status]
	}},
	{"that refuses what is there in its own way", object.Enforced{Taken: true, Bytes: true, Length: true}, func(status int, _ int64) string {
		return map[int]string{http.StatusPreconditionFailed: "304"}[status]
	}},
	{"that takes everything", object.Enforced{Taken: true}, func(int, int64) string { return "take" }},
}

func isPresigned(r *http.Request) bool { return r.URL.Query().Has("X-Amz-Signature") }

// openLenient opens a bucket of versitygw by way of the proxy, and counts presigned uploads.
func openLenient(t *testing.T, l lenient) (*s3.Store, *atomic.Int64) {
	t.Helper()
	var direct *s3.Store // at the same bucket, for what the proxy stores
	var presigned atomic.Int64
	s, _ := proxied(t, s3.Config{}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if !isPresigned(r) {
			next.ServeHTTP(w, r)
			return
		}
		presigned.Add(1)
		b, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		answer := &recorded{header: http.Header{}, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		_, key, _ := strings.Cut(r.URL.Path[1:], "/")
		does := l.lets(answer.status, r.ContentLength)
		switch {
		case answer.status == http.StatusOK || does == "":
		case does == "304":
			answer.status = http.StatusNotModified
		default:
			if err := direct.Put(r.Context(), key, bytes.NewReader(b), object.Check{Size: int64(len(b))}); err != nil {
				t.Error(err)
			}
			if does == "take" {
				answer.status = http.StatusOK
			}
		}
		w.WriteHeader(answer.status)
	})
	direct = s
	return s, &presigned
}

// recorded is an answer of which only the status is kept.
type recorded struct {
	header http.Header
	status int
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorded) WriteHeader(status int)      { r.status = status }

// TestProbe_FindsWhatALenientServiceLetsThrough, and such a store signs nothing; the same
// proxy in front of the same service does, where it is strict.
func TestProbe_FindsWhatALenientServiceLetsThrough(t *testing.T) {
	for _, l := range lenients {
		t.Run("One "+l.name, func(t *testing.T) {
			s, presigned := openLenient(t, l)
			found, err := s.Probe(t.Context())
			if err != nil || found != l.want {
				t.Errorf("found that %v, %v; want %v", found, err, l.want)
			}
			if presigned.Load() < 5 {
				t.Errorf("void: the probe made %d uploads", presigned.Load())
			}
			if infos, err := s.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
				t.Errorf("the probe left %v, %v", infos, err)
			}
			_, err = s.PresignPut(t.Context(), "key", object.Check{Size: 4, Digest: hosting.DigestOf(body)}, time.Minute)
			if signs := err == nil; signs != l.want.All() || !signs && !errors.Is(err, object.ErrNotPresigned) {
				t.Errorf("an upload is signed: %v (%v)", signs, err)
			}
		})
	}
}

// TestProbe_FindsNothingOutWhileTheServiceFails: it is to be repeated, since a service that is
// away at the start is not one that enforces nothing.
func TestProbe_FindsNothingOutWhileTheServiceFails(t *testing.T) {
	for name, fails := range map[string]func(r *http.Request) int{
		"presigned uploads fail":   func(r *http.Request) int { return map[bool]int{true: 503}[isPresigned(r)] },
		"presigned uploads wait":   func(r *http.Request) int { return map[bool]int{true: 429}[isPresigned(r)] },
		"the keys are not taken":   func(*http.Request) int { return 403 },
		"all of it fails":          func(*http.Request) int { return 500 },
		"the answer is redirected": func(r *http.Request) int { return map[bool]int{true: 307}[isPresigned(r)] },
	} {
		t.Run(name, func(t *testing.T) {
			var mended atomic.Bool
			s, _ := proxied(t, s3.Config{}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if st := fails(r); st != 0 && !mended.Load() {
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(st)
					return
				}
				next.ServeHTTP(w, r)
			})
			_, err := s.Probe(t.Context())
			if !hosting.Is(err, hosting.CodeUnavailable) {
				t.Errorf("got %v", err)
			}
			wantNoSecrets(t, err)
			mended.Store(true)
			if found, err := s.Probe(t.Context()); err != nil || !found.All() {
				t.Errorf("once it works: %v, %v", found, err)
			}
			sign(t, s, "key")
		})
	}
}

func TestProbe_SaysNoToAServiceThatTakesNoPresignedUploads(t *testing.T) {
	for _, status := range []int{403, 400, 501} {
		s, _ := proxied(t, s3.Config{}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if isPresigned(r) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(status)
				return
			}
			next.ServeHTTP(w, r)
		})
		if found, err := s.Probe(t.Context()); err != nil || found.Taken || found.All() {
			t.Errorf("%d: %v, %v", status, found, err)
		}
	}
}

func TestPresignPut_IsOffWhereTheOperatorSaysSo(t *testing.T) {
	s, requests := proxied(t, s3.Config{Unsigned: true}, func(w http.ResponseWriter, r *http.Request, next http.Handler) { next.ServeHTTP(w, r) })
	if _, err := s.Probe(t.Context()); !errors.Is(err, object.ErrNotPresigned) || requests.Load() != 0 {
		t.Errorf("%v after %d requests", err, requests.Load())
	}
	_, err := s.PresignPut(t.Context(), "key", object.Check{Size: 4, Digest: hosting.DigestOf(body)}, time.Minute)
	if !errors.Is(err, object.ErrNotPresigned) {
		t.Error(err)
	}
}

// The addresses are made by the package itself, eight times as fast as by the SDK, and are the same.
func TestPresignPut_MakesTheSDKsAddresses(t *testing.T) {
	temporary := func(name string) string {
		return map[string]string{"AWS_SESSION_TOKEN": "a/token+with=signs"}[name] + keys(name)
	}
	for name, c := range map[string]s3.Config{
		"AWS":                  {Bucket: "bucket", Region: "eu-central-1"},
		"AWS, dots":            {Bucket: "a.bucket", Region: "eu-central-1", Prefix: "some/prefix"},
		"AWS, temporary keys":  {Bucket: "bucket", Region: "us-east-1", Getenv: temporary},
		"a service":            {Bucket: "bucket", Region: "auto", Endpoint: "https://store.test:9000", PathStyle: true, Prefix: "pre"},
		"a service's own name": {Bucket: "bucket", Region: "us-east-1", Endpoint: "https://store.test"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.Getenv == nil {
				c.Getenv = keys
			}
			s, err := s3.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			s.Enforce()
			check := object.Check{Size: 4, Digest: hosting.DigestOf(body)}
			const key = "blobs/prj_a/b.c_d-e"
			for { // until both are of the same second
				want, wantErr := s.PresignBySDK(t.Context(), key, check, time.Minute)
				got, err := s.PresignPut(t.Context(), key, check, time.Minute)
				if err != nil || wantErr != nil {
					t.Fatalf("%v; the SDK: %v", err, wantErr)
				}
				u, _ := url.Parse(got.URL)
				w, _ := url.Parse(want.URL)
				if u.Query().Get("X-Amz-Date") != w.Query().Get("X-Amz-Date") {
					continue
				}
				if u.Host != w.Host || u.Path != w.Path || !reflect.DeepEqual(u.Query(), w.Query()) || !reflect.DeepEqual(got.Headers, want.Headers) {
					t.Errorf("got %s with %v\nwant %s with %v", got.URL, got.Headers, want.URL, want.Headers)
				}
				return
			}
		})
	}
}

func BenchmarkPresignPut(b *testing.B) {
	s, err := s3.Open(b.Context(), s3.Config{Bucket: "bucket", Endpoint: "http://127.0.0.1:1", Region: "us-east-1", PathStyle: true, Getenv: keys})
	if err != nil {
		b.Fatal(err)
	}
	s.Enforce()
	for b.Loop() {
		if _, err := s.PresignPut(b.Context(), "key", object.Check{Size: 4, Digest: hosting.DigestOf(body)}, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}
