package guard

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// gitServer serves one repository over smart HTTP, by the real git http-backend.
func gitServer(t *testing.T, start func(http.Handler) *httptest.Server) *httptest.Server {
	t.Helper()
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Skip("git is not installed")
	}
	root := t.TempDir()
	git(t, root, "init", "--quiet", "--initial-branch=main", "work")
	work := filepath.Join(root, "work")
	if err := os.WriteFile(filepath.Join(work, "index.html"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", ".")
	git(t, work, "-c", "user.name=a", "-c", "user.email=a@b.test", "commit", "--quiet", "-m", "first")
	git(t, root, "clone", "--quiet", "--bare", "work", "site.git")
	server := start(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	})
	t.Cleanup(server.Close)
	return server
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, gitEnv(dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

func gitEnv(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_TERMINAL_PROMPT=0",
	}
}

// clone has the real git clone through the proxy.
func clone(t *testing.T, proxy testProxy, server *httptest.Server) (out string, err error) {
	t.Helper()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if server.TLS != nil {
		b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		if err := os.WriteFile(ca, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("git", "-c", "http.proxy="+proxy.url.String(), "-c", "http.sslCAInfo="+ca,
		"clone", "--quiet", "--depth=1", server.URL+"/site.git", "cloned")
	cmd.Dir, cmd.Env = dir, gitEnv(dir)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return said.String(), err
	}
	b, err := os.ReadFile(filepath.Join(dir, "cloned", "index.html"))
	if string(b) != "hello" {
		t.Errorf("the clone holds %q", b)
	}
	return said.String(), err
}

func TestProxy_LetsGitCloneWhatThePolicyAdmits(t *testing.T) {
	for scheme, start := range map[string]func(http.Handler) *httptest.Server{
		"https": httptest.NewTLSServer, "http": httptest.NewServer,
	} {
		t.Run(scheme, func(t *testing.T) {
			server := gitServer(t, start)
			for name, policy := range map[string]Policy{
				"open": {Open: true}, "listed": {AllowPrivate: []string{server.URL}},
			} {
				proxy := startProxy(t, NewDialer(policy))
				if out, err := clone(t, proxy, server); err != nil {
					t.Errorf("%s: %v: %s; refused %q", name, err, out, proxy.Refused())
				}
			}
			other := strings.Replace(server.URL, "127.0.0.1", "127.0.0.2", 1)
			for name, policy := range map[string]Policy{"public": {}, "other listed": {AllowPrivate: []string{other}}} {
				proxy := startProxy(t, NewDialer(policy))
				if out, err := clone(t, proxy, server); err == nil {
					t.Errorf("%s: git cloned: %s", name, out)
				}
				if !slices.ContainsFunc(proxy.Refused(), func(s string) bool { return strings.Contains(s, "is not admitted") }) {
					t.Errorf("%s: refused %q", name, proxy.Refused())
				}
			}
		})
	}
}

func TestProxy_GivesGitNoWayToTheInsideByARedirect(t *testing.T) {
	inside := gitServer(t, httptest.NewServer)
	var asked bool
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = true
		http.Redirect(w, r, inside.URL+r.URL.String(), http.StatusFound)
	}))
	defer outside.Close()
	proxy := startProxy(t, NewDialer(Policy{AllowPrivate: []string{outside.URL}}))
	if out, err := clone(t, proxy, outside); err == nil || !asked || len(proxy.Refused()) == 0 {
		t.Errorf("git cloned by a redirect (%v, asked %v): %s; refused %q", err, asked, out, proxy.Refused())
	}
	proxy = startProxy(t, NewDialer(Policy{Open: true}))
	if out, err := clone(t, proxy, outside); err != nil {
		t.Errorf("the control: %v: %s", err, out)
	}
}
