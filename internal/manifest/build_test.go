package manifest_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

func TestBuild_GivesBackEveryFieldOfEveryFile(t *testing.T) {
	in := []hosting.File{
		withBrotli(file("index.html", "<h1>hello</h1>"), 9),
		file("empty.txt", ""),
		large("video.mp4", 3*hosting.MaxBlob+17),
		withBrotli(large("exact.js", 2*hosting.MaxBlob), hosting.MaxBlob),
		file("a/b/ü c.css", "x"),
	}
	in[3].Immutable = true
	m := open(t, build(t, manifest.Content{Files: in, Fallback: hosting.FallbackSPA}))
	if m.Len() != len(in) || m.Fallback() != hosting.FallbackSPA {
		t.Errorf("Len %d, Fallback %q", m.Len(), m.Fallback())
	}
	var total int64
	for _, want := range in {
		total += want.Size
		f, ok := m.Find(want.Path)
		if !ok {
			t.Errorf("%s is not found", want.Path)
			continue
		}
		if f.Path() != want.Path || f.Digest() != want.Digest || f.Size() != want.Size || f.Immutable() != want.Immutable {
			t.Errorf("%s: got %q %s %d %v", want.Path, f.Path(), f.Digest(), f.Size(), f.Immutable())
		}
		for _, enc := range []string{hosting.EncodingIdentity, hosting.EncodingBrotli} {
			checkForm(t, f, want, enc)
		}
	}
	if m.Bytes() != total {
		t.Errorf("Bytes %d, want %d", m.Bytes(), total)
	}
}

func checkForm(t *testing.T, f manifest.File, want hosting.File, enc string) {
	t.Helper()
	i := slices.IndexFunc(want.Forms, func(f hosting.Form) bool { return f.Encoding == enc })
	form, ok := f.Form(enc)
	if ok != (i >= 0) {
		t.Errorf("%s: form %s is there: %v", want.Path, enc, ok)
	}
	if i < 0 {
		return
	}
	var got []hosting.BlobRef
	for n := range form.Len() {
		got = append(got, form.Part(n))
	}
	wantParts := want.Forms[i].Parts
	if want.Forms[i].Size == 0 {
		wantParts = nil
	}
	if form.Size() != want.Forms[i].Size || !slices.Equal(got, wantParts) {
		t.Errorf("%s %s: size %d parts %v, want %d %v", want.Path, enc, form.Size(), got, want.Forms[i].Size, wantParts)
	}
}

func TestBuild_IsDeterministicWhateverTheOrder(t *testing.T) {
	var files []hosting.File
	for i := range 50 {
		files = append(files, withBrotli(file(fmt.Sprintf("d%d/f%d.%s", i%5, i, []string{"js", "css", "html"}[i%3]), fmt.Sprint(i)), 1))
	}
	want := build(t, manifest.Content{Files: files})
	for range 20 {
		rand.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		for i := range files {
			files[i].Forms = slices.Clone(files[i].Forms)
			slices.Reverse(files[i].Forms)
		}
		if !bytes.Equal(build(t, manifest.Content{Files: files}), want) {
			t.Fatal("another order gives other bytes")
		}
	}
}

func TestBuild_YieldsTheBlobsOfEveryForm(t *testing.T) {
	m := open(t, build(t, manifest.Content{Files: []hosting.File{
		withBrotli(large("b.js", 2*hosting.MaxBlob+1), 5), file("a.txt", "a"), file("empty", ""),
	}}))
	got := slices.Collect(m.Blobs)
	if len(got) != 1+3+1 || got[0] != (hosting.BlobRef{Digest: hosting.DigestOf([]byte("a")), Size: 1}) || got[3].Size != 1 || got[4].Size != 5 {
		t.Errorf("got %v", got)
	}
	for range m.Blobs {
		break // stopping early must not go on calling yield
	}
}

func TestBuild_RefusesWhatCannotBeServed(t *testing.T) {
	ok := file("a.txt", "a")
	change := func(fn func(*hosting.File)) []hosting.File {
		f := file("a.txt", "a")
		fn(&f)
		return []hosting.File{f}
	}
	big := large("big", 2*hosting.MaxBlob)
	resize := func(sizes ...int64) []hosting.File {
		f := large("big", 2*hosting.MaxBlob)
		f.Forms[0].Parts = nil
		for i, n := range sizes {
			f.Forms[0].Parts = append(f.Forms[0].Parts, hosting.BlobRef{Digest: hosting.DigestOf([]byte{byte(i)}), Size: n})
		}
		return []hosting.File{f}
	}
	cases := []struct {
		name  string
		files []hosting.File
		code  hosting.Code
	}{
		{"the same path twice", []hosting.File{ok, file("b", "b"), ok}, hosting.CodeInvalid},
		{"an absolute path", []hosting.File{file("/a", "a")}, hosting.CodeInvalid},
		{"a path that climbs", []hosting.File{file("../a", "a")}, hosting.CodeInvalid},
		{"a path with a backslash", []hosting.File{file(`a\b`, "a")}, hosting.CodeInvalid},
		{"a path that is not UTF-8", []hosting.File{file("\xc0\xae", "a")}, hosting.CodeInvalid},
		{"no identity form", change(func(f *hosting.File) { f.Forms[0].Encoding = "br" }), hosting.CodeInvalid},
		{"no form at all", change(func(f *hosting.File) { f.Forms = nil }), hosting.CodeInvalid},
		{"two identity forms", change(func(f *hosting.File) { f.Forms = append(f.Forms, f.Forms[0]) }), hosting.CodeInvalid},
		{"two br forms", []hosting.File{withBrotli(withBrotli(ok, 1), 1)}, hosting.CodeInvalid},
		{"an empty br form", change(func(f *hosting.File) { f.Forms = append(f.Forms, hosting.Form{Encoding: "br"}) }), hosting.CodeInvalid},
		{"an unknown form", change(func(f *hosting.File) { f.Forms[0].Encoding = "gzip" }), hosting.CodeInvalid},
		{"a size that is not the identity form's", change(func(f *hosting.File) { f.Size = 2 }), hosting.CodeInvalid},
		{"a negative size", change(func(f *hosting.File) { f.Size, f.Forms[0].Size, f.Forms[0].Parts[0].Size = -1, -1, -1 }), hosting.CodeInvalid},
		{"a negative size without parts", change(func(f *hosting.File) { f.Size, f.Forms[0].Size, f.Forms[0].Parts = -1, -1, nil }), hosting.CodeInvalid},
		{"a digest that is not its only part's", change(func(f *hosting.File) { f.Digest[0]++ }), hosting.CodeInvalid},
		{"an empty file with another digest", []hosting.File{{Path: "e", Digest: ok.Digest, Forms: []hosting.Form{{Encoding: "identity"}}}}, hosting.CodeInvalid},
		{"no digest", []hosting.File{{Path: "big", Size: big.Size, Forms: big.Forms}}, hosting.CodeInvalid},
		{"a part without digest", change(func(f *hosting.File) { f.Forms[0].Parts[0].Digest = hosting.Digest{} }), hosting.CodeInvalid},
		{"no parts", resize(), hosting.CodeInvalid},
		{"a short first part", resize(hosting.MaxBlob-1, hosting.MaxBlob+1), hosting.CodeInvalid},
		{"a part too many", resize(hosting.MaxBlob, hosting.MaxBlob, 0), hosting.CodeInvalid},
		{"one part over the limit", resize(2 * hosting.MaxBlob), hosting.CodeInvalid},
		{"too few bytes", resize(hosting.MaxBlob), hosting.CodeInvalid},
		{"too many files", make([]hosting.File, 100_001), hosting.CodeTooLarge},
	}
	for _, c := range cases {
		if _, err := manifest.Build(manifest.Content{Files: c.files}); hosting.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	if _, err := manifest.Build(manifest.Content{Fallback: "php"}); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("an unknown fallback: %v", err)
	}
}

func TestBuild_RefusesAManifestOverTheLimit(t *testing.T) {
	long := strings.Repeat("x", 1000)
	files := make([]hosting.File, 40_000)
	for i := range files {
		files[i] = file(fmt.Sprintf("%s%d", long, i), "x")
	}
	if _, err := manifest.Build(manifest.Content{Files: files}); !hosting.Is(err, hosting.CodeTooLarge) {
		t.Errorf("%v", err)
	}
	b := build(t, manifest.Content{Files: files[:20_000]})
	if m := open(t, b); m.Len() != 20_000 {
		t.Errorf("%d files", m.Len())
	}
}

func TestBuild_TypesComeFromOurOwnTable(t *testing.T) {
	for path, want := range map[string]string{
		"index.html": "text/html; charset=utf-8", "a.CSS": "text/css; charset=utf-8", "m.mjs": "text/javascript; charset=utf-8",
		"d.json": "application/json", "w.wasm": "application/wasm", "i.svg": "image/svg+xml", "f.woff2": "font/woff2",
		"site.webmanifest": "application/manifest+json", "a.js.map": "application/json", "n.txt": "text/plain; charset=utf-8",
		"CNAME": "application/octet-stream", "x.unheardof": "application/octet-stream", "dir.html/raw": "application/octet-stream",
		".well-known/apple-app-site-association": "application/json",
	} {
		m := site(t, "", path)
		if f, ok := m.Find(path); !ok || f.Type() != want {
			t.Errorf("%s is %q, want %q", path, f.Type(), want)
		}
	}
}
