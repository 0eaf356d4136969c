package detect

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// fixtures are the folders of testdata: one for each preset at least, by its name, and what its
// configuration can say behind a hyphen.
func fixtures(t *testing.T) (names []string) {
	dirs, err := filepath.Glob("testdata/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if name := filepath.Base(d); name != "fuzz" {
			names = append(names, name)
		}
	}
	if len(names) < len(presets) {
		t.Fatalf("%d fixtures for %d presets", len(names), len(presets))
	}
	return names
}

func sameAs(t *testing.T, file string, got []byte) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestFind_PlansTheFixtures(t *testing.T) {
	planned := map[string]bool{}
	for _, name := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", name)
			p, err := Find(os.DirFS(dir), hosting.BuildSettings{})
			var got any = p
			if err != nil {
				got = map[string]string{"error": err.Error(), "code": string(hosting.CodeOf(err))}
			}
			planned[p.Framework] = true
			b, err := json.MarshalIndent(got, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			sameAs(t, filepath.Join(dir, "want.json"), append(b, '\n'))
		})
	}
	for _, p := range presets {
		switch p.Slug {
		case "hydrogen", "blitzjs": // which are always refused
		default:
			if !planned[p.Slug] {
				t.Errorf("no fixture is planned as %s", p.Slug)
			}
		}
	}
}

func TestPresets_AreWellFormed(t *testing.T) {
	slugs := map[string]bool{}
	for _, p := range presets {
		if slugs[p.Slug] || p.Slug == "" || p.Name == "" {
			t.Errorf("%q: the name is empty, or there twice", p.Slug)
		}
		slugs[p.Slug] = true
		if p.Fallback != noFallback && p.Fallback != spa {
			t.Errorf("%s: unknown paths: %q", p.Slug, p.Fallback)
		}
		known := slices.ContainsFunc(plain, func(o preset) bool { return o.Slug == p.Slug })
		if !known && (p.Output == "" || p.Build == "") {
			t.Errorf("%s: no output, or no command", p.Slug)
		}
		for _, dir := range append([]string{p.Output}, p.Cache...) {
			if dir != "" && (!filepath.IsLocal(dir) || path.Clean(dir) != dir) {
				t.Errorf("%s: the folder %q is not relative and clean", p.Slug, dir)
			}
		}
		for _, n := range p.Names {
			if n.folder != "" && (!strings.HasSuffix(n.folder, "/") || !filepath.IsLocal(n.folder)) {
				t.Errorf("%s: the folder %q of names", p.Slug, n.folder)
			}
			if n.folder == "" && n.hash == nil {
				t.Errorf("%s: each file of the site would be kept for ever", p.Slug)
			}
		}
		if _, err := os.Stat(filepath.Join("testdata", p.Slug, "want.json")); err != nil {
			t.Errorf("%s has no fixture: %v", p.Slug, err)
		}
	}
	if len(presets) < 60 {
		t.Errorf("%d presets", len(presets))
	}
}

// deps lists the packages that are enough for a sign, or some of those that are needed.
func (s sign) deps() (names []string) {
	if s.kind == signDep {
		return s.names
	}
	if s.kind != signNone {
		for _, o := range s.of {
			names = append(names, o.deps()...)
		}
	}
	return names
}

// What brings another one of the table is seen before it: beside its own packages, those of all
// bundlers and helpers change nothing.
func TestPresets_WhatBringsAnotherStandsBeforeIt(t *testing.T) {
	helpers := []string{"vite", "@rsbuild/core", "parcel", "gulp", "grunt", "storybook", "typedoc", "svelte", "react"}
	brings := map[string][]string{
		"analog": {"@angular/cli"}, "scully": {"@angular/cli"}, "ionic-angular": {"@angular/cli"}, "blitzjs": {"next"},
		"ionic-react": {"react-scripts"}, "tanstack-start": {"@tanstack/react-router", "solid-js"}, "solidstart": {"solid-js"},
		"nuxt": {"nitropack", "vue"}, "solid": nil, "assemble": {"grunt"}, "remix": {"@react-router/dev"},
	}
	n := 0
	for _, p := range presets {
		own := p.When.deps()
		if len(own) == 0 {
			continue
		}
		if slices.ContainsFunc(tools, func(o preset) bool { return o.Slug == p.Slug }) {
			helpers = nil // of which it is one
		}
		deps := map[string]string{}
		for _, name := range slices.Concat(own, helpers, brings[p.Slug]) {
			deps[name] = "1"
		}
		if p.Slug == "vite" {
			delete(deps, "@rsbuild/core") // neither brings the other
		}
		b, err := json.Marshal(map[string]any{"dependencies": deps})
		if err != nil {
			t.Fatal(err)
		}
		fsys := fstest.MapFS{"package.json": {Data: b}, "sanity.config.ts": {Data: []byte("x")}}
		f := &finder{root: fsys, texts: map[string]string{}}
		if f.pkg, err = readPackage(fsys); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := f.match(); got.Slug != p.Slug {
			t.Errorf("%s beside %v is taken for %s", p.Slug, slices.Concat(helpers, brings[p.Slug]), got.Slug)
		}
		n++
	}
	if n < 50 {
		t.Fatalf("%d presets were tried", n)
	}
}
