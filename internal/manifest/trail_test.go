package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

var monday = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// fingerprinted is a file of a site whose name changes with its content.
func fingerprinted(path string) hosting.File {
	f := file(path, "content of "+path)
	f.Immutable = true
	return f
}

func shown(t *testing.T, files ...hosting.File) *manifest.Manifest {
	t.Helper()
	return open(t, build(t, manifest.Content{Files: files}))
}

func trail(t *testing.T, old *manifest.Trail, from, to *manifest.Manifest, at time.Time) *manifest.Trail {
	t.Helper()
	b, err := manifest.BuildTrail(old, from, to, at)
	if err != nil {
		t.Fatal(err)
	}
	if b == nil {
		return nil
	}
	again, err := manifest.BuildTrail(old, from, to, at)
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("the same gives other bytes, %v", err)
	}
	tr, err := manifest.OpenTrail(b)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// has checks the trail's files and when they end, as "path +days" from monday.
func has(t *testing.T, tr *manifest.Trail, want ...string) {
	t.Helper()
	var got []string
	for f := range tr.All() {
		got = append(got, fmt.Sprintf("%s +%d", f.Path(), tr.Until(f).Sub(monday)/(24*time.Hour)))
		if !f.Immutable() || f.Digest() != hosting.DigestOf([]byte("content of "+f.Path())) {
			t.Errorf("%s is another file", f.Path())
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the trail has %v, want %v", got, want)
	}
}

func TestBuildTrail_KeepsWhatPagesMayStillAskFor(t *testing.T) {
	page := file("index.html", "a page")
	one := shown(t, page, fingerprinted("a.1.js"), fingerprinted("shared.js"), file("plain.js", "plain"))
	two := shown(t, page, fingerprinted("a.2.js"), fingerprinted("shared.js"))
	three := shown(t, page, fingerprinted("a.3.js"), fingerprinted("shared.js"))
	day := func(n int) time.Time { return monday.Add(time.Duration(n) * 24 * time.Hour) }

	first := trail(t, nil, one, two, day(0))
	has(t, first, "a.1.js +7")
	second := trail(t, first, two, three, day(3))
	has(t, second, "a.1.js +7", "a.2.js +10")
	// A roll back: what is shown again is in no trail, and what was shown meanwhile is.
	back := trail(t, second, three, one, day(4))
	has(t, back, "a.2.js +10", "a.3.js +11")
	// What has ended goes.
	has(t, trail(t, second, three, two, day(8)), "a.3.js +15")
	if none := trail(t, nil, one, one, day(0)); none != nil {
		t.Error("a trail of nothing")
	}
}

func TestBuildTrail_KeepsTheNewestOfTooMany(t *testing.T) {
	var many, more []hosting.File
	for i := range manifest.MaxTrail {
		many = append(many, fingerprinted(fmt.Sprintf("old/%05d.js", i)))
	}
	for i := range 10 {
		more = append(more, fingerprinted(fmt.Sprintf("new/%05d.js", i)))
	}
	empty := shown(t, file("index.html", "x"))
	first := trail(t, nil, shown(t, many...), empty, monday)
	second := trail(t, first, shown(t, more...), empty, monday.Add(time.Hour))
	if second.Len() != manifest.MaxTrail {
		t.Errorf("%d files", second.Len())
	}
	for _, f := range more {
		if _, ok := second.Find(f.Path); !ok {
			t.Errorf("%s is gone, which was shown last", f.Path)
		}
	}
}

func TestOpenTrail_RefusesEverythingElse(t *testing.T) {
	one, two := shown(t, fingerprinted("a.1.js")), shown(t, fingerprinted("a.2.js"))
	good, err := manifest.BuildTrail(nil, one, two, monday)
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		if _, err := manifest.OpenTrail(good[:n]); !errors.Is(err, manifest.ErrFormat) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for _, at := range []int{0, 4, 8} {
		bad := bytes.Clone(good)
		bad[at]++
		if _, err := manifest.OpenTrail(bad); !errors.Is(err, manifest.ErrFormat) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if !manifest.IsTrail(good) || manifest.IsTrail(build(t, manifest.Content{Files: []hosting.File{file("a", "b")}})) {
		t.Error("a trail is taken for a manifest, or the other way")
	}
}

func FuzzOpenTrail(f *testing.F) {
	b, err := manifest.Build(manifest.Content{Files: []hosting.File{{Path: "a.js", Digest: hosting.DigestOf(nil), Forms: []hosting.Form{{Encoding: "identity"}}, Immutable: true}}})
	if err != nil {
		f.Fatal(err)
	}
	m, err := manifest.Open(b)
	if err != nil {
		f.Fatal(err)
	}
	none, err := manifest.Build(manifest.Content{})
	if err != nil {
		f.Fatal(err)
	}
	empty, err := manifest.Open(none)
	if err != nil {
		f.Fatal(err)
	}
	good, err := manifest.BuildTrail(nil, m, empty, monday)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := manifest.OpenTrail(b)
		if err != nil {
			return
		}
		for file := range tr.All() {
			if _, ok := tr.Find(file.Path()); !ok {
				t.Errorf("%q is not found", file.Path())
			}
			_ = tr.Until(file)
		}
	})
}
