package client

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestNew_RefusesWhatIsNoAddress(t *testing.T) {
	for _, base := range []string{"", "localhost:8443", "ftp://localhost/api", "https:///api", "https://me:secret@localhost/api", "https://localhost/api?x=1", "://"} {
		if _, err := New(Options{Base: base}); err == nil {
			t.Errorf("%q was taken", base)
		}
	}
}

func TestParseAddress_ReadsSocketsAndURLs(t *testing.T) {
	for in, want := range map[string]Options{
		"unix:///run/job.sock":            {Socket: "/run/job.sock", Base: "/api"},
		"unix:///run/admin.sock#/fairway": {Socket: "/run/admin.sock", Base: "/fairway"},
		"https://localhost:8443/api":      {Base: "https://localhost:8443/api"},
		"https://fairway.example":         {Base: "https://fairway.example/api"},
		"https://fairway.example/":        {Base: "https://fairway.example/api"},
		"https://example.com/fairway/":    {Base: "https://example.com/fairway/"},
	} {
		if got, err := ParseAddress(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", in, got, err, want)
		}
	}
	if _, err := ParseAddress("unix://job.sock"); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("a relative socket: %v", err)
	}
}

// record answers everything with 204 and tells what it was asked.
func record(t *testing.T) (*httptest.Server, <-chan *http.Request) {
	t.Helper()
	seen := make(chan *http.Request, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	return s, seen
}

func TestClient_DialsLoopbackForNamesBelowLocalhost(t *testing.T) {
	s, seen := record(t)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, host := range []string{"localhost", "fairway.localhost", "a.b.LOCALHOST"} {
		c := newClient(t, Options{Base: "http://" + net.JoinHostPort(host, port) + "/api"})
		if _, err := c.DeleteProject(t.Context(), "x"); err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if r := <-seen; r.Host != host+":"+port {
			t.Errorf("asked for %q, want %q", r.Host, host)
		}
	}
}

func TestClient_AsksASocketBelowItsBase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(chan string, 1)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	if _, err := newClient(t, Options{Socket: path, Base: "/fairway/"}).DeleteProject(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if got, want := <-seen, "DELETE /fairway/projects/a "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClient_KeepsASegmentOneSegment(t *testing.T) {
	s, seen := record(t)
	c := newClient(t, Options{Base: s.URL + "/api"})
	for _, name := range []string{"..", "a/b", "a?b#c", "%2e", "ü", "../../jobs/x"} {
		if _, err := c.DeleteProject(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		r := <-seen
		tail, err := url.PathUnescape(r.URL.EscapedPath()[len("/api/projects/"):])
		if err != nil || tail != name {
			t.Errorf("%q arrived as %q", name, r.URL.EscapedPath())
		}
	}
}

// A segment that vanished would make it a request of another route, such as the list.
func TestClient_AsksForNothingWithoutAName(t *testing.T) {
	s, _ := record(t)
	c := newClient(t, Options{Base: s.URL + "/api"})
	_, err := c.FindProject(t.Context(), "")
	if !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("got %v, want %s", err, hosting.CodeNotFound)
	}
}

func TestClient_FollowsNoRedirectWithItsToken(t *testing.T) {
	other, seen := record(t)
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	_, err := newClient(t, Options{Base: s.URL, Token: "secret"}).DeleteProject(t.Context(), "a")
	if err == nil || len(seen) != 0 {
		t.Errorf("error %v, %d requests elsewhere", err, len(seen))
	}
}
