package builder_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func collect(t *testing.T, dir string) *builder.Output {
	t.Helper()
	o, err := builder.Collect(t.Context(), dir, hosting.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// noise does not shrink.
func noise(n int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

func TestCollect_DescribesEveryFileAndItsForms(t *testing.T) {
	large := noise(2*hosting.MaxBlob + 5)
	text := strings.Repeat("<p>the same again</p>\n", 60_000) // 1.3 MB
	dir := write(t, t.TempDir(),
		"index.html", text, "small.css", "a{}", "noise.js", noise(4000), "video.mp4", large, "empty.txt", "",
		"sub/.well-known/x", "y", "copy/index.html", text)
	o := collect(t, dir)
	c := newControl(t, hosting.Job{})
	if err := builder.Upload(t.Context(), c, o, nil); err != nil {
		t.Fatal(err)
	}
	inv := o.Inventory(hosting.FallbackNone, "static")
	checkInventory(t, inv, c.blobs)
	forms := map[string]int{}
	for _, f := range inv.Files {
		forms[f.Path] = len(f.Forms)
		want, err := os.ReadFile(filepath.Join(dir, f.Path))
		if err != nil || !bytes.Equal(content(t, f, c.blobs), want) {
			t.Errorf("%s differs from its file (%v)", f.Path, err)
		}
	}
	want := map[string]int{
		"index.html": 2, "copy/index.html": 2, "small.css": 1, "noise.js": 1, "video.mp4": 1, "empty.txt": 1, "sub/.well-known/x": 1,
	}
	if !reflect.DeepEqual(forms, want) {
		t.Errorf("got %v, want %v", forms, want)
	}
}

func TestCollect_IsTheSameForTheSameFiles(t *testing.T) {
	var pairs []string
	for i := range 60 {
		pairs = append(pairs, strings.Repeat("d/", i%4)+string(rune('a'+i%26))+strings.Repeat("x", i)+".html", strings.Repeat(noise(i+1), 50))
	}
	a := collect(t, write(t, t.TempDir(), pairs...))
	b := collect(t, write(t, t.TempDir(), pairs...))
	upload(t, newControl(t, hosting.Job{}), a)
	upload(t, newControl(t, hosting.Job{}), b)
	if len(formsIn(a.Files)) < 30 {
		t.Errorf("control: %d files are compressed", len(formsIn(a.Files)))
	}
	if !reflect.DeepEqual(a.Files, b.Files) {
		t.Error("two folders with the same files differ")
	}
}

func TestCollect_LeavesOutWhatIsPrivate(t *testing.T) {
	o := collect(t, write(t, t.TempDir(), "index.html", "x", ".git/config", "x", "sub/node_modules/a/index.js", "x",
		".env", "x", ".env.local", "x", "sub/.DS_Store", "x", ".fairway/x", "x", ".npmrc", "x", "env.html", "x"))
	var paths []string
	for _, f := range o.Files {
		paths = append(paths, f.Path)
	}
	if got := strings.Join(paths, " "); got != "env.html index.html" || o.LeftOut != 7 {
		t.Errorf("got %s, %d left out", got, o.LeftOut)
	}
}

func TestCollect_FollowsLinksThatStayInside(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", "home", "docs/a.html", "a")
	for link, target := range map[string]string{"home.html": "index.html", "manual": "docs", "docs/up.html": "../index.html", "twice.html": "home.html"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]hosting.Digest{}
	for _, f := range collect(t, dir).Files {
		got[f.Path] = f.Digest
	}
	home, a := hosting.DigestOf([]byte("home")), hosting.DigestOf([]byte("a"))
	want := map[string]hosting.Digest{
		"index.html": home, "home.html": home, "twice.html": home, "docs/a.html": a, "docs/up.html": home, "manual/a.html": a, "manual/up.html": home,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestCollect_RefusesByName(t *testing.T) {
	link := func(target string) func(string) error {
		return func(name string) error { return os.Symlink(target, name) }
	}
	outside := write(t, t.TempDir(), "secret", "x")
	for name, c := range map[string]struct {
		file string
		make func(string) error
		says string
	}{
		"an absolute link":        {"a", link(outside + "/secret"), "leaves"},
		"a link up":               {"a", link("../../etc/passwd"), "leaves"},
		"a link to a folder":      {"a", link(outside), "leaves"},
		"a link to nothing":       {"a", link("nothing"), "link to nothing"},
		"a link to itself":        {"a", link("a"), "leads back to itself"},
		"a link to its folder":    {"a", link("."), "leads back"},
		"a fifo":                  {"a", func(n string) error { return syscall.Mkfifo(n, 0o600) }, "neither a file nor a folder"},
		"a link to a fifo":        {"b", func(n string) error { return syscall.Mkfifo(n+"2", 0o600) }, "b2"},
		"a name that is no UTF-8": {"\xff", func(n string) error { return os.WriteFile(n, nil, 0o600) }, `\xff`},
		"a backslash":             {`a\b`, func(n string) error { return os.WriteFile(n, nil, 0o600) }, "cannot be published"},
		"a socket": {"s", func(n string) error {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer syscall.Close(fd)
			return syscall.Bind(fd, &syscall.SockaddrUnix{Name: n})
		}, "neither"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "zoo") // short, for the socket's name
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			write(t, dir, "index.html", "x")
			if err := c.make(filepath.Join(dir, c.file)); err != nil {
				t.Fatal(err)
			}
			_, err = builder.Collect(t.Context(), dir, hosting.Limits{})
			if code(err) != hosting.FailOutputInvalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q in it", err, c.says)
			}
		})
	}
}

func TestCollect_StopsWhenItIsTold(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := builder.Collect(ctx, write(t, t.TempDir(), "index.html", "x"), hosting.Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestCollect_SaysThatTheFolderIsNotThere(t *testing.T) {
	_, err := builder.Collect(t.Context(), t.TempDir()+"/none", hosting.Limits{})
	if code(err) != hosting.FailOutputMissing || !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("got %v", err)
	}
}

// flakyUploads loses requests and answers.
type flakyUploads struct {
	*control
	puts atomic.Int64
}

func (f *flakyUploads) PutBlob(ctx context.Context, to hosting.BlobUpload, body []byte) error {
	n := f.puts.Add(1)
	down := hosting.Errorf(hosting.CodeUnavailable, "down")
	if n%5 == 0 {
		return down
	}
	err := f.control.PutBlob(ctx, to, body)
	if err == nil && n%7 == 0 {
		return down
	}
	return err
}

func TestUpload_BringsEveryMissingBlobThroughFailures(t *testing.T) {
	var pairs []string
	for i := 1; i <= 40; i++ { // an empty file has no blob
		pairs = append(pairs, strings.Repeat("p", i+1)+".html", strings.Repeat("x", i)+noise(i))
	}
	o := collect(t, write(t, t.TempDir(), pairs...))
	c := newControl(t, hosting.Job{})
	f := &flakyUploads{control: c}
	var got []builder.Progress
	if err := builder.Upload(t.Context(), f, o, func(p builder.Progress) { got = append(got, p) }); err != nil {
		t.Fatal(err)
	}
	checkInventory(t, o.Inventory("", ""), c.blobs)
	last := got[len(got)-1]
	if last.Blobs != 40 || last.TotalBlobs != 40 || last.Bytes != last.TotalBytes || last.Bytes != o.Bytes {
		t.Errorf("the progress ends with %+v of %d bytes", last, o.Bytes)
	}
	before := f.puts.Load()
	if err := builder.Upload(t.Context(), f, o, func(p builder.Progress) { last = p }); err != nil || f.puts.Load() != before || last.Known != 40 {
		t.Errorf("the second time: %v, %+v", err, last)
	}
}

func TestUpload_RefusesAFileThatChangedSinceItWasHashed(t *testing.T) {
	dir := write(t, t.TempDir(), "index.html", "before")
	o := collect(t, dir)
	write(t, dir, "index.html", "after!")
	if err := builder.Upload(t.Context(), newControl(t, hosting.Job{}), o, nil); code(err) != hosting.FailOutputInvalid {
		t.Errorf("got %v", err)
	}
}

func TestUpload_AsksInPages(t *testing.T) {
	var pairs []string
	for i := range 5100 {
		pairs = append(pairs, "f/"+strings.Repeat("0", i/100)+noiseName(i)+".html", noiseName(i))
	}
	o := collect(t, write(t, t.TempDir(), pairs...))
	c := newControl(t, hosting.Job{})
	if err := builder.Upload(t.Context(), c, o, nil); err != nil || len(c.blobs) != 5100 {
		t.Errorf("%d blobs, %v", len(c.blobs), err)
	}
}
