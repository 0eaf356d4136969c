package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func (f *fleet) project(ctx context.Context, slug string) {
	f.Helper()
	api := f.control.Client()
	defer api.Close()
	if _, err := api.CreateProject(ctx, hosting.NewProject{Name: slug, Slug: slug}); err != nil {
		f.Fatal(err)
	}
}

// numberedFiles are a page and so many files of a site.
func numberedFiles(site string, n int) map[string]string {
	files := map[string]string{"index.html": "<!doctype html><title>" + site + "</title>the page of " + site}
	for i := range n {
		files[fileName(i)] = fileText(site, i)
	}
	return files
}

func fileName(i int) string { return fmt.Sprintf("file-%05d.txt", i) }

// fileText is text that is compressed in one of two files, and is its own alone.
func fileText(site string, i int) string {
	return strings.Repeat(fmt.Sprintf("file %d of %s\n", i, site), 1+i%2*200)
}

// claimDead is edge.4: with object store, control plane and state dead, an edge that starts
// again serves all that it had in its cache, and says of the rest that it cannot. With a store
// that is slow and fails, what is hot stays as fast, and the store is not asked more for it.
func claimDead(c *C) {
	f := newFleet(c).withControl()
	files := c.Size
	f.site("hot", numberedFiles("hot", 2*files))
	f.site("cold", numberedFiles("cold", 1))
	store := f.flaky()
	way := f.toxic("edge", store.addr)
	e := f.edge(way.addr)
	// The control of the dead store: an edge that keeps nothing on its disk.
	forgetful := f.edge(way.addr, "FAIRWAY_CACHE=memory=64MiB disk=0 manifests=0")
	for _, s := range []*Server{e, forgetful} {
		s.until("hot", "the page of hot")
	}
	e.Get(e.Secure("hot")).Is(200, "the page of hot")
	read := func(s *Server, base string, encoding string, i int) (string, *http.Response, error) {
		v := s.Visitor(1)
		defer v.CloseIdleConnections()
		return fetchAs(v, base+"/"+fileName(i), encoding)
	}
	for i := range files { // the second half stays in the store
		for _, encoding := range []string{"gzip", "identity"} {
			if body, resp, err := read(e, e.Site("hot"), encoding, i); err != nil || resp.StatusCode != 200 || body != fileText("hot", i) {
				c.Fatalf("warming file %d: %v", i, err)
			}
		}
	}

	secret := f.guard("hot-secret")
	inside := secret.come(e, "open sesame")
	secret.sees(e, inside, true)

	way.up(false)
	f.control.Kill()
	for _, s := range []*Server{e, forgetful} {
		s.Kill()
		s.Launch()
		s.Serving()
	}
	var served, refused atomic.Int64
	var mu sync.Mutex
	var slowest time.Duration
	cached := func(rounds int) {
		c.inParallel(8, rounds*files*4, func(n int) {
			i := n / 4 % files
			base, encoding := []string{e.Site("hot"), e.Secure("hot")}[n%2], []string{"gzip", "identity"}[n/2%2]
			body, resp, err := read(e, base, encoding, i)
			if err != nil || resp.StatusCode != 200 || body != fileText("hot", i) {
				c.Errorf("file %d, cached, over %s, as %s: %v", i, base[:5], encoding, statusOr(resp, err))
				return
			}
			served.Add(1)
		})
	}
	cannot := func(s *Server, base, path string) {
		began := time.Now()
		v := s.Visitor(1)
		defer v.CloseIdleConnections()
		_, resp, err := fetch(v, base+path)
		took := time.Since(began)
		if err != nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || took >= 3*time.Second {
			c.Errorf("%s%s, not cached: %v after %v", base, path, statusOr(resp, err), took)
			return
		}
		refused.Add(1)
		mu.Lock()
		defer mu.Unlock()
		slowest = max(slowest, took)
	}
	cached(2)
	c.inParallel(64, files, func(n int) { cannot(e, e.Site("hot"), "/"+fileName(files+n)) })
	refusing := slowest
	way.up(true)
	way.hole() // a store that takes requests and never answers is as dead
	c.inParallel(64, files, func(n int) { cannot(e, e.Site("hot"), "/"+fileName(files+n)) })
	cached(1)
	way.up(false)
	way.mend("hole")
	cannot(e, e.Site("cold"), "/")
	cannot(forgetful, forgetful.Site("hot"), "/"+fileName(0))
	secret.sees(e, inside, true)
	secret.sees(e, secret.come(e, "open sesame"), true)
	secret.sees(e, secret.come(e, "open barley"), false)
	e.Get(e.Site("none")).Is(404, "")
	cached(1)
	c.Figure("object store, control plane and state dead, edge killed and started: %d requests for %d cached files over HTTP and HTTPS, all served; %d for others: 503 with Retry-After, the slowest after %.2f s, where the store answers nothing %.2f s; an edge without a cache on its disk serves nothing; a protected site opens by its password, and sessions from before go on",
		served.Load(), files, refused.Load(), refusing.Seconds(), slowest.Seconds())
	f.slowStore(e, store, way, files)
}

// guarded is a site that a password opens.
type guarded struct {
	*fleet
	site string
}

func (f *fleet) guard(site string) guarded {
	f.Helper()
	f.site(site, map[string]string{"index.html": "what is secret"})
	api := f.control.Client()
	defer api.Close()
	_, err := api.SetAccess(context.Background(), site, hosting.AccessUpdate{
		Production: &hosting.AccessChange{Mode: hosting.AccessPassword, Password: "open sesame"},
	})
	if err != nil {
		f.Fatal(err)
	}
	return guarded{f, site}
}

// come gives a password to the site's form at an edge, and returns the cookies that it got.
func (g guarded) come(e *Server, password string) []*http.Cookie {
	g.Helper()
	v := e.Visitor(1)
	defer v.CloseIdleConnections()
	var cookies []*http.Cookie
	e.eventually(30*time.Second, "the edge has the site's form", func() bool {
		req, err := http.NewRequest(http.MethodPost, e.Secure(g.site)+"/.fairway/login", strings.NewReader(url.Values{"password": {password}}.Encode()))
		if err != nil {
			return false
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := v.Do(req)
		if err != nil {
			return false // the edge does not know the host yet
		}
		_ = resp.Body.Close()
		cookies = resp.Cookies()
		return resp.StatusCode == http.StatusSeeOther || resp.StatusCode == http.StatusUnauthorized
	})
	return cookies
}

// sees says whether the cookies open the site at an edge.
func (g guarded) sees(e *Server, cookies []*http.Cookie, want bool) {
	g.Helper()
	v := e.Visitor(1)
	defer v.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, e.Secure(g.site)+"/", nil)
	if err != nil {
		g.Fatal(err)
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := v.Do(req)
	if err != nil {
		g.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if sees := resp.StatusCode == 200 && string(body) == "what is secret"; sees != want {
		g.Errorf("with %d cookies the protected site answers %d %.80q", len(cookies), resp.StatusCode, body)
	}
}

func statusOr(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	return resp.Status
}

func fetchAs(v *http.Client, url, encoding string) (string, *http.Response, error) {
	if encoding == "gzip" {
		return fetch(v, url) // which asks for it, and takes it away again
	}
	v.Transport.(*http.Transport).DisableCompression = true
	return fetch(v, url)
}

// inParallel calls fn for 0 to n-1, some at once.
func (c *C) inParallel(atOnce, n int, fn func(i int)) {
	var all sync.WaitGroup
	var next atomic.Int64
	for range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	all.Wait()
}

// slowStore asks for a hot page in an open loop, by turns with the store as it is and with one that
// takes 5 seconds and fails 30 % of the requests, which are files that are in no cache.
func (f *fleet) slowStore(e *Server, store *flaky, way *toxic, files int) {
	f.Helper()
	way.up(true)
	e.until("hot", "the page of hot")
	share, rounds, length := 0.1, 1, 6*time.Second
	if *prove {
		share, rounds, length = 0.3, 5, 10*time.Second
	}
	rate := share * e.capacity(f.C, "hot", time.Second)
	perRound := files / rounds
	var quiet, slow []flooded
	requests, calls := 0, 0
	for round := range rounds {
		quiet = append(quiet, e.asked(f.C, rate, func() []int { <-time.After(length); return nil }))
		way.slow(5 * time.Second)
		store.failing(0.3)
		first := files + round*perRound
		slow = append(slow, e.asked(f.C, rate, func() []int { f.evenly(e, first, perRound, length); return nil }))
		requests += store.count("blobs")
		calls += perRound
		way.mend("slow")
		store.failing(0)
		e.eventually(time.Minute, "what was begun has ended", func() bool { return store.idle(2 * time.Second) })
	}
	f.Figure("store that takes 5 s and fails 30 %%: hot page asked %.0f/s in an open loop (%.0f %%), p99 %.1f ms, with the store as it is %.1f ms; %d cold files made %d requests to the store",
		rate, share*100, ms(p99(slow)), ms(p99(quiet)), calls, requests)
	if limit := p99(quiet) * 3 / 2; *prove && p99(slow) > limit {
		f.Errorf("with a slow store the hot page's p99 is %v, want at most %v", p99(slow), limit)
	}
	if most := float64(calls)*1.1 + 10; float64(requests) > most || requests < calls/2 {
		f.Errorf("%d cold files made %d requests to the store, want at most %.0f", calls, requests, most)
	}
}

// evenly asks for files that are in no cache, one after the other within the time, and waits
// for all answers, which are 503 mostly.
func (f *fleet) evenly(e *Server, first, n int, length time.Duration) {
	v := e.Visitor(n)
	defer v.CloseIdleConnections()
	tick := time.NewTicker(length / time.Duration(n))
	defer tick.Stop()
	var all sync.WaitGroup
	for i := range n {
		<-tick.C
		all.Go(func() { _, _, _ = fetch(v, e.Site("hot")+"/"+fileName(first+i)) })
	}
	all.Wait()
}
