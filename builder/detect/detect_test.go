package detect_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

const (
	built    = `{"scripts":{"build":"make"}}`
	builtBy  = `{"scripts":{"build":"x"},"devDependencies":{"%":"1"}}`
	unscript = `{"dependencies":{"%":"1"}}`
)

func with(template, pkg string) string { return strings.ReplaceAll(template, "%", pkg) }

func TestFind_ChoosesCommandsAndOutput(t *testing.T) {
	type want struct {
		framework, install, build, output string
		fallback                          hosting.Fallback
	}
	none, spa := hosting.FallbackNone, hosting.FallbackSPA
	for name, c := range map[string]struct {
		fsys     fstest.MapFS
		settings hosting.BuildSettings
		want     want
	}{
		"a page and nothing else": {files("index.html", "x"), hosting.BuildSettings{}, want{"static", "", "", ".", none}},
		"public wins over the folder": {files("index.html", "x", "public/index.html", "x"), hosting.BuildSettings{},
			want{"static", "", "", "public", none}},
		"a page that is no index": {files("hello.html", "x"), hosting.BuildSettings{}, want{"static", "", "", ".", none}},
		"package.json without a build script": {files("index.html", "x", "package.json", `{"scripts":{"start":"x"}}`), hosting.BuildSettings{},
			want{"static", "", "", ".", none}},
		"a build script nobody knows": {files("package.json", built), hosting.BuildSettings{},
			want{"other", "npm install --no-audit --no-fund --prefer-offline", "npm run build", "", none}},
		"npm with a lockfile": {files("package.json", built, "package-lock.json", "{}"), hosting.BuildSettings{},
			want{"other", "npm ci --no-audit --no-fund --prefer-offline", "npm run build", "", none}},
		"pnpm wins over npm": {files("package.json", built, "package-lock.json", "{}", "pnpm-lock.yaml", ""), hosting.BuildSettings{},
			want{"other", "pnpm install --frozen-lockfile --prefer-offline", "pnpm run build", "", none}},
		"yarn 1": {files("package.json", built, "yarn.lock", "# yarn lockfile v1\n"), hosting.BuildSettings{},
			want{"other", "yarn install --frozen-lockfile", "yarn run build", "", none}},
		"yarn 4": {files("package.json", built, "yarn.lock", "# generated\n\n__metadata:\n  version: 8\n"), hosting.BuildSettings{},
			want{"other", "yarn install --immutable", "yarn run build", "", none}},
		"bun": {files("package.json", built, "bun.lock", "{}"), hosting.BuildSettings{},
			want{"other", "bun install --frozen-lockfile", "bun run build", "", none}},
		"packageManager wins over a lockfile of another": {
			files("package.json", `{"packageManager":"pnpm@9.1.0","scripts":{"build":"x"}}`, "package-lock.json", "{}"), hosting.BuildSettings{},
			want{"other", "pnpm install", "pnpm run build", "", none}},
		"an unknown packageManager is npm": {files("package.json", `{"packageManager":"zpm@1","scripts":{"build":"x"}}`), hosting.BuildSettings{},
			want{"other", "npm install --no-audit --no-fund --prefer-offline", "npm run build", "", none}},
		"vite is one page for all paths": {files("package.json", with(builtBy, "vite")), hosting.BuildSettings{},
			want{"vite", "npm install --no-audit --no-fund --prefer-offline", "npm run build", "dist", spa}},
		"astro is not, although it brings vite": {files("package.json", `{"scripts":{"build":"x"},"dependencies":{"vite":"5","astro":"5"}}`),
			hosting.BuildSettings{}, want{"astro", "npm install --no-audit --no-fund --prefer-offline", "npm run build", "dist", none}},
		"a preset without a script brings its command": {files("package.json", with(unscript, "@11ty/eleventy")), hosting.BuildSettings{},
			want{"eleventy", "npm install --no-audit --no-fund --prefer-offline", "eleventy", "_site", none}},
		"next exports to out": {files("package.json", with(builtBy, "next"), "next.config.js", "module.exports = {output: 'export'}"), hosting.BuildSettings{},
			want{"nextjs", "npm install --no-audit --no-fund --prefer-offline", "npm run build", "out", none}},
		"settings win": {files("package.json", with(builtBy, "vite")),
			hosting.BuildSettings{InstallCommand: "make deps", BuildCommand: "make site", OutputDir: "./www/"},
			want{"vite", "make deps", "make site", "www", spa}},
		"a build command without package.json": {files("Makefile", "x"), hosting.BuildSettings{BuildCommand: "make", OutputDir: "out"},
			want{"other", "", "make", "out", none}},
		"fields of other types are ignored": {files("index.html", "x", "package.json", `{"scripts":["build"],"dependencies":7,"packageManager":{}}`),
			hosting.BuildSettings{}, want{"static", "", "", ".", none}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := detect.Find(c.fsys, c.settings)
			if err != nil {
				t.Fatal(err)
			}
			if got := (want{p.Framework, p.Install, p.Build, p.Output, p.Fallback}); got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if len(p.Why) == 0 {
				t.Error("the plan says nothing of why")
			}
		})
	}
}

func TestFind_LooksForLockfilesUpToTheSourceAndBuildsInRootDir(t *testing.T) {
	fsys := files("pnpm-lock.yaml", "", "apps/web/package.json", built, "apps/web/index.html", "x")
	p, err := detect.Find(fsys, hosting.BuildSettings{RootDir: "apps/web/"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Root != "apps/web" || p.InstallRoot != "." || p.PackageManager != detect.PNPM {
		t.Errorf("got root %q, install root %q, %s", p.Root, p.InstallRoot, p.PackageManager)
	}
}

func TestFind_TriesCandidatesUnlessTheOutputIsSet(t *testing.T) {
	fsys := files("package.json", with(builtBy, "vite"))
	p, err := detect.Find(fsys, hosting.BuildSettings{})
	if err != nil || p.OutputSet || !slices.Contains(p.OutputCandidates, "public") {
		t.Errorf("unset: %+v, %v", p, err)
	}
	p, err = detect.Find(fsys, hosting.BuildSettings{OutputDir: "www"})
	if err != nil || !p.OutputSet || len(p.OutputCandidates) != 0 {
		t.Errorf("set: %+v, %v", p, err)
	}
}

func TestFind_RefusesWithWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		fsys     fstest.MapFS
		settings hosting.BuildSettings
		code     hosting.Code
		says     string
	}{
		"nothing at all":           {files("README.md", "x"), hosting.BuildSettings{}, hosting.CodeNotFound, "rootDir"},
		"no build script":          {files("package.json", "{}"), hosting.BuildSettings{}, hosting.CodeNotFound, `"build"`},
		"broken package.json":      {files("package.json", "{"), hosting.BuildSettings{}, hosting.CodeInvalid, "not JSON"},
		"a list":                   {files("package.json", "[]"), hosting.BuildSettings{}, hosting.CodeInvalid, "not JSON"},
		"no such rootDir":          {files("index.html", "x"), hosting.BuildSettings{RootDir: "web"}, hosting.CodeInvalid, "rootDir"},
		"a file as rootDir":        {files("web", "x"), hosting.BuildSettings{RootDir: "web"}, hosting.CodeInvalid, "rootDir"},
		"a rootDir that leaves":    {files("index.html", "x"), hosting.BuildSettings{RootDir: "../etc"}, hosting.CodeInvalid, "rootDir"},
		"a folder as package.json": {files("package.json/x", "x"), hosting.BuildSettings{}, hosting.CodeInvalid, "package.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := detect.Find(c.fsys, c.settings)
			if hosting.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (%s), want %s that says %q", err, hosting.CodeOf(err), c.code, c.says)
			}
		})
	}
}

func TestFind_ReadsNoFileOutsideTheSource(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "package.json"), []byte(built), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "package.json"), filepath.Join(dir, "package.json")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if p, err := detect.Find(root.FS(), hosting.BuildSettings{}); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestFind_PlansTheExamplesAsTheySay(t *testing.T) {
	wants, err := filepath.Glob("../../examples/sites/*/package.json")
	if err != nil || len(wants) < 2 {
		t.Fatalf("found %d examples, %v", len(wants), err)
	}
	dirs := []string{"../../examples/sites/static"}
	for _, w := range wants {
		dirs = append(dirs, filepath.Dir(w))
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			p, err := detect.Find(os.DirFS(dir), hosting.BuildSettings{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(p, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join(dir, "want.json")
			if *detect.Update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte(built))
	f.Add([]byte(`{"scripts":{"build":1},"dependencies":{"vite":{}},"packageManager":"pnpm@"}`))
	f.Add([]byte(`{"packageManager":"@"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := detect.Find(fstest.MapFS{"package.json": {Data: b}, "index.html": {Data: []byte("x")}}, hosting.BuildSettings{})
		if err != nil {
			if !hosting.Is(err, hosting.CodeInvalid) {
				t.Fatalf("got %v", err)
			}
			return
		}
		if (p.Build == "") != (p.Framework == "static") || p.Build != "" && p.Install == "" {
			t.Fatalf("half a plan: %+v", p)
		}
	})
}
