package detect

import (
	"bytes"
	"io/fs"
	"path"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// PackageManager names what installs a project's packages.
type PackageManager string

// The package managers.
const (
	NPM  PackageManager = "npm"
	PNPM PackageManager = "pnpm"
	Yarn PackageManager = "yarn"
	Bun  PackageManager = "bun"
)

const (
	npmFlags = " --no-audit --no-fund --prefer-offline"

	// NPMInstall is what replaces NPMClean once where the lockfile does not fit package.json.
	NPMInstall = "npm install" + npmFlags
	// NPMClean installs exactly what package-lock.json says.
	NPMClean = "npm ci" + npmFlags
)

type lockfile struct {
	name    string
	manager PackageManager
}

// lockfiles in the order in which one wins over another of the same folder.
func lockfiles() []lockfile {
	return []lockfile{
		{"pnpm-lock.yaml", PNPM}, {"bun.lock", Bun}, {"bun.lockb", Bun}, {"yarn.lock", Yarn},
		{"package-lock.json", NPM}, {"npm-shrinkwrap.json", NPM},
	}
}

// findInstall chooses the package manager and its command.
func (p *Plan) findInstall(fsys fs.FS, pkg *packageJSON, settings hosting.BuildSettings) error {
	if pkg == nil || p.Build == "" && p.Framework == "static" {
		if settings.InstallCommand != "" {
			p.Install, p.InstallRoot = settings.InstallCommand, p.Root
			p.because("the install command is the setting installCommand")
		}
		return nil
	}
	found, dir := nearestLockfile(fsys, p.Root)
	p.PackageManager, p.InstallRoot = NPM, p.Root
	if found.name != "" {
		p.PackageManager, p.InstallRoot = found.manager, dir
	}
	declared, err := declaredManager(fsys, p.Root)
	if err != nil {
		return err
	}
	switch {
	case declared != "":
		if declared != p.PackageManager {
			found = lockfile{}
		}
		p.PackageManager = declared
		p.because("%s because package.json names it as packageManager", declared)
	case found.name != "":
		p.because("%s because of %s", found.manager, path.Join(dir, found.name))
	default:
		p.because("npm because there is no lockfile")
	}
	if settings.InstallCommand != "" {
		p.Install = settings.InstallCommand
		p.because("the install command is the setting installCommand")
	} else {
		p.Install = installCommand(fsys, p.PackageManager, path.Join(p.InstallRoot, found.name), found.name != "")
	}
	if p.Build == "" {
		p.Build = string(p.PackageManager) + " run build"
	}
	return nil
}

// nearestLockfile looks in dir and its parents, never above the source.
func nearestLockfile(fsys fs.FS, dir string) (lockfile, string) {
	for ; ; dir = path.Dir(dir) {
		for _, l := range lockfiles() {
			if isFile(fsys, path.Join(dir, l.name)) {
				return l, dir
			}
		}
		if dir == "." {
			return lockfile{}, ""
		}
	}
}

// declaredManager reads the field packageManager ("pnpm@9.1.0") of the nearest package.json
// that has one.
func declaredManager(fsys fs.FS, dir string) (PackageManager, error) {
	for ; ; dir = path.Dir(dir) {
		sub, err := fs.Sub(fsys, dir)
		if err != nil {
			return "", err
		}
		pkg, err := readPackage(sub)
		if err != nil {
			return "", err
		}
		if pkg != nil && pkg.packageManager != "" {
			name, _, _ := strings.Cut(pkg.packageManager, "@")
			switch m := PackageManager(name); m {
			case NPM, PNPM, Yarn, Bun:
				return m, nil
			}
			return "", nil
		}
		if dir == "." {
			return "", nil
		}
	}
}

func installCommand(fsys fs.FS, m PackageManager, lock string, locked bool) string {
	switch {
	case m == PNPM && locked:
		return "pnpm install --frozen-lockfile --prefer-offline"
	case m == Yarn && locked && isBerry(fsys, lock):
		return "yarn install --immutable"
	case m == Yarn && locked, m == Bun && locked:
		return string(m) + " install --frozen-lockfile"
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
