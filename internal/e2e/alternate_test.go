package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// bundle is a version of a site as bundlers make it: names change with the content, and a part
// is only loaded when it is used.
func bundle(n int) map[string]string {
	return map[string]string{
		"index.html":                  fmt.Sprintf(`<!doctype html><title>version %[1]d</title><script type="module" src="/entry-%[1]d.js"></script>`, n),
		fmt.Sprintf("entry-%d.js", n): fmt.Sprintf(`import { n } from "/part-%[1]d.js"; window.version = n; window.later = () => import("/later-%[1]d.js");`, n),
		fmt.Sprintf("part-%d.js", n):  fmt.Sprintf("export const n = %d;", n),
		fmt.Sprintf("later-%d.js", n): fmt.Sprintf("export const late = %d;", n),
	}
}

var ofBundle = regexp.MustCompile(`^/(entry|part|later)-([0-9]+)\.js$`)

// publishBundle deploys a version, whose scripts the job says to be fingerprinted, as a build with
// a bundler would.
func (s *Server) publishBundle(ctx context.Context, api *client.Client, project string, n int) error {
	dir, err := os.MkdirTemp(s.t.TempDir(), "")
	if err != nil {
		return err
	}
	for name, content := range bundle(n) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	out, err := builder.Collect(ctx, dir, hosting.DefaultLimits())
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	answer, err := api.Deploy(ctx, hosting.NewDeployment{Project: project, Source: hosting.SourceFiles})
	if err != nil {
		return err
	}
	job := api.Job(answer.ID, answer.Upload.Token)
	if err := builder.Upload(ctx, job, out, nil); err != nil {
		return err
	}
	inv := out.Inventory(hosting.FallbackNone, "")
	for i := range inv.Files {
		inv.Files[i].Immutable = strings.HasSuffix(inv.Files[i].Path, ".js")
	}
	_, err = job.Finish(ctx, hosting.Finish{Inventory: &inv})
	return err
}

// alternating sends each request to another edge than the one before, and notes every script
// that was not answered as it should.
type alternating struct {
	*httptest.Server
	asked   atomic.Int64 // for scripts
	strip   bool         // the headers by which an edge sees that a page asks
	mu      sync.Mutex
	missing []string
}

func (f *fleet) alternate(edges []*Server, strip bool) *alternating {
	f.Helper()
	a := &alternating{strip: strip}
	var proxies []*httputil.ReverseProxy
	for _, e := range edges {
		to := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", e.HTTP)}
		proxies = append(proxies, &httputil.ReverseProxy{
			Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
			ModifyResponse: a.look,
			Transport:      &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		})
	}
	var turn atomic.Int64
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.strip {
			r.Header.Del("Sec-Fetch-Dest")
			r.Header.Del("Referer")
		}
		proxies[turn.Add(1)%int64(len(proxies))].ServeHTTP(w, r)
	}))
	f.Cleanup(a.Close)
	return a
}

func (a *alternating) look(resp *http.Response) error {
	if !ofBundle.MatchString(resp.Request.URL.Path) {
		return nil
	}
	a.asked.Add(1)
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotModified {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.missing = append(a.missing, fmt.Sprintf("%s: %s", resp.Request.URL.Path, resp.Status))
	}
	return nil
}

func (a *alternating) failures() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.missing...)
}

func (a *alternating) address() string {
	return "http://shop.localhost:" + a.URL[strings.LastIndexByte(a.URL, ':')+1:] + "/"
}

// read opens the page and all that it names, the last part later, until ctx ends.
func (a *alternating) read(ctx context.Context, rnd *rand.Rand) {
	get := func(path string) string {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
		if err != nil {
			return ""
		}
		req.Host = "shop.localhost"
		if path != "/" {
			req.Header.Set("Sec-Fetch-Dest", "script")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return ""
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	for ctx.Err() == nil {
		_, rest, _ := strings.Cut(get("/"), "version ")
		n, _, ok := strings.Cut(rest, "<")
		if !ok {
			continue
		}
		get("/entry-" + n + ".js")
		get("/part-" + n + ".js")
		select {
		case <-time.After(time.Duration(rnd.IntN(3000)) * time.Millisecond):
		case <-ctx.Done():
		}
		get("/later-" + n + ".js")
	}
}

// claimAlternating is edge.6: a browser, and others, whose every request goes to another edge,
// one of which is up to 2 seconds behind, find all scripts of every page while versions follow
// each other. The control hides from the edges that it is a page that asks.
func claimAlternating(c *C) {
	f := newFleet(c).withControl()
	ahead, behind := f.edge(f.gateway, "FAIRWAY_POLL=50ms"), f.edge(f.gateway, "FAIRWAY_POLL=2s")
	api := f.control.Client()
	defer api.Close()
	f.project(context.Background(), "shop")
	version := 0
	publish := func() {
		version++
		if err := f.control.publishBundle(context.Background(), api, "shop", version); err != nil {
			c.Fatal(err)
		}
	}
	publish()
	for _, e := range []*Server{ahead, behind} {
		e.until("shop", "version 1")
	}
	b := openBrowser(c, "localhost")
	run := func(strip bool, publishes int) (a *alternating, opened int) {
		a = f.alternate([]*Server{ahead, behind}, strip)
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for range 8 {
			rnd := rand.New(rand.NewPCG(c.Rand.Uint64(), 1))
			all.Go(func() { a.read(ctx, rnd) })
		}
		var over atomic.Bool
		all.Go(func() {
			defer over.Store(true)
			for range publishes {
				publish()
				<-time.After(400 * time.Millisecond)
			}
		})
		tab := b.Tab()
		for ; !over.Load(); opened++ {
			tab.Open(a.address())
			var loaded string
			tab.Eval(&loaded, `new Promise((r) => setTimeout(r, %s)).then(() => window.later ? window.later() : Promise.reject("the entry is missing")).then(() => "all", (e) => "" + e)`, c.Rand.IntN(2500))
			if loaded != "all" && !strip {
				c.Errorf("in the browser, at version %d: %s", version, loaded)
			}
		}
		cancel()
		all.Wait()
		return a, opened
	}
	a, opened := run(false, c.Size)
	for _, m := range a.failures() {
		c.Errorf("%s", m)
	}
	control, _ := run(true, max(10, c.Size/5))
	c.Figure("%d publishes, two edges by turns, one asking its feed every 50 ms and one every 2 s: %d pages in Chromium, %d scripts in all, %d missing; hidden from the edges that a page asks: %d of %d missing",
		c.Size, opened, a.asked.Load(), len(a.failures()), len(control.failures()), control.asked.Load())
	if len(control.failures()) == 0 {
		c.Errorf("void: nothing is missing where the edges may not know that a page asks")
	}
	if opened < 3 || a.asked.Load() < int64(5*c.Size) {
		c.Errorf("void: %d pages and %d scripts", opened, a.asked.Load())
	}
}
