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

// toolchain adds what the preset's runtime installs, and how the build command finds it. Commands that
// the owner chose are taken as they are, and so are scripts of package.json.
func (f *finder) toolchain() {
	p := &f.plan
	owned := f.own.install.set
	program, _, _ := strings.Cut(f.preset.Build, " ")
	install, prefix, tools := f.installer(program)
	if owned {
		tools = nil
	}
	if !owned && install != "" {
		p.Install, p.InstallRoot = install, p.Root
	}
	if f.byPreset {
		p.Build = prefix + p.Build
		p.because("%s is what %s is built with", p.Build, f.preset.Name)
		p.Tools = tools
	} else if install != "" {
		p.Tools = tools
	}
}

// installer returns what installs the packages of the preset's program, what stands before its
// command then, and the programs of the machine that are needed.
func (f *finder) installer(program string) (install, prefix string, tools []string) {
	because := f.plan.because
	switch f.preset.Runtime {
	case nodeRuntime, noRuntime, denoRuntime:
		return "", "", nil
	case rubyRuntime:
		if !isFile(f.root, "Gemfile") {
			break
		}
		because("Bundler because of Gemfile")
		settings := "bundle config set --local path vendor/bundle"
		if isFile(f.root, "Gemfile.lock") {
			settings += " && bundle config set --local frozen true"
		}
		if !strings.HasPrefix(program, "bin/") {
			prefix = "bundle exec "
		}
		return settings + " && bundle install --jobs 4", prefix, []string{"bundle"}
	case pythonRuntime:
		if isFile(f.root, "uv.lock") {
			because("uv because of uv.lock")
			return "uv sync --frozen", "uv run ", []string{"uv"}
		}
		for _, name := range []string{"requirements.txt", "docs/requirements.txt"} {
			if isFile(f.root, name) {
				because("pip because of %s", name)
				return "python3 -m venv " + venv + " && " + `"$HOME/venv/bin/pip" install -r ` + name,
					`. "$HOME/venv/bin/activate" && `, []string{"python3"}
			}
		}
	case phpRuntime:
		if isFile(f.root, "cecil.phar") {
			return "", "php ", []string{"php"}
		}
		if isFile(f.root, "composer.json") {
			because("Composer because of composer.json")
			return "composer install --no-interaction --prefer-dist", "vendor/bin/", []string{"php", "composer"}
		}
	case dotnetRuntime:
		return "dotnet restore", "", []string{"dotnet"}
	}
	because("%s of the machine that builds, since nothing in the source installs it", program)
	return "", "", []string{program}
}
