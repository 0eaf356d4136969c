package detect

import (
	"bytes"
	"cmp"
	"io/fs"
	"path"
	"strings"
)

// PackageManager names what installs a project's packages.
type PackageManager string

// The package managers.
const (
	NPM  PackageManager = "npm"
	PNPM PackageManager = "pnpm"
	Yarn PackageManager = "yarn"
	Bun  PackageManager = "bun"
	Deno PackageManager = "deno"
)

const (
	npmFlags = " --no-audit --no-fund --prefer-offline"

	// NPMInstall is what replaces NPMClean once where the lockfile does not fit package.json.
	NPMInstall = "npm install" + npmFlags
	// NPMClean installs exactly what package-lock.json says.
	NPMClean = "npm ci" + npmFlags
)

// run is the command that runs a script of package.json.
func (m PackageManager) run(script string) string {
	if m == Deno {
		return "deno task " + script
	}
	return string(m) + " run " + script
}

type lockfile struct {
	name    string
	manager PackageManager
}

// lockfiles in the order in which one wins over another of the same folder.
func lockfiles() []lockfile {
	return []lockfile{
		{"pnpm-lock.yaml", PNPM}, {"bun.lock", Bun}, {"bun.lockb", Bun}, {"yarn.lock", Yarn},
		{"package-lock.json", NPM}, {"npm-shrinkwrap.json", NPM}, {"deno.lock", Deno},
	}
}

// findManager chooses the package manager: as package.json names it, else by the lockfile, both
// of the nearest folder up to the source; else the one that engines asks for, else npm.
func (f *finder) findManager() error {
	p := &f.plan
	if f.own.build.set && f.own.build.value == "" {
		return nil // nothing is built
	}
	if f.preset.Runtime == denoRuntime {
		p.PackageManager, p.InstallRoot = Deno, p.Root
		return nil
	}
	if f.pkg == nil || !f.needsPackages() {
		return nil
	}
	lock, dir := f.nearestLockfile()
	p.InstallRoot = p.Root
	if lock.name != "" {
		p.InstallRoot = dir
	}
	declared, field, err := f.declaredManager()
	if err != nil {
		return err
	}
	engine := f.pkg.engineManager()
	switch {
	case declared != "":
		p.PackageManager = declared
		p.because("%s because package.json names it as %s", declared, field)
	case lock.name != "":
		p.PackageManager = lock.manager
		p.because("%s because of %s", lock.manager, path.Join(dir, lock.name))
	case engine != "":
		p.PackageManager = engine
		p.because("%s because package.json asks for it in engines, and there is no lockfile", engine)
	default:
		p.PackageManager = NPM
		p.because("npm because there is no lockfile")
	}
	return nil
}

// needsPackages reports whether package.json has a part in the build: a generator that npm does
// not install may have a script or packages there, and else may not.
func (f *finder) needsPackages() bool {
	switch f.preset.Runtime {
	case noRuntime:
		return f.own.build.set && f.own.build.value != ""
	case nodeRuntime:
		return true
	}
	return f.pkg.script("build") != "" || len(f.pkg.dependencies) > 0
}

// findInstall chooses the install command.
func (f *finder) findInstall() error {
	p := &f.plan
	f.toolchain()
	if c := f.own.install; c.set {
		p.Install, p.InstallRoot = c.value, cmp.Or(p.InstallRoot, p.Root)
		p.because("%s", c.reason("the install command is", "nothing is installed"))
		return nil
	}
	if p.PackageManager == "" || p.Build == "" {
		p.PackageManager = ""
		return nil
	}
	lock := f.lockfileOf(p.PackageManager, p.InstallRoot)
	own := f.installCommand(lock)
	switch {
	case p.Install == "":
		p.Install = own
	case p.InstallRoot == p.Root:
		p.Install += " && " + own
	}
	return nil
}

// nearestLockfile looks in the folder and its parents, never above the source. Of two in one
// folder it takes the first, and says so.
func (f *finder) nearestLockfile() (lockfile, string) {
	for dir := f.plan.Root; ; dir = path.Dir(dir) {
		var found []lockfile
		for _, l := range lockfiles() {
			if isFile(f.source, path.Join(dir, l.name)) {
				found = append(found, l)
			}
		}
		for _, l := range found {
			if l.manager != found[0].manager {
				f.plan.because("there are %s and %s: remove the one that is not kept up to date", path.Join(dir, found[0].name), path.Join(dir, l.name))
			}
		}
		if len(found) > 0 {
			return found[0], dir
		}
		if dir == "." {
			return lockfile{}, ""
		}
	}
}

// lockfileOf returns the path of the lockfile that a package manager has in a folder, or "".
func (f *finder) lockfileOf(m PackageManager, dir string) string {
	for _, l := range lockfiles() {
		if l.manager == m && isFile(f.source, path.Join(dir, l.name)) {
			return path.Join(dir, l.name)
		}
	}
	return ""
}

// declaredManager reads the field packageManager ("pnpm@9.1.0"), or else
// devEngines.packageManager, of the nearest package.json that has one.
func (f *finder) declaredManager() (m PackageManager, field string, err error) {
	for dir := f.plan.Root; ; dir = path.Dir(dir) {
		pkg := f.pkg
		if dir != f.plan.Root {
			sub, err := fs.Sub(f.source, dir)
			if err != nil {
				return "", "", err
			}
			if pkg, err = readPackage(sub); err != nil {
				return "", "", err
			}
		}
		if name, field := pkg.declared(); name != "" {
			m, known := knownManager(name)
			if !known {
				f.plan.because("%s of package.json names %s, which is no package manager that is known here", field, clip(name))
			}
			return m, field, nil
		}
		if dir == "." {
			return "", "", nil
		}
	}
}

func knownManager(name string) (PackageManager, bool) {
	name, _, _ = strings.Cut(name, "@")
	switch m := PackageManager(name); m {
	case NPM, PNPM, Yarn, Bun, Deno:
		return m, true
	}
	return "", false
}

func (f *finder) installCommand(lock string) string {
	m, locked := f.plan.PackageManager, lock != ""
	switch {
	case m == PNPM && locked:
		return "pnpm install --frozen-lockfile --prefer-offline"
	case m == Yarn && locked && isBerry(f.source, lock):
		return "yarn install --immutable"
	case m == Yarn && locked, m == Bun && locked:
		return string(m) + " install --frozen-lockfile"
	case m == Deno && locked:
		return "deno install --frozen"
	case m == NPM && locked:
		return NPMClean
	case m == NPM:
		return NPMInstall
	}
	return string(m) + " install"
}

// isBerry reports whether a yarn.lock was written by Yarn 2 or later.
func isBerry(fsys fs.FS, lock string) bool {
	b, err := readFile(fsys, lock, 64<<20)
	return err == nil && (bytes.HasPrefix(b, []byte("__metadata:")) || bytes.Contains(b, []byte("\n__metadata:")))
}
