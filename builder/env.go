package builder

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// buildEnv is the whole environment of the project's own commands, and of nothing else: the
// project's variables are in no other.
func (a *attempt) buildEnv(rootDir string) []string {
	env := []string{
		"PATH=" + a.buildPath(rootDir),
		"HOME=" + a.path(dirHome), "TMPDIR=" + a.path(dirTemp),
		"LANG=C.UTF-8", "CI=true", "FORCE_COLOR=1", "BROWSER=none",
		"NPM_CONFIG_AUDIT=false", "NPM_CONFIG_FUND=false", "NPM_CONFIG_UPDATE_NOTIFIER=false",
		"NPM_CONFIG_PROGRESS=false", "NPM_CONFIG_FETCH_RETRIES=5", "COREPACK_ENABLE_DOWNLOAD_PROMPT=0",
		"NEXT_TELEMETRY_DISABLED=1", "ASTRO_TELEMETRY_DISABLED=1",
	}
	for _, e := range a.cfg.Env {
		if name, _, _ := strings.Cut(e, "="); passes(name) {
			env = append(env, e)
		}
	}
	for _, v := range a.job.Variables {
		if !reserved(v.Name) {
			env = append(env, v.Name+"="+v.Value) // the last of a name holds
		}
	}
	return env
}

// reserved reports whether a project's variable would replace what the builder itself relies
// on, or is none. Control takes no such name.
func reserved(name string) bool {
	return name == "" || strings.ContainsAny(name, "=\x00") || strings.HasPrefix(name, "FAIRWAY_") ||
		slices.Contains([]string{"PATH", "HOME", "TMPDIR"}, name)
}

// passes reports whether a variable of Config.Env reaches the build: FAIRWAY_JOB, by which
// the runner finds what a job left behind, and the operator's settings for the network.
func passes(name string) bool {
	return slices.Contains([]string{
		"LANG", "LC_ALL", "TZ", "FAIRWAY_JOB", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	}, name) || strings.HasPrefix(strings.ToUpper(name), "NPM_CONFIG_")
}

// Inherits reports whether a variable of the server's environment is one that a runner on the
// same machine hands to its jobs: those of Config.Env that an operator sets for builds.
func Inherits(name string) bool {
	return name != "FAIRWAY_JOB" && passes(name) || name == "GIT_SSL_CAINFO"
}

// buildPath puts the programs that the project installed before the machine's, the nearest
// folder first.
func (a *attempt) buildPath(rootDir string) string {
	var dirs []string
	for dir := path.Clean(rootDir); ; dir = path.Dir(dir) {
		dirs = append(dirs, filepath.Join(a.path(dirSource), filepath.FromSlash(dir), "node_modules", ".bin"))
		if dir == "." {
			break
		}
	}
	return strings.Join(append(dirs, a.machinePath()), string(filepath.ListSeparator))
}

func (a *attempt) machinePath() string {
	if p := lookEnv(a.cfg.Env, "PATH"); p != "" {
		return p
	}
	return "/usr/local/bin:/usr/bin:/bin"
}

// path returns the path of a name in the work folder.
func (a *attempt) path(name string) string { return filepath.Join(a.cfg.Dir, name) }
