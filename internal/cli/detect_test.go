package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestDetect_ShowsThePlanAndWhy(t *testing.T) {
	dir := folder(t, t.TempDir(), map[string]string{
		"pnpm-lock.yaml": "", "apps/web/package.json": `{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "^7.1.0"}}`,
		"site/conf.py": "", "site/requirements.txt": "",
	})
	p := newPerson(t, dir)
	p.run("detect", "--root", "apps/web").ok().golden("detect")
	p.run("detect", "site").ok().golden("detect_python")
	var plan detect.Plan
	r := p.run("detect", "apps/web", "--json").ok()
	if err := json.Unmarshal([]byte(r.out), &plan); err != nil || plan.Framework != "vite" || plan.Fallback != hosting.FallbackSPA || r.err != "" {
		t.Errorf("%v: %s%s", err, r.out, r.err)
	}
}

func TestDetect_SaysWhatIsWrong(t *testing.T) {
	dir := folder(t, t.TempDir(), map[string]string{
		"server/package.json": `{"dependencies": {"next": "15.0.0"}}`, "typo/fairway.json": `{"outDir": "x"}`, "notes/README.md": "x", "file": "x",
	})
	outside := folder(t, t.TempDir(), map[string]string{"package.json": `{"scripts": {"build": "x"}}`})
	if err := os.MkdirAll(filepath.Join(dir, "link"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "package.json"), filepath.Join(dir, "link/package.json")); err != nil {
		t.Fatal(err)
	}
	p := newPerson(t, dir)
	p.run("detect", "server").failed(ExitUsage, "output: 'export'", "next.config.js")
	p.run("detect", "typo").failed(ExitUsage, `"outDir"`, "outputDir")
	p.run("detect", "notes").failed(ExitNotFound, "rootDir")
	p.run("detect", "file").failed(ExitUsage, "is a file")
	p.run("detect", "nowhere").failed(ExitNotFound, "no folder")
	p.run("detect", "link").failed(ExitUsage, "package.json")
	p.run("detect", "..", "x").failed(ExitUsage, "detect")
}

func TestDeploy_TakesTheFallbackOfFairwayJSON(t *testing.T) {
	c := newControl(t)
	for text, want := range map[string]hosting.Fallback{`{"fallback": "spa"}`: hosting.FallbackSPA, `{}`: hosting.FallbackNone} {
		dir := folder(t, filepath.Join(c.dir, "pages"), map[string]string{"index.html": "x", "fairway.json": text})
		newPerson(t, dir).run("deploy").ok()
		if c.inventory.Fallback != want {
			t.Errorf("with %s unknown paths are answered as %q", text, c.inventory.Fallback)
		}
	}
}
