package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func fetch(v *http.Client, url string) (string, *http.Response, error) {
	resp, err := v.Get(url)
	if err != nil {
		return "", nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp, err
}

// publish deploys files as they are, through the API and the job protocol, as the CLI does.
func (s *Server) publish(ctx context.Context, api *client.Client, project string, files map[string]string) (hosting.Deployment, error) {
	dir, err := os.MkdirTemp(s.t.TempDir(), "")
	if err != nil {
		return hosting.Deployment{}, err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return hosting.Deployment{}, err
		}
	}
	out, err := builder.Collect(ctx, dir, hosting.DefaultLimits())
	if err != nil {
		return hosting.Deployment{}, err
	}
	defer func() { _ = out.Close() }()
	answer, err := api.Deploy(ctx, hosting.NewDeployment{Project: project, Source: hosting.SourceFiles})
	if err != nil {
		return hosting.Deployment{}, err
	}
	job := api.Job(answer.ID, answer.Upload.Token)
	if err := builder.Upload(ctx, job, out, nil); err != nil {
		return answer.Deployment, err
	}
	inv := out.Inventory(hosting.FallbackNone, "")
	d, err := job.Finish(ctx, hosting.Finish{Inventory: &inv})
	if err != nil {
		return answer.Deployment, err // it may be published all the same
	}
	return d, nil
}

// version is what one deployment of the load tests shows.
func version(n int) map[string]string {
	return map[string]string{
		"index.html":                fmt.Sprintf("<!doctype html><title>v</title><script src=/app-%d.js></script><p>version %d", n, n),
		fmt.Sprintf("app-%d.js", n): fmt.Sprintf("console.log('version %d')", n),
		"same.txt":                  fmt.Sprintf("version %d", n),
		"padding.css":               strings.Repeat(fmt.Sprintf("/* version %d */\n", n), 500),
	}
}

// load is a number of visitors who read pages and then the assets that the pages name, and check that
// what they get belongs together.
type load struct {
	visitor  func() *http.Client
	requests atomic.Int64
	gone     atomic.Int64 // assets of a version that is not shown any more: 404, never other bytes
	mu       sync.Mutex
	failures []string
	bodies   map[string]string // deployment + path -> SHA-256 of the body that it showed
	stop     chan struct{}
	done     sync.WaitGroup
}

// load lets visitors loose on a site, half of them over HTTPS.
func (s *Server) load(site string, visitors int) *load {
	l := newLoad(func() *http.Client { return s.Visitor(2) })
	for i := range visitors {
		base := s.Site(site)
		if i%2 == 1 {
			base = s.Secure(site)
		}
		l.done.Go(func() { l.visit(base) })
	}
	return l
}

func newLoad(visitor func() *http.Client) *load {
	return &load{visitor: visitor, bodies: map[string]string{}, stop: make(chan struct{})}
}

// Stop ends the load and returns what went wrong.
func (l *load) Stop() []string {
	close(l.stop)
	l.done.Wait()
	return l.failures
}

func (l *load) visit(base string) {
	v := l.visitor()
	defer v.CloseIdleConnections()
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		page, ok := l.get(v, base, "/", false)
		if !ok {
			continue
		}
		_, asset, _ := strings.Cut(page, "src=")
		asset, _, _ = strings.Cut(asset, ">")
		n := strings.TrimSuffix(strings.TrimPrefix(asset, "/app-"), ".js")
		if body, ok := l.get(v, base, asset, true); ok && body != fmt.Sprintf("console.log('version %s')", n) {
			l.fail("%s holds %q", asset, body)
		}
		l.get(v, base, "/padding.css", false)
	}
}

func (l *load) get(v *http.Client, base, path string, mayBeGone bool) (string, bool) {
	body, resp, err := fetch(v, base+path)
	l.requests.Add(1)
	if err != nil {
		l.fail("GET %s: %v", path, err)
		return "", false
	}
	if mayBeGone && resp.StatusCode == http.StatusNotFound {
		l.gone.Add(1)
		return "", false
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	deployment := resp.Header.Get("X-Fairway-Deployment")
	if resp.StatusCode != http.StatusOK || deployment == "" {
		l.fail("GET %s: status %d, deployment %q", path, resp.StatusCode, deployment)
		return "", false
	}
	// The client asks for gzip by itself, and takes it away again: text that shrinks comes so.
	want := `"` + sum + `"`
	if resp.Uncompressed {
		want = `"` + sum + `.gzip1"`
	}
	if etag := resp.Header.Get("Etag"); etag != want {
		l.fail("GET %s: ETag %s, want %s", path, etag, want)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := deployment + path
	if was, seen := l.bodies[key]; seen && was != sum {
		l.failures = append(l.failures, fmt.Sprintf("GET %s: two bodies of one deployment", path))
	}
	l.bodies[key] = sum
	return body, true
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures = append(l.failures, fmt.Sprintf(format, args...))
}

// loadFindsWhatIsWrong is the control of the load: servers that mix versions, mislabel bytes or
// fail must be found out, and so must one that is restarted under it.
func (c *C) loadFindsWhatIsWrong(s *Server, site string) {
	c.Helper()
	page := func(n int) string { return version(n)["index.html"] }
	asset := func(n int) string { return version(n)[fmt.Sprintf("app-%d.js", n)] }
	for name, h := range map[string]http.HandlerFunc{
		"another version's asset": func(w http.ResponseWriter, r *http.Request) {
			lie(w, map[bool]string{true: page(1), false: asset(2)}[r.URL.Path == "/"], "")
		},
		"an ETag of other bytes": func(w http.ResponseWriter, _ *http.Request) { lie(w, page(1), asset(1)) },
		"an error":               func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		srv := httptest.NewServer(h)
		l := newLoad(func() *http.Client { return new(http.Client) })
		l.done.Go(func() { l.visit(srv.URL) })
		s.eventually(10*time.Second, "the load finds "+name, func() bool { return l.failed() > 0 })
		l.Stop()
		srv.Close()
	}
	l := s.load(site, 4)
	s.eventually(10*time.Second, "the load has begun", func() bool { return l.requests.Load() > 50 })
	if l.failed() > 0 {
		c.Fatalf("the control fails before anything was done: %s", l.Stop()[0])
	}
	s.Kill()
	s.Start()
	if failures := l.Stop(); len(failures) == 0 {
		c.Fatal("the load did not notice a restart: nothing that it says counts")
	}
}

// lie answers with a body under the ETag of another one ("" for its own).
func lie(w http.ResponseWriter, body, tagged string) {
	if tagged == "" {
		tagged = body
	}
	w.Header().Set("X-Fairway-Deployment", "dpl_lie")
	w.Header().Set("Etag", fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(tagged))))
	_, _ = io.WriteString(w, body)
}

func (l *load) failed() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.failures)
}

// claimSwitchUnderLoad is main.4: version 2, roll back, version 1 at once without a build,
// version 2 still at its own address; and all that under load, many times.
func claimSwitchUnderLoad(c *C) {
	s := NewServer(c)
	api := s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	if _, err := api.CreateProject(ctx, hosting.NewProject{Name: "Shop", Slug: "shop"}); err != nil {
		c.Fatal(err)
	}
	deploy := func(n int) hosting.Deployment {
		c.Helper()
		d, err := s.publish(ctx, api, "shop", version(n))
		if err != nil || d.Status != hosting.StatusReady {
			c.Fatalf("publish version %d: %v %+v", n, err, d)
		}
		return d
	}
	shows := func(url string, n int) {
		c.Helper()
		s.Get(url+"/same.txt").Is(200, fmt.Sprintf("version %d", n))
	}
	promote := func(d hosting.Deployment) {
		c.Helper()
		if _, err := api.Promote(ctx, d.ID); err != nil {
			c.Fatalf("promote: %v", err)
		}
	}
	first := deploy(1)
	shows(s.Site("shop"), 1)
	l := s.load("shop", 4)
	started := time.Now()
	previous := first
	var rollback time.Duration
	for n := 2; n <= c.Size+1; n++ {
		d := deploy(n)
		if n%2 == 0 { // production follows the newest
			shows(s.Site("shop"), n)
			begin := time.Now()
			promote(previous) // roll back: pins production
			rollback = max(rollback, time.Since(begin))
			shows(s.Site("shop"), n-1)
		} else { // production is pinned: the deployment is READY but not live
			if !d.Pinned {
				c.Errorf("version %d went live although production was rolled back", n)
			}
			shows(s.Site("shop"), n-2)
			promote(d)
			shows(s.Site("shop"), n)
		}
		shows(d.URL, n)
		previous = d
	}
	failures := l.Stop()
	for i, f := range failures {
		if i < 10 {
			c.Errorf("under load: %s", f)
		}
	}
	n := l.requests.Load()
	if n < int64(20*c.Size) {
		c.Errorf("the run is void: only %d requests", n)
	}
	c.loadFindsWhatIsWrong(s, "shop")
	c.Figure("%d switches beside %d requests (%.0f/s), %d failed, %d assets of a version gone before they were asked for; slowest roll back %d ms",
		2*c.Size, n, float64(n)/time.Since(started).Seconds(), len(failures), l.gone.Load(), rollback.Milliseconds())
}

// claimReloads is main.6: Caddy reloads under load, valid and failing ones.
func claimReloads(c *C) {
	s := NewServer(c)
	api := s.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	if _, err := api.CreateProject(ctx, hosting.NewProject{Name: "Shop", Slug: "shop"}); err != nil {
		c.Fatal(err)
	}
	if _, err := s.publish(ctx, api, "shop", version(1)); err != nil {
		c.Fatal(err)
	}
	good := filepath.Join(root(c), "Caddyfile")
	bad := filepath.Join(c.TempDir(), "Caddyfile")
	conf, err := os.ReadFile(good)
	if err != nil {
		c.Fatal(err)
	}
	// Fails late: everything is provisioned, then a port cannot be listened on.
	late := bytes.Replace(conf, []byte("http://, https:// {"), []byte("http://192.0.2.1:1 {\n\tbind 192.0.2.1\n}\n\nhttp://, https:// {"), 1)
	if err := os.WriteFile(bad, late, 0o600); err != nil {
		c.Fatal(err)
	}
	l := s.load("shop", 4)
	failed := 0
	for n := range c.Size {
		config := good
		if n%10 == 3 {
			config = bad
		}
		_, errs, err := s.CLI(root(c), "reload", "--force", "--config", config)
		if (err != nil) != (config == bad) {
			c.Fatalf("reload %d with %s: %v\n%s", n, filepath.Base(filepath.Dir(config)), err, errs)
		}
		if err != nil {
			failed++
			if _, err := api.FindProject(ctx, "shop"); err != nil {
				c.Errorf("after a failed reload the admin endpoint says: %v", err)
			}
			s.Get(fmt.Sprintf("http://localhost:%d/api/health", s.HTTP)).Is(200, "ok")
		}
	}
	if _, err := s.publish(ctx, api, "shop", version(2)); err != nil {
		c.Errorf("publish after the reloads: %v", err)
	}
	s.Get(s.Site("shop")+"/same.txt").Is(200, "version 2")
	failures := l.Stop()
	for i, f := range failures {
		if i < 10 {
			c.Errorf("under load: %s", f)
		}
	}
	if failed == 0 || l.requests.Load() < int64(20*c.Size) {
		c.Errorf("the run is void: %d failing reloads, %d requests", failed, l.requests.Load())
	}
	c.loadFindsWhatIsWrong(s, "shop")
	c.Figure("%d reloads, %d of them failing as meant, beside %d requests, %d failed", c.Size, failed, l.requests.Load(), len(failures))
}
