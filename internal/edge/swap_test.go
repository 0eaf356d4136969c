package edge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// While the pointer is swapped all the time, every answer is of one deployment: its body,
// its Etag and the deployment it names.
func TestServer_NoAnswerMixesTwoDeployments(t *testing.T) {
	r := newRig(t)
	const deployments = 3
	text := func(n int) string {
		return fmt.Sprintf("deployment %d ", n) + strings.Repeat(fmt.Sprint(n), hosting.MaxBlob+n)
	}
	type form struct{ etag, body string }
	var shown [deployments]*hosting.Resolved
	want := make(map[string][2]form) // by deployment: identity, br
	for n := range deployments {
		d := r.store("", upload{"index.html", text(n), true})
		id := fmt.Sprintf("dpl_%d", n)
		shown[n] = production(d, hosting.DeploymentID(id))
		want[id] = [2]form{{etagOf(text(n)), text(n)}, {etagBrOf(text(n)), string(compress(text(n)))}}
	}
	r.router.hosts.Store(siteHost, shown[0])
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			r.router.hosts.Store(siteHost, shown[n%deployments])
		}
	})
	var mu sync.Mutex
	seen := make(map[string]int)
	var visitors sync.WaitGroup
	for v := range 4 {
		visitors.Go(func() {
			for range 8 {
				req := httptest.NewRequest("GET", "/", nil)
				req.Host = siteHost
				if v%2 == 1 {
					req.Header.Set("Accept-Encoding", "br")
				}
				w := httptest.NewRecorder()
				r.handler.ServeHTTP(w, req)
				id := w.Header().Get("X-Fairway-Deployment")
				if f := want[id][v%2]; w.Code != 200 || w.Header().Get("Etag") != f.etag || w.Body.String() != f.body {
					t.Errorf("%d, %s with Etag %s and %q", w.Code, id, w.Header().Get("Etag"), clip(w.Body.String()))
				}
				mu.Lock()
				seen[id]++
				mu.Unlock()
			}
		})
	}
	visitors.Wait()
	stop()
	wg.Wait()
	if len(seen) < 2 {
		t.Errorf("the swap was not seen, so nothing was tested: %v", seen)
	}
}

// Two deployments of equal content share a manifest, not a name.
func TestServer_NamesTheDeploymentAlsoWhereTwoHaveTheSameContent(t *testing.T) {
	r := newRig(t)
	d := r.store("", upload{"index.html", "same", false})
	for i := range 4 {
		id := hosting.DeploymentID(fmt.Sprintf("dpl_%d", i%2))
		r.router.hosts.Store(siteHost, production(d, id))
		r.get("/").has(t, string(id), "X-Fairway-Deployment: "+string(id), "Etag: "+etagOf("same"))
	}
}

type nullWriter struct {
	h      http.Header
	status int
	n      int
}

func (w *nullWriter) Header() http.Header         { return w.h }
func (w *nullWriter) WriteHeader(status int)      { w.status = status }
func (w *nullWriter) Write(p []byte) (int, error) { w.n += len(p); return len(p), nil }

func TestServer_AHitAllocatesNothing(t *testing.T) {
	r := newRig(t)
	text := "<h1>hello hello hello</h1>"
	r.publish(hosting.FallbackSPA, upload{"index.html", text, true}, upload{"a/b.html", text, true})
	cached, err := blob.OpenCache(blob.CacheConfig{Source: r.blobs, MemoryBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cached.Close() }()
	server := edge.New(edge.Config{
		Router: r.router, Manifests: r.blobs, Blobs: cached, Count: func(hosting.ProjectID, int64, bool) {},
	})
	for name, c := range map[string]struct {
		path   string
		header http.Header
		status int
		bytes  int
	}{
		"identity":     {"/", http.Header{}, 200, len(text)},
		"br":           {"/a/b", http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}}, 200, len(compress(text))},
		"gzip":         {"/a/b", http.Header{"Accept-Encoding": {"gzip, deflate"}}, 200, len(zipped(t, text))},
		"not modified": {"/", http.Header{"If-None-Match": {`"x", ` + etagOf(text)}}, 304, 0},
		"fallback":     {"/route/42", http.Header{}, 200, len(text)},
	} {
		req := httptest.NewRequest("GET", c.path, nil)
		req.Host, req.Header = siteHost, c.header
		w := &nullWriter{h: make(http.Header, 16)}
		n := testing.AllocsPerRun(100, func() {
			w.status, w.n = 0, 0
			clear(w.h)
			server.ServeHTTP(w, req)
		})
		if w.status != c.status || w.n != c.bytes {
			t.Errorf("%s: %d, %d bytes", name, w.status, w.n)
		}
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
