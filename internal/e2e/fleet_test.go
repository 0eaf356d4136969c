package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/s3"
	"github.com/scale-mesh/fairway/internal/servertest"
)

// fleet is a control plane and edges as processes of their own, with an S3 service between
// them. Control plane and edges reach it by ways that a claim can spoil one by one.
type fleet struct {
	*C
	gateway string // address of the S3 service
	bucket  string // folder where the S3 service keeps the bucket
	toxics  string // address of toxiproxy's own API
	control *Server
}

// The S3 service's bucket, and its keys. The secret has no run of characters that other files have.
const (
	fleetBucket = "fairway"
	fleetKey    = "AKIAFAIRWAYFLEET"
	fleetSecret = "Wq7nZk2vXr9sLm4tBc8dHj5p"
)

// newFleet starts an S3 service, with further settings, and toxiproxy.
func newFleet(c *C, settings ...string) *fleet {
	c.Helper()
	dir := c.TempDir()
	f := &fleet{C: c, bucket: filepath.Join(dir, fleetBucket)}
	if err := os.Mkdir(f.bucket, 0o755); err != nil {
		c.Fatal(err)
	}
	f.gateway = f.run("bin/versitygw", func(addr string) []string {
		return append(append([]string{"--port", addr, "--quiet"}, settings...), "posix", dir)
	}, "ROOT_ACCESS_KEY="+fleetKey, "ROOT_SECRET_KEY="+fleetSecret)
	f.toxics = f.run("bin/toxiproxy-server", func(addr string) []string {
		host, port, _ := net.SplitHostPort(addr)
		return []string{"-host", host, "-port", port}
	}, "LOG_LEVEL=error")
	return f
}

// withControl is a fleet with a control plane that runs.
func (f *fleet) withControl(env ...string) *fleet {
	f.Helper()
	f.control = f.server(append([]string{"FAIRWAY_ROLE=control", f.objects(f.gateway)}, env...)...)
	f.control.Start()
	return f
}

// database starts a PostgreSQL that syncs, and returns what a control plane needs to use it.
func (f *fleet) database() (s *servertest.Server, env []string) {
	f.Helper()
	s = servertest.Postgres(f, "-c", "fsync=on")
	return s, stateAt(s.Addr)
}

// stateAt is the state in the test's PostgreSQL, by one way to it.
func stateAt(addr string) []string {
	return []string{"FAIRWAY_STATE=postgres://" + servertest.User + "@" + addr + "/postgres?password=env:DB_PASSWORD", "DB_PASSWORD=" + servertest.Password}
}

// run starts a program that listens at a free port, and returns its address.
func (f *fleet) run(path string, args func(addr string) []string, env ...string) string {
	f.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(f))
	var log output
	program, err := exec.LookPath(path)
	if strings.Contains(path, "/") {
		program, err = binary(f, path, "make "+path), nil
	}
	if err != nil {
		f.Fatalf("%s: %v: make check-tools installs it", path, err)
	}
	cmd := exec.Command(program, args(addr)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	deadline := time.After(20 * time.Second)
	for {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return addr
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			f.Fatalf("%s does not listen: %.2000s", path, log.String())
		}
	}
}

// objects names the bucket, by one way to it.
func (f *fleet) objects(addr string) string {
	return fmt.Sprintf("FAIRWAY_OBJECTS=s3://%s?endpoint=http://%s&region=us-east-1&path_style=true", fleetBucket, addr)
}

// server is a process of the fleet that was not started yet.
func (f *fleet) server(env ...string) *Server {
	f.Helper()
	env = append(env, unlimited, "AWS_ACCESS_KEY_ID="+fleetKey, "AWS_SECRET_ACCESS_KEY="+fleetSecret)
	s := &Server{t: f, bin: binary(f, "fairway", "make fairway"), Data: f.TempDir(), HTTP: freePort(f), HTTPS: freePort(f), env: env}
	f.Cleanup(s.end)
	return s
}

// edge starts an edge that reaches the store at an address, and waits until it serves.
func (f *fleet) edge(store string, env ...string) *Server {
	f.Helper()
	s := f.server(append([]string{"FAIRWAY_ROLE=edge", f.objects(store)}, env...)...)
	key, err := os.ReadFile(filepath.Join(f.control.Data, "edge-key"))
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Data, "edge-key"), key, 0o600); err != nil {
		f.Fatal(err)
	}
	s.Launch()
	s.Serving()
	return s
}

// Serving waits until an edge serves sites, whatever else is dead.
func (s *Server) Serving() {
	s.t.Helper()
	s.eventually(60*time.Second, "the edge serves", func() bool {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/.fairway/health", s.HTTP))
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// store opens the bucket, by one way to it.
func (f *fleet) store(addr string) *s3.Store {
	f.Helper()
	keys := map[string]string{"AWS_ACCESS_KEY_ID": fleetKey, "AWS_SECRET_ACCESS_KEY": fleetSecret}
	store, err := s3.Open(context.Background(), s3.Config{
		Bucket: fleetBucket, Endpoint: "http://" + addr, Region: "us-east-1", PathStyle: true, Getenv: func(name string) string { return keys[name] },
	})
	if err != nil {
		f.Fatal(err)
	}
	return store
}

// bare is how long a Put and a Get of a few bytes take at the S3 service, one after the other: the
// median of some.
func (f *fleet) bare() time.Duration {
	f.Helper()
	store := f.store(f.gateway)
	var took []time.Duration
	for range 20 {
		began := time.Now()
		body := []byte(`{"a few bytes": "as a change of routes has"}`)
		if err := store.Put(context.Background(), "bare/object", bytes.NewReader(body), object.Check{Size: int64(len(body))}); err != nil {
			f.Fatal(err)
		}
		r, _, err := store.Get(context.Background(), "bare/object")
		if err != nil {
			f.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r)
		_ = r.Close()
		took = append(took, time.Since(began))
	}
	return quantile(took, 0.5)
}

// toxic is a way to the store that can be cut and slowed.
type toxic struct {
	f    *fleet
	name string
	addr string
}

// toxic opens a way to an address through toxiproxy.
func (f *fleet) toxic(name, to string) *toxic {
	f.Helper()
	t := &toxic{f, name, fmt.Sprintf("127.0.0.1:%d", freePort(f))}
	t.call(http.MethodPost, "/proxies", map[string]any{"name": name, "listen": t.addr, "upstream": to, "enabled": true})
	return t
}

func (t *toxic) call(method, path string, body any) {
	t.f.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.f.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://"+t.f.toxics+path, bytes.NewReader(b))
	if err != nil {
		t.f.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.f.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= 300 {
		why, _ := io.ReadAll(resp.Body)
		t.f.Fatalf("toxiproxy %s %s: %d %s", method, path, resp.StatusCode, why)
	}
}

// up opens or cuts the way, and every connection on it.
func (t *toxic) up(is bool) {
	t.f.Helper()
	t.call(http.MethodPost, "/proxies/"+t.name, map[string]any{"enabled": is})
}

// hole lets nothing through any more, and closes nothing.
func (t *toxic) hole() {
	t.f.Helper()
	t.call(http.MethodPost, "/proxies/"+t.name+"/toxics", map[string]any{
		"type": "timeout", "name": "hole", "stream": "downstream", "attributes": map[string]any{"timeout": 0},
	})
}

// mend ends what slow or hole began.
func (t *toxic) mend(toxic string) {
	t.f.Helper()
	t.call(http.MethodDelete, "/proxies/"+t.name+"/toxics/"+toxic, nil)
}

// slow delays whatever comes back.
func (t *toxic) slow(by time.Duration) {
	t.f.Helper()
	t.call(http.MethodPost, "/proxies/"+t.name+"/toxics", map[string]any{
		"type": "latency", "name": "slow", "stream": "downstream", "attributes": map[string]any{"latency": by.Milliseconds()},
	})
}

// flaky is a way to the store that fails a share of the requests, and counts them.
type flaky struct {
	addr string
	mu   sync.Mutex
	rand *rand.Rand
	fail float64
	gets map[string]int // by kind of object
	last time.Time      // when a request other than of the feed was there
}

func (f *fleet) flaky() *flaky {
	f.Helper()
	k := &flaky{rand: f.Rand, gets: map[string]int{}}
	next := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: f.gateway})
	next.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.fails(r) {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	}))
	f.Cleanup(server.Close)
	k.addr = server.Listener.Addr().String()
	return k
}

func (k *flaky) fails(r *http.Request) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+fleetBucket+"/"), "/")
	k.gets[kind]++
	if kind != "feed" {
		k.last = time.Now()
	}
	return k.rand.Float64() < k.fail
}

// failing sets the share of requests that fail from now on, and forgets what was counted.
func (k *flaky) failing(share float64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail, k.gets = share, map[string]int{}
}

// idle reports whether nobody but followers of the feed asked for so long.
func (k *flaky) idle(since time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.last) >= since
}

func (k *flaky) count(kind string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.gets[kind]
}

// until waits until a site shows a text at an edge.
func (s *Server) until(site, text string) {
	s.t.Helper()
	v := s.Visitor(1)
	defer v.CloseIdleConnections()
	s.eventually(30*time.Second, site+" shows "+text, func() bool {
		body, resp, err := fetch(v, s.Site(site)+"/")
		return err == nil && resp.StatusCode == 200 && strings.Contains(body, text)
	})
}

// site makes a project and puts files on it.
func (f *fleet) site(slug string, files map[string]string) {
	f.Helper()
	api := f.control.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	f.project(ctx, slug)
	if _, err := f.control.publish(ctx, api, slug, files); err != nil {
		f.Fatal(err)
	}
}
