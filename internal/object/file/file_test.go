package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
)

func open(t *testing.T, dir string) *file.Store {
	t.Helper()
	s, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func put(t *testing.T, s object.Store, key, body string) {
	t.Helper()
	if err := s.Put(t.Context(), key, strings.NewReader(body), object.Check{Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
}

func TestStore_KeepsTheContract(t *testing.T) {
	objecttest.Run(t, func(t *testing.T) object.Store { return open(t, t.TempDir()) })
}

func TestOpen_ThrowsAwayInterruptedPutsAndClosesTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "objects")
	if err := os.MkdirAll(filepath.Join(dir, ".tmp", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".tmp/half", ".tmp/sub/half"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	wantEmpty(t, filepath.Join(dir, ".tmp"))
	for _, name := range []string{"", ".tmp"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%q: %v, %v; want 0700", name, st.Mode(), err)
		}
	}
}

func TestOpen_KeepsObjects(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, dir), "a/b", "1")
	s := open(t, dir)
	if info, err := s.Stat(t.Context(), "a/b"); err != nil || info.Size != 1 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestPut_LeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "good", "1")
	if err := s.Put(t.Context(), "bad", strings.NewReader("1"), object.Check{Size: 2}); err == nil {
		t.Error("a short body was stored")
	}
	if err := s.Put(t.Context(), "good/below", strings.NewReader("1"), object.Check{Size: 1}); err == nil {
		t.Error("an object was stored below another")
	}
	wantEmpty(t, filepath.Join(dir, ".tmp"))
}

func TestPut_RefusesWhatAFolderHasNoRoomFor(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a/b", "1")
	for key, code := range map[string]hosting.Code{
		"a":                      hosting.CodeConflict,
		"a/b/c":                  hosting.CodeConflict,
		"a/b/c/d":                hosting.CodeConflict,
		strings.Repeat("k", 256): hosting.CodeInvalid,
	} {
		err := s.Put(t.Context(), key, strings.NewReader("1"), object.Check{Size: 1})
		if hosting.CodeOf(err) != code {
			t.Errorf("put %s: %v, want %s", key, err, code)
		}
	}
	if infos, err := s.List(t.Context(), "", "", 10); err != nil || len(infos) != 1 {
		t.Errorf("%v, %v; want a/b alone", infos, err)
	}
}

func TestDelete_RemovesTheFoldersItEmpties(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b/c/one", "1")
	put(t, s, "a/two", "2")
	if err := s.Delete(t.Context(), "a/b/c/one"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "b")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty folder is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a", "two")); err != nil {
		t.Error(err)
	}
}

func TestStore_DoesNotFollowLinksOutOfItsFolder(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := open(t, dir)
	for name, target := range map[string]string{"file": filepath.Join(outside, "secret"), "dir": outside} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "dir/secret"} {
		if r, _, err := s.Get(t.Context(), key); err == nil {
			_ = r.Close()
			t.Errorf("%s was read", key)
		}
	}
	if err := s.Put(t.Context(), "dir/new", strings.NewReader("1"), object.Check{Size: 1}); err == nil {
		t.Error("an object was written outside")
	}
	if infos, err := s.List(t.Context(), "", "", 10); err != nil || len(infos) != 0 {
		t.Errorf("links are listed: %v, %v", infos, err)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%s holds %v, %v; want nothing", dir, entries, err)
	}
}
