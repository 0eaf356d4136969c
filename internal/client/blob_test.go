package client

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const storeSecret = "X-Amz-Signature=shibboleth"

// places is an API and an object store that note what comes. The store answers as the test
// says; the API answers "missing" with a new address of the store.
type places struct {
	t     *testing.T
	api   *httptest.Server
	store *httptest.Server
	job   *Job

	mu      sync.Mutex     // guards what follows
	puts    []string       // "store" and "api", as blobs came
	asked   int            // how often the API was asked what is missing
	answers []func() int   // of the store, the last one for ever; -1 ends the connection
	stored  map[string]int // bytes, by where they came
	sent    *http.Request  // the store's last
}

func newPlaces(t *testing.T, tls bool, answers ...func() int) *places {
	t.Helper()
	p := &places{t: t, answers: answers, stored: map[string]int{}}
	p.api = httptest.NewUnstartedServer(http.HandlerFunc(p.serveAPI))
	if tls {
		p.api.StartTLS()
	} else {
		p.api.Start()
	}
	t.Cleanup(p.api.Close)
	p.store = httptest.NewServer(http.HandlerFunc(p.serveStore))
	t.Cleanup(p.store.Close)
	p.job = newClient(t, Options{Base: p.api.URL, Insecure: true, Token: "owner"}).Job("dpl_a", "token")
	return p
}

func (p *places) serveAPI(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/missing"):
		p.asked++
		var req hosting.MissingRequest
		if err := json.Unmarshal(b, &req); err != nil || len(req.Blobs) != 1 {
			p.t.Errorf("asked for %s", b)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(hosting.MissingAnswer{Missing: []hosting.BlobUpload{p.upload(req.Blobs[0].Digest)}})
	case strings.HasSuffix(r.URL.Path, "/finish"):
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"code":"incomplete"}`))
	default:
		p.puts = append(p.puts, "api")
		p.stored["api"] += len(b)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *places) serveStore(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := p.answers[0]
	if len(p.answers) > 1 {
		p.answers = p.answers[1:]
	}
	p.puts, p.sent = append(p.puts, "store"), r
	status := answer()
	if status < 0 {
		panic(http.ErrAbortHandler)
	}
	b, _ := io.ReadAll(r.Body)
	p.stored["store"] += len(b)
	if status/100 == 3 {
		w.Header().Set("Location", p.api.URL+"/elsewhere")
	}
	w.WriteHeader(status)
}

func (p *places) upload(d hosting.Digest) hosting.BlobUpload {
	return hosting.BlobUpload{Digest: d, URL: p.store.URL + "/k?" + storeSecret, Headers: map[string]string{"X-Checksum": "c"}}
}

// put uploads two blobs and returns where they went.
func (p *places) put() string {
	p.t.Helper()
	for _, text := range []string{"hello", "world"} {
		b := []byte(text)
		if err := p.job.PutBlob(p.t.Context(), p.upload(hosting.DigestOf(b)), b); err != nil {
			p.t.Error(err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.puts, " ")
}

func status(n int) func() int { return func() int { return n } }

func TestPutBlob_ShowsTheObjectStoreNoToken(t *testing.T) {
	p := newPlaces(t, false, status(http.StatusOK))
	if got := p.put(); got != "store store" || p.asked != 0 {
		t.Fatalf("went to %s", got)
	}
	r := p.sent
	if r.Method != http.MethodPut || r.Header.Get("Authorization") != "" || r.Header.Get("X-Checksum") != "c" || r.ContentLength != 5 || r.URL.RawQuery != storeSecret {
		t.Errorf("sent %s %s %v, length %d", r.Method, r.URL, r.Header, r.ContentLength)
	}
}

func TestPutBlob_GoesOnByTheAPIWhereTheStoreDoesNotTakeIt(t *testing.T) {
	for name, c := range map[string]struct {
		answers []func() int
		want    string
		asked   int
	}{
		"stored":                 {[]func() int{status(200)}, "store store", 0},
		"there already":          {[]func() int{status(412)}, "store store", 0},
		"expired":                {[]func() int{status(403), status(200)}, "store store store", 1},
		"refused for ever":       {[]func() int{status(403)}, "store store api api", 1},
		"met another":            {[]func() int{status(409), status(412)}, "store store store", 1},
		"busy":                   {[]func() int{status(503), status(200)}, "store store store", 1},
		"broken for ever":        {[]func() int{status(500)}, "store store api api", 1},
		"a redirect":             {[]func() int{status(307)}, "store store api api", 1},
		"one connection breaks":  {[]func() int{status(-1), status(200)}, "store store store", 1},
		"every connection break": {[]func() int{status(-1)}, "store store api api", 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlaces(t, false, c.answers...)
			if got := p.put(); got != c.want || p.asked != c.asked {
				t.Errorf("went to %q, want %q; asked %d times, want %d", got, c.want, p.asked, c.asked)
			}
			if whole := p.stored["api"] == 0 || p.stored["api"] == 10; !whole {
				t.Errorf("the API got %d bytes", p.stored["api"])
			}
		})
	}
}

// An address may be right for control alone, as of a store on its own network.
func TestPutBlob_TriesAStoreThatIsNotThereOnce(t *testing.T) {
	p := newPlaces(t, false, status(200))
	p.store.Close()
	if got := p.put(); got != "api api" || p.asked != 0 {
		t.Errorf("went to %s, asked %d times", got, p.asked)
	}
	if !p.job.apart.Load() {
		t.Error("the next blob would try it again")
	}
}

func TestPutBlob_SaysNothingInTheClearThatCameOverTLS(t *testing.T) {
	p := newPlaces(t, true, status(200))
	if got := p.put(); got != "api api" {
		t.Errorf("went to %s", got)
	}
	if p.job.apart.Load() {
		t.Error("a store that was not asked is given up")
	}
}

func TestPutBlob_ComesByTheAPIOnceControlMissesWhatTheStoreTook(t *testing.T) {
	p := newPlaces(t, false, status(200))
	if got := p.put(); got != "store store" {
		t.Fatalf("went to %s", got)
	}
	if _, err := p.job.Finish(t.Context(), hosting.Finish{}); !hosting.Is(err, hosting.CodeIncomplete) {
		t.Fatal(err)
	}
	if got := p.put(); got != "store store api api" {
		t.Errorf("went to %s", got)
	}
}

func TestPutBlob_NeverShowsTheAddressOfTheStore(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer api.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	c := newClient(t, Options{Base: api.URL})
	for name, address := range map[string]string{
		"nothing listens": "http://" + free.Addr().String(), "no port": "http://127.0.0.1:x", "control characters": "http://127.0.0.1/\x7f", "no host": "http://", "a file": "file:///etc",
		"refused": api.URL,
	} {
		up := hosting.BlobUpload{Digest: hosting.DigestOf([]byte("x")), URL: address + "?" + storeSecret}
		err := c.Job("dpl_a", "token").PutBlob(t.Context(), up, []byte("x"))
		if err == nil || strings.Contains(err.Error(), storeSecret) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if err := c.putPresigned(t.Context(), up, []byte("x")); err == nil || strings.Contains(err.Error(), "shibboleth") {
			t.Errorf("%s: the error of the store is %v", name, err)
		}
		if strings.Contains(up.String(), "shibboleth") {
			t.Errorf("%s: it shows %s", name, up)
		}
	}
}
