package detect

import (
	"path"
	"slices"
	"strings"
)

// What configurations say about the output. They are programs, or data that the generator
// reads: here they are looked at, never run.

// outputOf reads the folder from the first path that the first of the files sets.
func outputOf(files []string, paths ...string) func(*finder) error {
	return func(f *finder) error {
		c := f.program(files...)
		for _, p := range paths {
			if v, ok := c.get(p); ok {
				return f.output(v)
			}
		}
		return nil
	}
}

// outputOfYAML reads the folder from a key of the first of the files that has it.
func outputOfYAML(key string, files ...string) func(*finder) error {
	return func(f *finder) error {
		for _, name := range files {
			if v, ok := f.yaml(name, key); ok {
				return f.output(v)
			}
		}
		return nil
	}
}

// outputOfTOML reads the folder from a key of the file.
func outputOfTOML(key, name string) func(*finder) error {
	return func(f *finder) error {
		if v, ok := f.toml(name, key); ok {
			return f.output(v)
		}
		return nil
	}
}

// outputByFlag reads the folder from a flag of the build command.
func outputByFlag(names ...string) func(*finder) error {
	return func(f *finder) error {
		_, err := f.flagged(names...)
		return err
	}
}

// flagged reads the folder from a flag of the build command, and says whether there was one.
func (f *finder) flagged(names ...string) (bool, error) {
	dir, ok := f.flag(names...)
	if !ok {
		return false, nil
	}
	return true, f.output(value{path: names[0], text: dir, literal: !strings.Contains(dir, "$"), file: "the build command"})
}

// readArgument reads the folder from what stands behind these words of the build command.
func readArgument(row ...string) func(*finder) error {
	return func(f *finder) error {
		if dir, ok := f.argument(row...); ok {
			return f.output(value{text: dir, literal: true, file: "the build command"})
		}
		return nil
	}
}

func readVite(f *finder) error {
	if set, err := f.flagged("--outDir"); set || err != nil {
		return err
	}
	return outputOf(scripts("vite.config"), "build.outDir")(f)
}

func readIonicReact(f *finder) error {
	if _, ok := f.pkg.dependency("vite"); !ok {
		return nil
	}
	f.defaultOutput("dist")
	if f.byPreset {
		f.plan.Build = "vite build"
	}
	f.plan.because("it is built by Vite, which package.json has")
	return readVite(f)
}

// defaultOutput replaces the preset's folder, where the owner chose none.
func (f *finder) defaultOutput(dir string) {
	if !f.plan.OutputSet {
		f.plan.Output = dir
	}
}

func readScully(f *finder) error {
	return outputOf(f.files("scully.*.config.ts"), "outDir")(f)
}

func readQuasar(f *finder) error {
	mode, ok := f.flag("-m", "--mode")
	switch {
	case !ok || mode == "spa":
	case mode == "ssr":
		return f.refuse("it is built with -m ssr", "take -m ssr out of the build script of package.json")
	default:
		return f.output(value{text: "dist/" + mode, literal: true, file: "the build command"})
	}
	return nil
}

// readVitePress finds the folder that holds .vitepress, which the command names, and in which
// outDir counts.
func readVitePress(f *finder) error {
	return f.documents("vitepress", "outDir", false)
}

func readVuePress(f *finder) error {
	return f.documents("vuepress", "dest", true)
}

// documents is for generators whose configuration is in a folder .name of the documents. Where
// the source is said from the project's folder it is fromRoot.
func (f *finder) documents(name, key string, fromRoot bool) error {
	hidden := "." + name
	dir, named := f.argument(name, "build")
	if !named || !f.inside(dir) {
		dir = "."
		for _, d := range []string{".", "docs", "src"} {
			if len(f.files(path.Join(d, hidden, "config.*"))) > 0 {
				dir = d
				break
			}
		}
	}
	dir = path.Clean(dir)
	if dir != "." {
		f.plan.because("%s holds the pages of %s", dir, f.preset.Name)
		if f.byPreset {
			f.plan.Build += " " + dir
		}
	}
	f.plan.Cache = slices.Clone(f.plan.Cache) // the table has the other
	for i, c := range f.plan.Cache {
		f.plan.Cache[i] = path.Join(dir, c)
	}
	f.defaultOutput(path.Join(dir, f.preset.Output))
	v, ok := f.program(scripts(path.Join(dir, hidden, "config"))...).get(key)
	if !ok {
		return nil
	}
	if !fromRoot && v.literal {
		v.text = path.Join(dir, v.text)
	}
	return f.output(v)
}

func readEleventy(f *finder) error {
	if set, err := f.flagged("--output"); set || err != nil {
		return err
	}
	files := append([]string{".eleventy.js"}, scripts("eleventy.config")...)
	return outputOf(files, "dir.output", "setOutputDirectory()")(f)
}

func readSapper(f *finder) error {
	if f.runs("sapper", "export") {
		return nil
	}
	return f.refuse("sapper build makes a server", "write sapper export in the build script of package.json")
}

// readDocusaurus1 knows that the output is in a folder that is called as the project is.
func readDocusaurus1(f *finder) error {
	v, ok := f.program("siteConfig.js", "website/siteConfig.js").get("projectName")
	if !ok {
		return nil
	}
	if v.literal {
		v.text = path.Join("build", v.text)
	}
	return f.output(v)
}

func readHugo(f *finder) error {
	if set, err := f.flagged("-d", "--destination"); set || err != nil {
		return err
	}
	for _, name := range []string{"hugo.toml", "config/_default/hugo.toml", "config.toml", "config/_default/config.toml"} {
		if v, ok := f.toml(name, "publishDir"); ok {
			return f.output(v)
		}
	}
	if err := outputOfYAML("publishDir", "hugo.yaml", "hugo.yml", "config/_default/hugo.yaml", "config.yaml", "config.yml")(f); err != nil {
		return err
	}
	return outputOf([]string{"hugo.json", "config.json"}, "publishDir")(f)
}

// readMdBook knows that with another output than HTML each has a folder of its own.
func readMdBook(f *finder) error {
	dir, set := f.toml("book.toml", "build.build-dir")
	if !set {
		dir = value{text: "book", literal: true, file: "book.toml"}
	}
	for line := range strings.Lines(f.text("book.toml")) {
		table := strings.TrimSpace(line)
		if strings.HasPrefix(table, "[output.") && !strings.HasPrefix(table, "[output.html") {
			dir.text = path.Join(dir.text, "html")
			f.plan.because("book.toml has more than one output")
			break
		}
	}
	return f.output(dir)
}

func readQuarto(f *finder) error {
	if v, ok := f.yaml("_quarto.yml", "project.output-dir"); ok {
		return f.output(v)
	}
	if v, ok := f.yaml("_quarto.yml", "project.type"); ok && v.text == "book" {
		return f.output(value{text: "_book", literal: true, file: v.file, line: v.line})
	}
	return nil
}

func readPelican(f *finder) error {
	for _, name := range []string{"publishconf.py", "pelicanconf.py"} {
		if v, ok := f.toml(name, "OUTPUT_PATH"); ok { // an assignment looks the same in Python
			return f.output(v)
		}
	}
	return nil
}

func sphinxSources() []string {
	return []string{"conf.py", "docs/conf.py", "source/conf.py", "docs/source/conf.py"}
}

// readSphinx builds from the folder that holds conf.py.
func readSphinx(f *finder) error {
	for _, name := range sphinxSources() {
		dir := path.Dir(name)
		if !isFile(f.root, name) {
			continue
		}
		if dir != "." && f.byPreset {
			f.plan.Build = "sphinx-build -b html -d _build/doctrees " + dir + " _build/html"
			f.command = f.plan.Build
		}
		break
	}
	return nil
}

func readCecil(f *finder) error {
	if isFile(f.root, "cecil.phar") && f.byPreset {
		f.plan.Build = "cecil.phar build"
	}
	return outputOfYAML("output.dir", "cecil.yml", "config.yml")(f)
}
