package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/s3"
)

const (
	accessKey = "AKIAFAIRWAYTESTS"
	secretKey = "shibboleth-0123456789"
)

// versitygw is one gateway for all tests of the package, over a folder whose folders are its
// buckets.
type versitygw struct {
	url, dir string
	cmd      *exec.Cmd
	log      bytes.Buffer
}

var started struct {
	sync.Mutex
	*versitygw
}

func TestMain(m *testing.M) {
	rc := m.Run()
	if g := started.versitygw; g != nil {
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
		_ = os.RemoveAll(g.dir)
	}
	os.Exit(rc)
}

func gateway(t *testing.T) *versitygw {
	t.Helper()
	started.Lock()
	defer started.Unlock()
	if started.versitygw == nil {
		g, err := start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		started.versitygw = g
	}
	return started.versitygw
}

func start(ctx context.Context) (*versitygw, error) {
	binary, err := filepath.Abs("../../../bin/versitygw")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: make bin/versitygw builds it", err)
	}
	g := &versitygw{}
	if g.dir, err = os.MkdirTemp("", "versitygw"); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	_ = free.Close()
	g.url = "http://" + addr
	g.cmd = exec.Command(binary, "--port", addr, "--quiet", "posix", g.dir)
	g.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+secretKey)
	g.cmd.Stdout, g.cmd.Stderr = &g.log, &g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if c, err := net.Dial("tcp", addr); err == nil {
			return g, c.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("versitygw does not listen: %.2000s", g.log.String())
		}
	}
}

var buckets atomic.Int64

// bucket makes an empty bucket that ends with the test.
func (g *versitygw) bucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("bucket-%d", buckets.Add(1))
	if err := os.Mkdir(filepath.Join(g.dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Join(g.dir, name)) })
	return name
}

func keys(name string) string {
	return map[string]string{"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey}[name]
}

// open opens a bucket at an endpoint, with the gateway's keys where c names none.
func open(t *testing.T, c s3.Config) *s3.Store {
	t.Helper()
	c.PathStyle = true
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Getenv == nil {
		c.Getenv = keys
	}
	s, err := s3.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fault may answer instead of next, or change what next gets and answers.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// proxied opens a new bucket through a proxy that counts requests and has the fault.
func proxied(t *testing.T, c s3.Config, f fault) (*s3.Store, *atomic.Int64) {
	t.Helper()
	g := gateway(t)
	target, err := url.Parse(g.url)
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	next := httputil.NewSingleHostReverseProxy(target)
	next.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		f(w, r, next)
	}))
	t.Cleanup(server.Close)
	c.Endpoint = server.URL
	c.Bucket = g.bucket(t)
	return open(t, c), &requests
}

func put(t *testing.T, s object.Store, key, body string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(body), object.Check{Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
}

// wantNoSecrets holds for every error: it may end in a log, or on a page.
func wantNoSecrets(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, secret := range []string{accessKey, secretKey, "X-Amz-Signature", "Credential=", "://"} {
			if strings.Contains(fmt.Sprintf("%v %+v", e, e), secret) {
				t.Errorf("the error shows %q: %v", secret, e)
			}
		}
	}
}
