package detect

import (
	"io/fs"
	"path"
	"testing"
	"testing/fstest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// configured are the files that are looked into.
var configured = []string{
	"fairway.json", "next.config.js", "vite.config.ts", "svelte.config.js", "react-router.config.ts", "angular.json", "app.json", "docs/.vitepress/config.ts",
	".eleventy.js", "siteConfig.js", "_config.yml", "hugo.toml", "hugo.json", "config.toml", "book.toml", "mkdocs.yml", "_quarto.yml", "antora-playbook.yml",
	"conf.py", "Gemfile", "deno.jsonc", ".nvmrc", ".tool-versions", "App.csproj",
}

// FuzzFind_Configurations reads a package.json beside a configuration: whatever is in them, the
// answer is a plan or an error that says what to do, and no folder of a plan leaves the source.
func FuzzFind_Configurations(f *testing.F) {
	for i := range configured {
		f.Add([]byte(`{"scripts":{"build":"vite build --outDir x"},"dependencies":{"vite":"^7"}}`), uint(i), []byte(`export default { output: 'export', build: { outDir: "../../../x" } }`))
		f.Add([]byte(`{"dependencies":{"next":"1","astro":"1"}}`), uint(i), []byte("publishDir = '/etc'\ndestination: ../../..\n[build]\nbuild-dir=\"..\"\n"))
	}
	f.Add([]byte(`{"dependencies":{"@angular/cli":"1"}}`), uint(5), []byte(`{"projects":{"../../../x":{"architect":{"build":{"builder":"a:application"}}}}}`))
	f.Add([]byte(`{"scripts":{"build":"vitepress build ../../.."},"dependencies":{"vitepress":"1"}}`), uint(7), []byte("`${`"))
	f.Fuzz(func(t *testing.T, pkg []byte, which uint, text []byte) {
		fsys := fstest.MapFS{"apps/web/README.md": {}}
		if len(pkg) > 0 {
			fsys["apps/web/package.json"] = &fstest.MapFile{Data: pkg}
		}
		fsys[path.Join("apps/web", configured[which%uint(len(configured))])] = &fstest.MapFile{Data: text}
		p, err := Find(fsys, hosting.BuildSettings{RootDir: "apps/web"})
		if err != nil {
			if c := hosting.CodeOf(err); c != hosting.CodeInvalid && c != hosting.CodeNotFound {
				t.Fatalf("got %v", err)
			}
			return
		}
		for _, dir := range append([]string{p.Output, p.InstallRoot}, append(p.Cache, p.OutputCandidates...)...) {
			if dir != "" && (path.IsAbs(dir) || !fs.ValidPath(path.Join(p.Root, dir))) {
				t.Fatalf("%q leaves the source: %+v", dir, p)
			}
		}
		if len(p.Why) == 0 || p.Framework == "" || p.Fallback != spa && p.Fallback != noFallback {
			t.Fatalf("half a plan: %+v", p)
		}
	})
}

// FuzzValues reads texts that may be no program.
func FuzzValues(f *testing.F) {
	f.Add("a = /[/]`/ ? `${{}}` : {b: {c: 'd'}} // e")
	f.Add("{'a\\")
	f.Add("{\"\" :")
	f.Fuzz(func(t *testing.T, src string) {
		toks := tokens(src)
		for _, v := range values(toks) {
			if v.line < 1 {
				t.Fatalf("%+v", v)
			}
		}
	})
}
