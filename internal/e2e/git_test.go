package e2e

import (
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Forge serves bare repositories over smart HTTP by git's own backend.
type Forge struct {
	t    testing.TB
	root string
	URL  string
}

// NewForge starts a forge without repositories.
func NewForge(t testing.TB) *Forge {
	t.Helper()
	exec := git(t, "", "--exec-path")
	f := &Forge{t: t, root: t.TempDir()}
	srv := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(exec), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + f.root, "GIT_HTTP_EXPORT_ALL=1"},
	})
	t.Cleanup(srv.Close)
	f.URL = srv.URL
	return f
}

// Push makes or extends a repository by a commit of exactly these files, and returns its
// address and the commit.
func (f *Forge) Push(name string, files map[string]string) (url, commit string) {
	f.t.Helper()
	bare := filepath.Join(f.root, name+".git")
	work := filepath.Join(f.root, name+".work")
	if _, err := os.Stat(bare); err != nil {
		git(f.t, "", "init", "-q", "--bare", "-b", "main", bare)
		git(f.t, "", "init", "-q", "-b", "main", work)
	}
	writeFiles(f.t, work, files)
	git(f.t, work, "add", "-A", "-f")
	git(f.t, work, "-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "--allow-empty", "-m", "Change "+name)
	git(f.t, work, "push", "-q", bare, "main")
	return f.URL + "/" + name + ".git", strings.TrimSpace(git(f.t, work, "rev-parse", "HEAD"))
}

func git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
