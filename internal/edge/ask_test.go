package edge_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/edge"
)

// A page that another edge served asks for a file of a deployment that this edge learns of
// only now.
func TestAsk_WhatIsMissingIsLookedForOnceMore(t *testing.T) {
	var r *rig
	news := func() {}
	r = newRig(t, func(c *edge.Config) {
		c.Refresh = func(context.Context) error { news(); return nil }
	})
	first := r.store("", upload{path: "index.html", text: "one"}, upload{path: "404.html", text: "nowhere"})
	second := r.store("", upload{path: "index.html", text: "two"}, upload{path: "assets/b.js", text: "script"})
	r.router.hosts.Store(siteHost, production(first, "dpl_one"))

	a := r.get("/assets/b.js", "Sec-Fetch-Dest: script")
	a.is(t, "control: nothing is new", 404, "nowhere")
	a.has(t, "control: nothing is new", "Cache-Control: no-store", "X-Fairway-Deployment: dpl_one")

	news = func() { r.router.hosts.Store(siteHost, production(second, "dpl_two")) }
	a = r.get("/assets/b.js", "Sec-Fetch-Dest: script")
	a.is(t, "of the deployment that was new", 200, "script")
	a.has(t, "of the deployment that was new", "X-Fairway-Deployment: dpl_two")

	news = func() { r.router.hosts.Delete(siteHost) }
	r.get("/assets/c.js", "Sec-Fetch-Dest: script").is(t, "of a site that is gone", 404, r.get("/").body)
}

// serveAsking is a Server whose feed counts its questions.
func serveAsking(t *testing.T, refresh func(context.Context) error) *edge.Server {
	t.Helper()
	r := newRig(t, func(c *edge.Config) { c.Refresh = refresh })
	r.publish("", upload{path: "index.html", text: "one"})
	return r.handler
}

func missing(ctx context.Context, s *edge.Server, dest string) int {
	q := httptest.NewRequestWithContext(ctx, "GET", "http://"+siteHost+"/gone.js", nil)
	q.Header.Set("Sec-Fetch-Dest", dest)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, q)
	return w.Code
}

func TestAsk_OnceASecondHoweverManyAsk(t *testing.T) {
	var asked atomic.Int64
	s := serveAsking(t, func(context.Context) error { asked.Add(1); return nil })
	synctest.Test(t, func(t *testing.T) {
		missing(t.Context(), s, "script") // opens the manifest
		time.Sleep(time.Minute)
		asked.Store(0)
		began := time.Now()
		for time.Since(began) < 10*time.Second {
			if code := missing(t.Context(), s, "document"); code != http.StatusNotFound {
				t.Fatalf("status %d", code)
			}
			time.Sleep(time.Millisecond)
		}
		if n := asked.Load(); n < 9 || n > 10 {
			t.Errorf("the feed was asked %d times in 10 seconds", n)
		}
	})
}

// Parts of pages wait until the feed may be asked after they came, all for one question, and
// not more of them than is good.
func TestAsk_PartsOfPagesWaitForTheirTurn(t *testing.T) {
	var asked atomic.Int64
	s := serveAsking(t, func(context.Context) error { asked.Add(1); return nil })
	synctest.Test(t, func(t *testing.T) {
		missing(t.Context(), s, "script") // opens the manifest
		time.Sleep(time.Minute)
		missing(t.Context(), s, "script")
		time.Sleep(100 * time.Millisecond)
		asked.Store(0)
		began := time.Now()
		var slow, fast atomic.Int64
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				missing(t.Context(), s, "script")
				if time.Since(began) == 900*time.Millisecond {
					slow.Add(1)
				} else {
					fast.Add(1)
				}
			})
		}
		all.Wait()
		if slow.Load() != 256 || fast.Load() != 744 || asked.Load() != 1 {
			t.Errorf("%d waited for the next question, %d did not, and %d were asked: want 256, 744, 1", slow.Load(), fast.Load(), asked.Load())
		}
		time.Sleep(500 * time.Millisecond)
		began = time.Now()
		if missing(t.Context(), s, "document"); time.Since(began) != 0 {
			t.Errorf("a visitor without a page waited %v", time.Since(began))
		}
		ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		if missing(ctx, s, "script"); time.Since(began) != 100*time.Millisecond {
			t.Errorf("one who left waited %v", time.Since(began))
		}
	})
}

// A feed that does not answer costs a visitor two seconds at most, once.
func TestAsk_AFeedThatIsAwayIsNoReasonToWait(t *testing.T) {
	var hang atomic.Bool
	s := serveAsking(t, func(ctx context.Context) error {
		if hang.Load() {
			<-ctx.Done()
			return ctx.Err()
		}
		return errors.New("away")
	})
	synctest.Test(t, func(t *testing.T) {
		missing(t.Context(), s, "script") // opens the manifest
		time.Sleep(time.Minute)
		began := time.Now()
		if code := missing(t.Context(), s, "script"); code != http.StatusNotFound || time.Since(began) != 0 {
			t.Errorf("status %d after %v", code, time.Since(began))
		}
		hang.Store(true)
		time.Sleep(time.Minute)
		began = time.Now()
		if code := missing(t.Context(), s, "script"); code != http.StatusNotFound || time.Since(began) != 2*time.Second {
			t.Errorf("a feed that hangs: status %d after %v", code, time.Since(began))
		}
	})
}

// Until the routing table was filled once nobody can say that a host is unknown.
func TestServer_AnEmptyTableIsNoReasonFor404(t *testing.T) {
	var complete atomic.Bool
	r := newRig(t, func(c *edge.Config) { c.Complete = complete.Load })
	if a := r.get("/"); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("before: %d", a.StatusCode)
	}
	if a := r.do("GET", "127.0.0.1", "/.fairway/health"); a.StatusCode != 503 {
		t.Errorf("health before: %d", a.StatusCode)
	}
	complete.Store(true)
	if a := r.get("/"); a.StatusCode != 404 {
		t.Errorf("after: %d", a.StatusCode)
	}
	for _, host := range []string{"127.0.0.1", "[::1]:8080", "", "none.localhost"} {
		if a := r.do("GET", host, "/.fairway/health"); a.StatusCode != 200 {
			t.Errorf("health at %q: %d", host, a.StatusCode)
		}
	}
}

func TestElsewhere_SendsVisitorsAway(t *testing.T) {
	w := httptest.NewRecorder()
	edge.Elsewhere().ServeHTTP(w, httptest.NewRequest("GET", "http://site.localhost/", nil))
	if w.Code != http.StatusMisdirectedRequest {
		t.Errorf("status %d", w.Code)
	}
	w = httptest.NewRecorder()
	edge.Elsewhere().ServeHTTP(w, httptest.NewRequest("GET", "http://10.0.0.1/.fairway/health", nil))
	if w.Code != http.StatusOK {
		t.Errorf("health: %d", w.Code)
	}
}
