package detect

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func own(text string) fstest.MapFS {
	return fstest.MapFS{
		"package.json": {Data: []byte(`{"scripts":{"build":"vite build"},"devDependencies":{"vite":"^7.0.0"}}`)},
		ownFile:        {Data: []byte(text)},
	}
}

func TestValues_KnowWhereTheyStand(t *testing.T) {
	const src = "// output: 'no'\n/* output: 'no' */\nconst re = /output: 'no'{/\nimport x from 'y'\n" +
		"export default defineConfig(({ mode }) => ({\n  output: \"yes\",\n  base: `/a/`,\n  root: `${x}`,\n  ssr: false,\n" +
		"  plugins: [react(), dts({ outDir: 'types' })],\n  build: { outDir: 'www', rollupOptions: { output: { dir: 'no' } } },\n" +
		"  computed: a + 'x',\n  cast: 'x' as const,\n  text: '\\'{',\n  set: setOutput('z'),\n}))\n"
	c := program{file: "x.ts", values: values(tokens(src))}
	for path, want := range map[string]struct {
		text    string
		literal bool
		line    int
	}{
		"output": {"yes", true, 6}, "base": {"/a/", true, 7}, "root": {"${x}", false, 8}, "ssr": {"false", true, 9},
		"plugins.outDir": {"types", true, 10}, "build.outDir": {"www", true, 11}, "build.rollupOptions.output.dir": {"no", true, 11},
		"computed": {"a", false, 12}, "cast": {"x", true, 13}, "text": {"'{", true, 14}, "setOutput()": {"z", true, 15},
	} {
		v, ok := c.get(path)
		if !ok || v.text != want.text || v.literal != want.literal || v.line != want.line {
			t.Errorf("%s: got %+v", path, v)
		}
	}
	if v, ok := c.get("outDir"); ok {
		t.Errorf("what a plugin is told is taken for the configuration's own: %+v", v)
	}
}

func TestFind_StaysInsideTheSource(t *testing.T) {
	at := func(outDir string) (Plan, error) {
		return Find(fstest.MapFS{
			"apps/web/package.json":   {Data: []byte(`{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}`)},
			"apps/web/vite.config.js": {Data: []byte("export default { build: { outDir: '" + outDir + "' } }")},
		}, hosting.BuildSettings{RootDir: "apps/web"})
	}
	if p, err := at("../../dist/web"); err != nil || p.Output != "../../dist/web" { // as Nx has it
		t.Errorf("beside the folder: %+v, %v", p, err)
	}
	for _, dir := range []string{"../../../dist", "/srv/www", "../../.."} {
		if _, err := at(dir); !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "vite.config.js, line 1") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestFind_TakesThePackageManagerOfTheNearestFolder(t *testing.T) {
	const script = `"scripts":{"build":"make"}`
	for name, c := range map[string]struct {
		root, own, lock string // package.json of the source and of the folder, lockfile of the source
		want            PackageManager
	}{
		"named above":              {`{"packageManager":"pnpm@9.1.0"}`, `{` + script + `}`, "", PNPM},
		"named in both":            {`{"packageManager":"pnpm@9.1.0"}`, `{"packageManager":"bun@1.2.0",` + script + `}`, "", Bun},
		"named for development":    {`{"devEngines":{"packageManager":[{"name":"yarn"},{"name":"npm"}]}}`, `{` + script + `}`, "package-lock.json", Yarn},
		"a lockfile above":         {`{}`, `{"engines":{"pnpm":">=9"},` + script + `}`, "yarn.lock", Yarn},
		"engines":                  {`{}`, `{"engines":{"pnpm":">=9","npm":">=10"},` + script + `}`, "", PNPM},
		"nothing":                  {`{}`, `{"engines":{"npm":">=10"},` + script + `}`, "", NPM},
		"of a name that is unkown": {`{}`, `{"packageManager":"zpm@1",` + script + `}`, "yarn.lock", Yarn},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{"package.json": {Data: []byte(c.root)}, "apps/web/package.json": {Data: []byte(c.own)}}
			if c.lock != "" {
				fsys[c.lock] = &fstest.MapFile{}
			}
			p, err := Find(fsys, hosting.BuildSettings{RootDir: "apps/web"})
			if err != nil || p.PackageManager != c.want || p.Build != string(c.want)+" run build" {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
}

func TestNodeWish_SaysTheMajorVersionThatIsMeant(t *testing.T) {
	for version, want := range map[string]string{
		"22": "22", "v20.11.1": "20", "22.x": "22", "^20.1.0": "20", "~18": "18", "lts/iron": "20", "lts/Jod": "22",
		"lts/*": "", "node": "", ">=18": "", "18 || 20": "", ">=18 <23": "", "": "", "20 - 22": "",
	} {
		if got := (NodeWish{Version: version}).Major(); got != want {
			t.Errorf("%q: got %q, want %q", version, got, want)
		}
	}
}

func TestFind_AsksTheSettingForNodeFirst(t *testing.T) {
	fsys := own("{}")
	fsys[".nvmrc"] = &fstest.MapFile{Data: []byte("# ours\nv20\n")}
	p, err := Find(fsys, hosting.BuildSettings{NodeVersion: "22"})
	if err != nil || p.Node == nil || *p.Node != (NodeWish{"22", "the setting nodeVersion"}) {
		t.Errorf("with the setting: %+v, %v", p.Node, err)
	}
	p, err = Find(fsys, hosting.BuildSettings{})
	if err != nil || p.Node == nil || *p.Node != (NodeWish{"v20", ".nvmrc"}) {
		t.Errorf("without: %+v, %v", p.Node, err)
	}
}

func TestFind_TakesATaskOfDenoForABuildAndNoWordInPassing(t *testing.T) {
	for text, want := range map[string]string{`{"tasks": {"build": "deno run x.ts"}}`: "deno", `{"exclude": ["build"]}`: "static"} {
		p, err := Find(fstest.MapFS{"deno.json": {Data: []byte(text)}, "index.html": {}}, hosting.BuildSettings{})
		if err != nil || p.Framework != want {
			t.Errorf("%s: got %s, %v", text, p.Framework, err)
		}
	}
}

func TestFind_InstallsWhatAGeneratorNeeds(t *testing.T) {
	type want struct{ install, build, tools string }
	mkdocs := func(more ...string) fstest.MapFS {
		fsys := fstest.MapFS{"mkdocs.yml": {}, "index.html": {}}
		for _, name := range more {
			fsys[name] = &fstest.MapFile{Data: []byte(`{"scripts":{"build":"make"}}`)}
		}
		return fsys
	}
	const pip = `python3 -m venv "$HOME/venv" && "$HOME/venv/bin/pip" install -r requirements.txt`
	for name, c := range map[string]struct {
		fsys     fstest.MapFS
		settings hosting.BuildSettings
		want     want
	}{
		"of the machine":      {mkdocs(), hosting.BuildSettings{}, want{"", "mkdocs build", "mkdocs"}},
		"by pip":              {mkdocs("requirements.txt"), hosting.BuildSettings{}, want{pip, `. "$HOME/venv/bin/activate" && mkdocs build`, "python3"}},
		"by the owner":        {mkdocs("requirements.txt"), hosting.BuildSettings{InstallCommand: "make deps"}, want{"make deps", "mkdocs build", ""}},
		"for the owner":       {mkdocs("requirements.txt"), hosting.BuildSettings{BuildCommand: "make"}, want{pip, "make", "python3"}},
		"all by the owner":    {mkdocs(), hosting.BuildSettings{InstallCommand: "make deps", BuildCommand: "make"}, want{"make deps", "make", ""}},
		"and npm":             {mkdocs("requirements.txt", "package.json"), hosting.BuildSettings{}, want{pip + " && " + NPMInstall, "npm run build", "python3"}},
		"a program in it":     {fstest.MapFS{"cecil.phar": {}}, hosting.BuildSettings{}, want{"", "php cecil.phar build", "php"}},
		"nothing to be built": {withOwn(mkdocs("requirements.txt"), `{"buildCommand":""}`), hosting.BuildSettings{}, want{}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Find(c.fsys, c.settings)
			if got := (want{p.Install, p.Build, strings.Join(p.Tools, " ")}); err != nil || got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func withOwn(fsys fstest.MapFS, text string) fstest.MapFS {
	fsys[ownFile] = &fstest.MapFile{Data: []byte(text)}
	return fsys
}
