package builder_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func noiseName(i int) string { return strconv.Itoa(i) }

// code returns the Fail code of err.
func code(err error) string {
	if e, ok := errors.AsType[*builder.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

func pack(t *testing.T, dir string) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := builder.Pack(t.Context(), dir, &b, hosting.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := len(unpacked(t, b.Bytes())); got != n {
		t.Errorf("packed %d files, says %d", got, n)
	}
	return b.Bytes()
}

// unpacked returns name -> content, or "-> target" of links, with the mode before it.
func unpacked(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeSymlink {
			body = []byte("-> " + h.Linkname)
		}
		got[h.Name] = fmt.Sprintf("%o %s", h.Mode, body)
	}
}

func names(m map[string]string) string { return strings.Join(slices.Sorted(maps.Keys(m)), " ") }

func TestPack_TakesWhatGitWouldAndNoSecret(t *testing.T) {
	r := newRepository(t)
	r.commit("first", ".gitignore", "dist\n*.log\n", "index.html", "x", "gone.html", "x", "tracked.log.txt", "x")
	write(t, r.dir, "new.html", "untracked", "dist/index.html", "ignored", "debug.log", "ignored", ".env", "SECRET", "sub/.env.local", "SECRET",
		"node_modules/a/index.js", "x", "sub/node_modules/b.js", "x", "sub/deep/ä.html", "x")
	if err := os.Remove(filepath.Join(r.dir, "gone.html")); err != nil {
		t.Fatal(err)
	}
	if got := names(unpacked(t, pack(t, r.dir))); got != ".gitignore index.html new.html sub/deep/ä.html tracked.log.txt" {
		t.Errorf("got %s", got)
	}
	if got := names(unpacked(t, pack(t, r.dir+"/sub"))); got != "deep/ä.html" {
		t.Errorf("of a folder below: got %s", got)
	}
}

func TestPack_RunsNothingThatTheRepositoryConfigures(t *testing.T) {
	r := newRepository(t)
	r.commit("first", "index.html", "x")
	mark := t.TempDir() + "/mark"
	r.git("config", "core.fsmonitor", "touch "+mark+"; false")
	r.git("config", "filter.x.clean", "touch "+mark)
	write(t, r.dir, ".gitattributes", "* filter=x\n", "index.html", "changed")
	pack(t, r.dir)
	if _, err := os.Stat(mark); err == nil {
		t.Error("a command of the repository's configuration ran")
	}
}

func TestPack_TakesEverythingOutsideAWorkTree(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", "x", ".gitignore", "index.html\n", ".git/config", "x", ".env", "x", "a/b", "y")
	if err := os.RemoveAll(dir + "/.git"); err != nil {
		t.Fatal(err)
	}
	if got := names(unpacked(t, pack(t, dir))); got != ".gitignore a/b index.html" {
		t.Errorf("got %s", got)
	}
}

func TestPack_IsTheSameForTheSameFiles(t *testing.T) {
	a := write(t, t.TempDir(), "index.html", "x", "b/run.sh", "y", "b/a", "z")
	b := write(t, t.TempDir(), "b/a", "z", "b/run.sh", "y", "index.html", "x")
	for _, dir := range []string{a, b} {
		if err := os.Chmod(dir+"/b/run.sh", 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(b+"/index.html", time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pack(t, a), pack(t, b)) {
		t.Error("two folders with the same files pack differently")
	}
	if got := unpacked(t, pack(t, a))["b/run.sh"]; got != "755 y" {
		t.Errorf("got %s", got)
	}
}

func TestPack_KeepsOnlyLinksThatStayInside(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", "x", "d/a", "y")
	for name, target := range map[string]string{"in": "d/a", "folder": "d", "out": "/etc/passwd", "up": "../x", "nothing": "none"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	got := unpacked(t, pack(t, dir))
	if names(got) != "d/a folder in index.html" || got["folder"] != "777 -> d" {
		t.Errorf("got %v", got)
	}
}

func TestPack_RefusesTooMuchAndNothing(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", noise(100_000))
	if _, err := builder.Pack(t.Context(), dir, io.Discard, hosting.Limits{SourceBytes: 50_000}); code(err) != hosting.FailTooLarge {
		t.Errorf("too much: got %v", err)
	}
	if _, err := builder.Pack(t.Context(), t.TempDir(), io.Discard, hosting.Limits{}); code(err) != hosting.FailSourceInvalid {
		t.Errorf("nothing: got %v", err)
	}
}

func TestPack_IsWhatAJobUnpacks(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", page, "docs/a.html", page)
	if err := os.Symlink("docs/a.html", dir+"/b.html"); err != nil {
		t.Fatal(err)
	}
	c := newControl(t, archiveJob())
	c.archive = pack(t, dir)
	if inv := c.succeeds(); len(inv.Files) != 3 {
		t.Errorf("got %+v", inv.Files)
	}
}
