package detect

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Plan is how a source is built.
type Plan struct {
	// Framework is the preset's name: "static" for pages as they are, "other" for a build that
	// no preset knows.
	Framework string `json:"framework"`
	// PackageManager is empty where no package.json and no deno.json matters.
	PackageManager PackageManager `json:"packageManager,omitempty"`
	// Node is the Node.js that the source asks for; nil where it does not, or needs none.
	Node *NodeWish `json:"node,omitempty"`
	// Tools are the programs beside the package manager that the machine must have.
	Tools []string `json:"tools,omitempty"`
	// Root is the folder that is built, and InstallRoot the one that holds the lockfile: itself
	// or a parent of it. Both are relative to the source; "." is the source.
	Root        string `json:"root"`
	InstallRoot string `json:"installRoot,omitempty"`
	// Install and Build are command lines for a shell; empty means that there is none.
	Install string `json:"install,omitempty"`
	Build   string `json:"build,omitempty"`
	// Output is the folder, relative to Root, that the build is known to write; it may be
	// beside Root, but never outside the source. OutputCandidates are tried in order where it
	// is empty, or holds no page.
	Output           string   `json:"output,omitempty"`
	OutputCandidates []string `json:"outputCandidates,omitempty"`
	// OutputSet says that the owner chose Output, which nothing replaces.
	OutputSet bool             `json:"outputSet,omitempty"`
	Fallback  hosting.Fallback `json:"fallback"`
	// Cache are folders, relative to Root, that make a later build faster.
	Cache []string `json:"cache,omitempty"`
	// Why says in plain words what the plan follows from.
	Why []string `json:"why"`
}

func (p *Plan) because(format string, args ...any) {
	p.Why = append(p.Why, fmt.Sprintf(format, args...))
}

// candidates are where builds that no preset knows put their output.
func candidates() []string {
	return []string{"dist", "build", "out", "public", "_site", ".output/public"}
}

// finder is one run of Find.
type finder struct {
	source  fs.FS // the whole
	root    fs.FS // the folder that is built
	pkg     *packageJSON
	own     choices
	node    string // the setting nodeVersion
	preset  preset
	command string // what the build runs: the owner's command, the text of the script, or the preset's
	// byPreset says that the build command is the preset's own, which may be refined.
	byPreset bool
	texts    map[string]string
	plan     Plan
}

// Find returns the plan for a source. What fairway.json in the folder says goes before the
// settings, and those before what is found. CodeNotFound means that there is nothing to build or
// publish, CodeInvalid that the source or the settings cannot be read, or that the site would
// need a server; either says what to do.
func Find(fsys fs.FS, settings hosting.BuildSettings) (Plan, error) {
	if err := settings.Check(); err != nil {
		return Plan{}, err
	}
	f := &finder{
		source: fsys, texts: map[string]string{},
		plan: Plan{Root: ".", Fallback: hosting.FallbackNone, Why: []string{}},
	}
	if err := f.open(settings); err != nil {
		return Plan{}, err
	}
	for _, step := range []func() error{f.findPreset, f.findManager, f.findBuild, f.findOutput, f.findInstall, f.findNode} {
		if err := step(); err != nil {
			return Plan{}, err
		}
	}
	return f.plan, nil
}

// open finds the folder and reads what is said about it.
func (f *finder) open(settings hosting.BuildSettings) error {
	if settings.RootDir != "" {
		f.plan.Root = path.Clean(settings.RootDir)
	}
	if info, err := fs.Stat(f.source, f.plan.Root); err != nil || !info.IsDir() {
		return hosting.Errorf(hosting.CodeInvalid, "the source has no folder %q", f.plan.Root).
			WithHint("correct the setting rootDir")
	}
	var err error
	if f.root, err = fs.Sub(f.source, f.plan.Root); err != nil {
		return fmt.Errorf("open the folder %s: %w", f.plan.Root, err)
	}
	if f.pkg, err = readPackage(f.root); err != nil {
		return err
	}
	own, err := readOwn(f.root)
	if err != nil {
		return err
	}
	f.own = choose(own, settings, &f.plan)
	f.node = settings.NodeVersion
	return nil
}

// findPreset chooses the framework.
func (f *finder) findPreset() error {
	if c := f.own.framework; c.set {
		f.preset, _ = findPreset(c.value) // readOwn knows that it is there
		f.plan.because("%s because of %s", f.preset.Name, c.from)
	} else if p, e, ok := f.match(); ok && (p.Runtime != noRuntime || f.own.build.value == "") {
		f.preset = p
		f.plan.because("%s", found(p, e))
	} else if f.own.build.value != "" {
		f.preset, _ = findPreset(slugOther)
	} else if f.own.output.set {
		f.preset, _ = findPreset(slugStatic)
	} else {
		return f.nothing()
	}
	f.plan.Framework, f.plan.Fallback, f.plan.Cache = f.preset.Slug, f.preset.Fallback, f.preset.Cache
	return nil
}

// found says in words where a preset was seen.
func found(p preset, e evidence) string {
	switch p.Slug {
	case slugOther:
		return "package.json has a build script"
	case slugStatic, "built":
		return fmt.Sprintf("%s is there and nothing has to be built", e.where)
	}
	name := p.Name
	if major := major(e.version); major != "" && major != "0" {
		name += " " + major
	}
	return name + " found in " + e.where
}

// nothing is what is said where there is nothing to build or publish.
func (f *finder) nothing() error {
	if f.pkg != nil {
		return hosting.Errorf(hosting.CodeNotFound, "package.json has no build script, and there is no index.html in %s or its public folder", describe(f.plan.Root)).
			WithHint(`add "build" to the scripts of package.json, or set buildCommand and outputDir`)
	}
	return hosting.Errorf(hosting.CodeNotFound, "there is neither a package.json nor an index.html in %s", describe(f.plan.Root)).
		WithHint("set rootDir to the folder that holds the site, or set buildCommand and outputDir")
}

// findBuild chooses the build command. The owner's goes before a script called build, and that
// before what the framework is built with.
func (f *finder) findBuild() error {
	p := &f.plan
	switch name := f.buildScript(); {
	case f.own.build.set:
		p.Build = f.own.build.value
		f.command = p.Build
		p.because("%s", f.own.build.reason("the build command is", "nothing is built"))
	case f.preset.Runtime == noRuntime:
	case name != "":
		p.Build = p.PackageManager.run(name)
		f.command = f.pkg.expand(name)
		p.because("%s runs the script %s of package.json: %s", p.Build, name, clip(f.pkg.script(name)))
	case f.preset.Build != "":
		p.Build, f.command, f.byPreset = f.preset.Build, f.preset.Build, true
	case f.preset.Slug == slugOther: // fairway.json says so, and no more
		return f.nothing()
	}
	return nil
}

// buildScript returns the script of package.json that builds, if one does.
func (f *finder) buildScript() string {
	if f.plan.PackageManager == "" {
		return ""
	}
	for _, name := range append([]string{"build"}, f.preset.Scripts...) {
		if f.pkg.script(name) != "" {
			return name
		}
	}
	return ""
}

// findOutput chooses what is published, and how unknown paths are answered.
func (f *finder) findOutput() error {
	p := &f.plan
	p.Output = f.preset.Output
	if f.own.output.set {
		p.Output, p.OutputSet = path.Clean(f.own.output.value), true
		p.because("%s", f.own.output.reason("the folder to publish is", ""))
	}
	switch {
	case p.Build == "":
		if err := f.findPages(); err != nil {
			return err
		}
	case f.preset.Read != nil:
		if err := f.preset.Read(f); err != nil {
			return err
		}
	}
	if p.Build != "" && !p.OutputSet {
		p.OutputCandidates = candidates()
	}
	if c := f.own.fallback; c.set {
		p.Fallback = hosting.Fallback(c.value)
		shown := "the nearest 404.html, or a plain 404"
		if p.Fallback == spa {
			shown = "index.html"
		}
		p.because("unknown paths show %s because of %s", shown, c.from)
	}
	return nil
}

// findPages finds the folder that is published as it is.
func (f *finder) findPages() error {
	p := &f.plan
	if p.OutputSet {
		return nil
	}
	dirs := []string{"public", ".", "dist", "build", "out", "_site", "site", "book", "docs"}
	if p.Output != "" {
		dirs = append([]string{p.Output}, dirs...) // the framework's, which the owner does not have built
	}
	for _, dir := range dirs {
		if isFile(f.root, path.Join(dir, "index.html")) {
			p.Output = dir
			return nil
		}
	}
	if pages, _ := fs.Glob(f.root, "*.html"); len(pages) > 0 {
		p.Output = "."
		return nil
	}
	return f.nothing()
}

// output takes over the folder that a configuration names.
func (f *finder) output(v value) error {
	p := &f.plan
	switch {
	case p.OutputSet:
	case !v.literal:
		p.because("%s computes %s: %s is taken for the output", place(v), v.path, p.Output)
	case !f.inside(v.text):
		return hosting.Errorf(hosting.CodeInvalid, "%s puts the output in %q, which is outside of the source", place(v), clip(v.text)).
			WithHint("name a folder inside the source there")
	default:
		if dir := path.Clean(v.text); dir != p.Output {
			p.Output = dir
			p.because("%s is the output because of %s", dir, place(v))
		}
	}
	return nil
}

// inside reports whether a folder that is named in the project's folder is one of the source.
func (f *finder) inside(dir string) bool {
	if dir == "" || strings.HasPrefix(dir, "/") {
		return false
	}
	return hosting.BuildSettings{OutputDir: path.Join(f.plan.Root, dir)}.Check() == nil
}

func place(v value) string {
	if v.line == 0 {
		return v.file
	}
	return at(v.file, v.line)
}

// refuse ends the search where the site would need a server, unless the owner said what is
// published: then the build is taken to make it.
func (f *finder) refuse(what, change string) error {
	if f.plan.OutputSet {
		f.plan.because("%s, but %s is published as it was chosen", what, f.plan.Output)
		return nil
	}
	return hosting.Errorf(hosting.CodeInvalid, "%s would need a server here, and sites have none: %s", f.preset.Name, what).
		WithHint("%s; or set outputDir, if the build makes pages all the same", change)
}

func describe(dir string) string {
	if dir == "." {
		return "the folder"
	}
	return dir
}
