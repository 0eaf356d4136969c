package detect

import (
	"strings"
)

// runtime is what installs and runs a generator.
type runtime int

const (
	nodeRuntime    runtime = iota
	noRuntime              // nothing is run
	machineRuntime         // a program of the machine
	denoRuntime
	pythonRuntime
	rubyRuntime
	phpRuntime
	dotnetRuntime
)

// venv is where a build has its Python packages: outside of the source, of which generators
// would read what is in it.
const venv = `"$HOME/venv"`

// toolchain adds what the preset's runtime installs, and how the preset's command finds it. Commands
// that the owner chose are taken as they are, and so are scripts of package.json.
func (f *finder) toolchain() {
	p := &f.plan
	if p.Build == "" {
		return
	}
	t := f.installer()
	if t.install != "" && !f.own.install.set {
		p.Install, p.InstallRoot, p.Tools = t.install, p.Root, t.tools
		p.because("%s", t.why)
	}
	if !f.byPreset {
		return
	}
	program, _, _ := strings.Cut(f.preset.Build, " ")
	switch {
	case t.install != "" || f.own.install.set || !f.preset.Runtime.installs():
	case t.tools != nil:
		p.Tools = t.tools
	default:
		p.Tools = []string{program}
		p.because("%s of the machine that builds, since nothing in the source installs it", program)
	}
	p.Build = t.prefix + p.Build
	p.because("%s is what %s is built with", p.Build, f.preset.Name)
}

// installs reports whether what the runtime installs, or does not, is no matter of npm or Deno.
func (r runtime) installs() bool { return r != nodeRuntime && r != noRuntime && r != denoRuntime }

// installer is what installs the packages of a preset's program.
type installer struct {
	install string
	prefix  string   // stands before the preset's command
	tools   []string // programs of the machine that are needed
	why     string
}

// installer returns none where nothing in the source says how to install something.
func (f *finder) installer() installer {
	switch f.preset.Runtime {
	case rubyRuntime:
		return f.bundler()
	case pythonRuntime:
		return f.pip()
	case phpRuntime:
		if isFile(f.root, "cecil.phar") {
			return installer{prefix: "php ", tools: []string{"php"}}
		}
		if isFile(f.root, "composer.json") {
			return installer{"composer install --no-interaction --prefer-dist", "vendor/bin/", []string{"php", "composer"}, "Composer because of composer.json"}
		}
	case dotnetRuntime:
		return installer{install: "dotnet restore", tools: []string{"dotnet"}, why: ".NET because of the project file"}
	}
	return installer{}
}

func (f *finder) bundler() installer {
	if !isFile(f.root, "Gemfile") {
		return installer{}
	}
	i := installer{prefix: "bundle exec ", tools: []string{"bundle"}, why: "Bundler because of Gemfile"}
	if strings.HasPrefix(f.preset.Build, "bin/") {
		i.prefix = "" // it calls Bundler itself
	}
	i.install = "bundle config set --local path vendor/bundle && "
	if isFile(f.root, "Gemfile.lock") {
		i.install += "bundle config set --local frozen true && "
	}
	i.install += "bundle install --jobs 4"
	return i
}

func (f *finder) pip() installer {
	if isFile(f.root, "uv.lock") {
		return installer{"uv sync --frozen", "uv run ", []string{"uv"}, "uv because of uv.lock"}
	}
	for _, name := range []string{"requirements.txt", "docs/requirements.txt"} {
		if !isFile(f.root, name) {
			continue
		}
		i := installer{
			install: "python3 -m venv " + venv + ` && "$HOME/venv/bin/pip" install -r ` + name,
			prefix:  `. "$HOME/venv/bin/activate" && `, tools: []string{"python3"}, why: "pip because of " + name,
		}
		if f.own.install.set {
			i.prefix = "" // whatever the owner installs is not there
		}
		return i
	}
	return installer{}
}
