package builder_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// env is what the runner hands a job.
func env() []string { return []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"} }

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// write makes files below dir: name, content, name, content.
func write(t *testing.T, dir string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		name := filepath.Join(dir, pairs[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(pairs[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// archive packs pairs into a tar.gz.
func archive(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var headers []tar.Header
	var bodies []string
	for i := 0; i < len(pairs); i += 2 {
		headers = append(headers, tar.Header{Name: pairs[i], Mode: 0o644, Size: int64(len(pairs[i+1])), Typeflag: tar.TypeReg})
		bodies = append(bodies, pairs[i+1])
	}
	return tarball(t, headers, bodies)
}

func tarball(t *testing.T, headers []tar.Header, bodies []string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if i < len(bodies) {
			if _, err := io.WriteString(w, bodies[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// content puts a file together from its blobs, in each of its forms.
func content(t *testing.T, f hosting.File, blobs map[hosting.Digest][]byte) []byte {
	t.Helper()
	var whole []byte
	for i, form := range f.Forms {
		var b []byte
		for j, p := range form.Parts {
			part, ok := blobs[p.Digest]
			if !ok {
				t.Fatalf("%s: part %d of %s was not uploaded", f.Path, j, form.Encoding)
			}
			if j < len(form.Parts)-1 && len(part) != hosting.MaxBlob {
				t.Errorf("%s: part %d has %d bytes", f.Path, j, len(part))
			}
			b = append(b, part...)
		}
		if int64(len(b)) != form.Size {
			t.Errorf("%s: %s has %d bytes, not %d", f.Path, form.Encoding, len(b), form.Size)
		}
		switch {
		case i == 0 && form.Encoding == hosting.EncodingIdentity:
			whole = b
		case i == 1 && form.Encoding == hosting.EncodingBrotli:
			plain, err := io.ReadAll(brotli.NewReader(bytes.NewReader(b)))
			if err != nil || !bytes.Equal(plain, whole) {
				t.Errorf("%s: br unpacks to something else (%v)", f.Path, err)
			}
		default:
			t.Errorf("%s: form %d is %s", f.Path, i, form.Encoding)
		}
	}
	return whole
}

// repository is a Git repository that is served over smart HTTP.
type repository struct {
	t   *testing.T
	dir string
	url string
	old atomic.Bool // it speaks version 0 of the protocol, which hands out only what it advertises
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	root := t.TempDir()
	r := &repository{t: t, dir: filepath.Join(root, "site")}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	execPath, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(execPath)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}, InheritEnv: []string{"PATH"},
		Stderr: io.Discard,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.old.Load() {
			q.Header.Del("Git-Protocol")
		}
		backend.ServeHTTP(w, q)
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/site/.git"
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(env(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "HOME="+r.t.TempDir(),
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes the files and returns the new commit's id.
func (r *repository) commit(message string, pairs ...string) string {
	r.t.Helper()
	write(r.t, r.dir, pairs...)
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// job is one that builds ref of the repository.
func (r *repository) job(ref string) hosting.Job {
	return hosting.Job{
		Source: hosting.Source{Kind: hosting.SourceGit, URL: r.url, Ref: ref},
		Policy: hosting.SourcePolicy{Open: true},
	}
}
