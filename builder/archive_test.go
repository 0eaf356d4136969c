package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// zeros is a body of that many zero bytes.
type zeros int64

func pack(tb testing.TB, entries ...any) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(entries); i += 2 {
		h := entries[i].(tar.Header)
		var body io.Reader = strings.NewReader("")
		switch v := entries[i+1].(type) {
		case string:
			h.Size, body = int64(len(v)), strings.NewReader(v)
		case zeros:
			h.Size, body = int64(v), io.LimitReader(zeroReader{}, int64(v))
		}
		if err := w.WriteHeader(&h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.Copy(w, body); err != nil {
			tb.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func file(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }

func link(name, target string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}
}

func special(name string, kind byte) tar.Header {
	return tar.Header{Name: name, Typeflag: kind, Linkname: "a"}
}

// extractTo unpacks into a folder below a parent, which nothing may write to.
func extractTo(tb testing.TB, b []byte, limits hosting.Limits) (dir string, n int, err error) {
	tb.Helper()
	dir = filepath.Join(tb.TempDir(), "src")
	if err := os.Mkdir(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	defer root.Close()
	n, err = extract(tb.Context(), root, bytes.NewReader(b), limits.OrDefaults())
	entries, readErr := os.ReadDir(filepath.Dir(dir))
	if readErr != nil || len(entries) != 1 {
		tb.Fatalf("something was written beside the folder: %v, %v", entries, readErr)
	}
	return dir, n, err
}

func TestExtract_UnpacksFilesFoldersAndLinks(t *testing.T) {
	run := file("bin/run.sh")
	run.Mode = 0o6755 // setuid and setgid
	dir, n, err := extractTo(t, pack(t, tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o777}, "",
		file("./index.html"), "hello", run, "x", link("bin/up", "../index.html"), "", link("dangling", "later"), ""), hosting.Limits{})
	if err != nil || n != 2 {
		t.Fatalf("got %d, %v", n, err)
	}
	if b, err := os.ReadFile(dir + "/bin/up"); string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
	info, err := os.Stat(dir + "/bin/run.sh")
	if err != nil || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 || info.Mode()&0o100 == 0 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestExtract_Refuses(t *testing.T) {
	for name, c := range map[string]struct {
		archive []byte
		limits  hosting.Limits
		code    string
	}{
		"a path up":                    {pack(t, file("../evil"), "x"), hosting.Limits{}, hosting.FailSourceInvalid},
		"a path up in the middle":      {pack(t, file("a/../../evil"), "x"), hosting.Limits{}, hosting.FailSourceInvalid},
		"an absolute path":             {pack(t, file("/tmp/evil"), "x"), hosting.Limits{}, hosting.FailSourceInvalid},
		"an absolute link":             {pack(t, link("a", "/etc"), ""), hosting.Limits{}, hosting.FailSourceInvalid},
		"a link up":                    {pack(t, link("a", ".."), ""), hosting.Limits{}, hosting.FailSourceInvalid},
		"a file through a link":        {pack(t, file("d/x"), "x", link("a", "d"), "", file("a/x"), "y"), hosting.Limits{}, hosting.FailSourceInvalid},
		"links that lead out together": {pack(t, file("x/y"), "", link("x/e", ".."), "", link("d", "x"), "", link("l", "d/e/../.."), ""), hosting.Limits{}, hosting.FailSourceInvalid},
		"a hard link":                  {pack(t, file("a"), "x", special("b", tar.TypeLink), ""), hosting.Limits{}, hosting.FailSourceInvalid},
		"a device":                     {pack(t, special("b", tar.TypeBlock), ""), hosting.Limits{}, hosting.FailSourceInvalid},
		"a fifo":                       {pack(t, special("b", tar.TypeFifo), ""), hosting.Limits{}, hosting.FailSourceInvalid},
		"a name twice":                 {pack(t, file("a"), "x", file("a"), "y"), hosting.Limits{}, hosting.FailSourceInvalid},
		"a file over a link":           {pack(t, link("a", "b"), "", file("a"), "y"), hosting.Limits{}, hosting.FailSourceInvalid},
		"a long name":                  {pack(t, file(strings.Repeat("x", 1100)), "x"), hosting.Limits{}, hosting.FailSourceInvalid},
		"a deep name":                  {pack(t, file(strings.Repeat("x/", 70)+"x"), "x"), hosting.Limits{}, hosting.FailSourceInvalid},
		"nothing":                      {pack(t), hosting.Limits{}, hosting.FailSourceInvalid},
		"no gzip":                      {[]byte("hello"), hosting.Limits{}, hosting.FailSourceInvalid},
		"half an archive":              {pack(t, file("a"), strings.Repeat("x", 5000))[:60], hosting.Limits{}, hosting.FailSourceInvalid},
		"a bomb":                       {pack(t, file("a"), zeros(80<<20)), hosting.Limits{}, hosting.FailTooLarge},
		"more than a site":             {pack(t, file("a"), zeros(1<<20)), hosting.Limits{SiteBytes: 1 << 16}, hosting.FailTooLarge},
		"more than a source":           {pack(t, file("a"), strings.Repeat("xyz", 1000)), hosting.Limits{SourceBytes: 20}, hosting.FailTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, err := extractTo(t, c.archive, c.limits)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != c.code {
				t.Errorf("got %v, want %s", err, c.code)
			}
			if used := usage(t, dir); used > ratioMatters+1<<20 {
				t.Errorf("%d bytes were written before it was refused", used)
			}
		})
	}
}

func TestExtract_CountsTheHolesOfSparseFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(dir+"/a", 1<<30); err != nil {
		t.Fatal(err)
	}
	b, err := exec.Command("tar", "--sparse", "--format=posix", "-C", dir, "-cz", "a").Output()
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := extractTo(t, b, hosting.Limits{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Code != hosting.FailTooLarge {
		t.Errorf("%d packed bytes: got %v", len(b), err)
	}
	if used := usage(t, got); used > ratioMatters+1<<20 {
		t.Errorf("%d bytes were written before it was refused", used)
	}
}

func usage(tb testing.TB, dir string) (n int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			n += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestFormStore_SpillsToAFileBeyondItsBudget(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := &formStore{budget: 100}
	var digests []hosting.Digest
	for i := range 10 {
		b := bytes.Repeat([]byte{byte(i)}, 40)
		d := hosting.DigestOf(b)
		digests = append(digests, d, d)
		for range 2 {
			if err := s.put(d, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.held > 100 || s.end != 8*40 {
		t.Errorf("%d bytes in memory, %d in the file", s.held, s.end)
	}
	for _, d := range digests {
		if b, err := s.get(d); err != nil || hosting.DigestOf(b) != d {
			t.Errorf("got %v, %v", b, err)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("the file has a name: %v, %v", left, err)
	}
	if err := errors.Join(s.close(), s.close()); err != nil {
		t.Error(err)
	}
}

func FuzzExtract(f *testing.F) {
	raw := func(b []byte) []byte {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			f.Fatal(err)
		}
		out, err := io.ReadAll(z)
		if err != nil {
			f.Fatal(err)
		}
		return out
	}
	f.Add(raw(pack(f, file("a/b"), "x", link("c", "a/b"), "", link("d", ".."), "")))
	f.Add(raw(pack(f, file("../x"), "x")))
	f.Add(raw(pack(f, link("a", "b"), "", link("b", "a"), "", file("a/c"), "x")))
	f.Fuzz(func(t *testing.T, tape []byte) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(tape)
		_ = z.Close()
		dir, n, err := extractTo(t, b.Bytes(), hosting.Limits{SiteBytes: 1 << 20})
		if err == nil && n == 0 {
			t.Fatal("nothing is a success")
		}
		// Whatever came out, every link leads inside or nowhere.
		root, openErr := os.OpenRoot(dir)
		if openErr != nil {
			t.Fatal(openErr)
		}
		defer root.Close()
		if err != nil {
			return
		}
		_ = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, _ error) error {
			if d != nil && d.Type()&fs.ModeSymlink != 0 {
				if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("the link %q: %v", name, err)
				}
			}
			return nil
		})
	})
}
