package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
)

// Server is a running Fairway with a data folder of its own. It ends with the test, and so
// do the jobs it left.
type Server struct {
	t     testing.TB
	bin   string
	Data  string
	HTTP  int
	HTTPS int
	env   []string

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
	out    *output
}

// root is the repository's top folder.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// testBinary is the build with the race detector and the crash points.
func testBinary(t testing.TB) string { return binary(t, "bin/fairway-test", "make bin/fairway-test") }

func binary(t testing.TB, path, how string) string {
	t.Helper()
	bin := filepath.Join(root(t), path)
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("%s is not built: run %s", path, how)
	}
	return bin
}

// NewServer starts a server on free ports and waits until it answers.
func NewServer(t testing.TB, env ...string) *Server {
	t.Helper()
	return startServer(t, testBinary(t), env)
}

// NewFastServer is NewServer with the build that is released: what is measured is not the
// race detector.
func NewFastServer(t testing.TB, env ...string) *Server {
	t.Helper()
	return startServer(t, binary(t, "fairway", "make fairway"), env)
}

func startServer(t testing.TB, bin string, env []string) *Server {
	t.Helper()
	s := &Server{t: t, bin: bin, Data: t.TempDir(), HTTP: freePort(t), HTTPS: freePort(t), env: env}
	t.Cleanup(s.end)
	s.Start()
	return s
}

// Environ is what the server, and the CLI beside it, are started with.
func (s *Server) Environ(more ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8", "NO_COLOR=1",
		"GORACE=halt_on_error=1 exitcode=66",
		"FAIRWAY_DATA=" + s.Data,
		fmt.Sprintf("FAIRWAY_HTTP_PORT=%d", s.HTTP), fmt.Sprintf("FAIRWAY_HTTPS_PORT=%d", s.HTTPS),
	}
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY", "NPM_CONFIG_USERCONFIG"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(append(env, s.env...), more...)
}

// Start starts the server and waits until its API is healthy.
func (s *Server) Start(env ...string) {
	s.t.Helper()
	s.Launch(env...)
	s.Healthy()
}

// Launch starts the process without waiting for it.
func (s *Server) Launch(env ...string) {
	s.t.Helper()
	s.launch(exec.Command(s.bin, "run", "--config", filepath.Join(root(s.t), "Caddyfile")), env...)
}

func (s *Server) launch(cmd *exec.Cmd, env ...string) {
	s.t.Helper()
	s.cmd, s.out, s.exited = cmd, new(output), make(chan struct{})
	s.cmd.Env = s.Environ(env...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(exited)
	}(s.cmd, s.exited)
}

// Healthy waits until the API answers.
func (s *Server) Healthy() {
	s.t.Helper()
	c := s.Client()
	defer c.Close()
	s.eventually(60*time.Second, "the server is healthy", func() bool {
		select {
		case <-s.exited:
			s.t.Fatalf("the server ended: %v\n%s", s.cmd.ProcessState, s.out)
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		h, err := c.Health(ctx)
		return err == nil && h.Status == "ok"
	})
}

// Kill ends the process as kill -9 does.
func (s *Server) Kill() {
	s.t.Helper()
	_ = syscall.Kill(s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.exited
}

// Stop asks the process to end, and fails if it does not, or ends badly.
func (s *Server) Stop() {
	s.t.Helper()
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		s.t.Errorf("the server did not end within 30 s of SIGTERM\n%s", s.out)
		s.Kill()
	}
}

// Exited returns when the process has ended by itself, or fails after the timeout.
func (s *Server) Exited(timeout time.Duration) bool {
	select {
	case <-s.exited:
		return true
	case <-time.After(timeout):
		return false
	}
}

// whileRunning returns a context that ends with the process, or after the limit: who uploads
// or follows would otherwise wait for a killed server to come back.
func (s *Server) whileRunning(limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	exited, done := s.exited, make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-exited:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-done }
}

// end stops the server and whatever jobs it left, and shows its output if the test failed.
func (s *Server) end() {
	if s.cmd != nil {
		select {
		case <-s.exited:
		default:
			s.Stop()
		}
	}
	for _, pid := range s.jobProcesses() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if s.out != nil && strings.Contains(s.out.String(), "DATA RACE") {
		s.t.Errorf("the race detector found a race in the server")
	}
	if s.t.Failed() && s.out != nil {
		s.t.Logf("the server's output:\n%s", s.out)
	}
}

// jobProcesses lists the processes that carry this data folder's job socket in their
// environment: jobs and all that they started.
func (s *Server) jobProcesses() (pids []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	mark := []byte("FAIRWAY_JOB_API=unix://" + s.Data)
	home := []byte("HOME=" + filepath.Join(s.Data, "jobs"))
	for _, d := range dirs {
		env, err := os.ReadFile(filepath.Join(d, "environ"))
		if err != nil || (!bytes.Contains(env, mark) && !bytes.Contains(env, home)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(d), "%d", &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Client calls the API through the admin socket, as the CLI does.
func (s *Server) Client() *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{Socket: filepath.Join(s.Data, "admin.sock"), Base: "/fairway"})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// Site is the address of a host of the platform over HTTP.
func (s *Server) Site(host string) string { return fmt.Sprintf("http://%s.localhost:%d", host, s.HTTP) }

// Secure is the same over HTTPS.
func (s *Server) Secure(host string) string {
	return fmt.Sprintf("https://%s.localhost:%d", host, s.HTTPS)
}

// Visitor returns an HTTP client that finds *.localhost and trusts the internal root.
// It follows no redirects and keeps up to n connections.
func (s *Server) Visitor(n int) *http.Client {
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(filepath.Join(s.Data, "caddy/pki/authorities/local/root.crt")); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	d := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(addr)
				if err != nil {
					return nil, err
				}
				return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
			},
			TLSClientConfig:     &tls.Config{RootCAs: roots},
			MaxIdleConnsPerHost: n,
			ForceAttemptHTTP2:   true,
		},
	}
}

// Get fetches an address as a visitor.
func (s *Server) Get(url string) Response {
	s.t.Helper()
	v := s.Visitor(1)
	defer v.CloseIdleConnections()
	resp, err := v.Get(url)
	if err != nil {
		s.t.Fatalf("GET %s: %v", url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("GET %s: %v", url, err)
	}
	return Response{s.t, url, resp, string(body)}
}

// Response is what a visitor got.
type Response struct {
	t    testing.TB
	url  string
	resp *http.Response
	Body string
}

// Is fails unless the status is this one and the body holds the text.
func (r Response) Is(status int, text string) Response {
	r.t.Helper()
	if r.resp.StatusCode != status || !strings.Contains(r.Body, text) {
		r.t.Fatalf("GET %s: status %d, want %d with %q in the body:\n%.600s", r.url, r.resp.StatusCode, status, text, r.Body)
	}
	return r
}

// Header returns a header of the response.
func (r Response) Header(name string) string { return r.resp.Header.Get(name) }

// CLI runs the binary's command in dir and returns what it wrote.
func (s *Server) CLI(dir string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	return s.cli(dir, nil, args...)
}

func (s *Server) cli(dir string, env []string, args ...string) (stdout, stderr string, err error) {
	s.t.Helper()
	cmd := exec.Command(s.bin, args...)
	cmd.Dir, cmd.Env = dir, s.Environ(env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// Deploy runs `fairway deploy` and returns the URL that it printed last.
func (s *Server) Deploy(dir string, args ...string) string {
	s.t.Helper()
	out, errs, err := s.CLI(dir, append([]string{"deploy"}, args...)...)
	if err != nil {
		s.t.Fatalf("fairway deploy %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// eventually waits for something that no event announces, such as another process.
func (s *Server) eventually(limit time.Duration, what string, done func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			s.t.Fatalf("after %v it still does not hold that %s\n%s", limit, what, s.out)
		case <-tick.C:
		}
	}
}

// output gathers what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// taken remembers the ports that this process gave out, so that two servers of one test
// never get the same.
var taken sync.Map

func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		_ = ln.Close()
		if _, used := taken.LoadOrStore(port, true); !used {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}
