package detect

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Plan is how a source is built.
type Plan struct {
	// Framework is the preset's name, "static" or "other".
	Framework string `json:"framework"`
	// PackageManager is empty where nothing is installed.
	PackageManager PackageManager `json:"packageManager,omitempty"`
	// Root is the folder that is built, and InstallRoot the one that holds the lockfile: itself
	// or a parent of it. Both are relative to the source; "." is the source.
	Root        string `json:"root"`
	InstallRoot string `json:"installRoot,omitempty"`
	// Install and Build are command lines for a shell; empty means that there is none.
	Install string `json:"install,omitempty"`
	Build   string `json:"build,omitempty"`
	// Output is the folder, relative to Root, that the build is known to write.
	// OutputCandidates are tried in order where it is empty, or holds no page.
	Output           string   `json:"output,omitempty"`
	OutputCandidates []string `json:"outputCandidates,omitempty"`
	// OutputSet says that Output is the owner's setting, which nothing replaces.
	OutputSet bool             `json:"outputSet,omitempty"`
	Fallback  hosting.Fallback `json:"fallback"`
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

// Find returns the plan for a source. CodeNotFound means that there is nothing to build or
// publish, CodeInvalid that the source or the settings cannot be read; either says what to do.
func Find(fsys fs.FS, settings hosting.BuildSettings) (Plan, error) {
	if err := settings.Check(); err != nil {
		return Plan{}, err
	}
	plan := Plan{Root: ".", Fallback: hosting.FallbackNone, Why: []string{}}
	if settings.RootDir != "" {
		plan.Root = path.Clean(settings.RootDir)
	}
	if info, err := fs.Stat(fsys, plan.Root); err != nil || !info.IsDir() {
		return Plan{}, hosting.Errorf(hosting.CodeInvalid, "the source has no folder %q", plan.Root).
			WithHint("correct the setting rootDir")
	}
	root, err := fs.Sub(fsys, plan.Root)
	if err != nil {
		return Plan{}, fmt.Errorf("open the folder %s: %w", plan.Root, err)
	}
	pkg, err := readPackage(root)
	if err != nil {
		return Plan{}, err
	}
	if settings.OutputDir != "" {
		plan.Output, plan.OutputSet = path.Clean(settings.OutputDir), true
		plan.because("%s is published because of the setting outputDir", plan.Output)
	}
	if err := plan.findBuild(root, pkg, settings); err != nil {
		return Plan{}, err
	}
	if err := plan.findInstall(fsys, pkg, settings); err != nil {
		return Plan{}, err
	}
	return plan, nil
}

// findBuild chooses the preset, the build command and the output.
func (p *Plan) findBuild(root fs.FS, pkg *packageJSON, settings hosting.BuildSettings) error {
	preset, known := match(pkg)
	script := pkg.script("build")
	switch {
	case settings.BuildCommand != "":
		p.Build = settings.BuildCommand
		p.because("the build command is the setting buildCommand")
	case script:
		p.because("package.json has a build script")
	case known && preset.Build != "":
		p.Build = preset.Build
		p.because("package.json has no build script; %s is what %s is built with", preset.Build, preset.Name)
	default:
		return p.findStatic(root, pkg)
	}
	p.Framework = "other"
	if known {
		p.Framework, p.Fallback = preset.Slug, preset.Fallback
		p.because("%s because package.json depends on %s", preset.Name, preset.Package)
		if !p.OutputSet {
			p.Output = preset.Output
		}
	}
	if !p.OutputSet {
		p.OutputCandidates = candidates()
	}
	return nil
}

// findStatic plans for a folder that is published as it is.
func (p *Plan) findStatic(root fs.FS, pkg *packageJSON) error {
	p.Framework = "static"
	if p.OutputSet {
		return nil
	}
	for _, dir := range []string{"public", "."} {
		if isFile(root, path.Join(dir, "index.html")) {
			p.Output = dir
			p.because("%s holds an index.html and nothing has to be built", describe(dir))
			return nil
		}
	}
	if pages, _ := fs.Glob(root, "*.html"); len(pages) > 0 {
		p.Output = "."
		p.because("%s holds %s and nothing has to be built", describe("."), pages[0])
		return nil
	}
	if pkg != nil {
		return hosting.Errorf(hosting.CodeNotFound, "package.json has no build script, and there is no index.html in %s or its public folder", describe(p.Root)).
			WithHint(`add "build" to the scripts of package.json, or set buildCommand and outputDir`)
	}
	return hosting.Errorf(hosting.CodeNotFound, "there is neither a package.json nor an index.html in %s", describe(p.Root)).
		WithHint("set rootDir to the folder that holds the site, or set buildCommand and outputDir")
}

func describe(dir string) string {
	if dir == "." {
		return "the folder"
	}
	return dir
}

func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.Mode().IsRegular()
}
