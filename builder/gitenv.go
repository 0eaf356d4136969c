package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// gitConfig is what every call of git is made with: a repository's own configuration and
// attributes cannot make it run anything.
func gitConfig() []string {
	return []string{
		"-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.attributesFile=/dev/null",
		"-c", "protocol.file.allow=never", "-c", "submodule.recurse=false", "-c", "transfer.fsckObjects=true",
		"-c", "credential.helper=", "-c", "log.showSignature=false", "-c", "gc.auto=0", "-c", "advice.detachedHead=false",
	}
}

// gitEnv keeps the machine's and the user's configuration out, and prompts away.
func gitEnv(home string, protocols string) []string {
	env := []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_ASKPASS=", "SSH_ASKPASS=", "GIT_LFS_SKIP_SMUDGE=1", "GIT_ALLOW_PROTOCOL=" + protocols,
		"GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "LC_ALL=C", "HOME=" + home, "XDG_CONFIG_HOME=" + home,
	}
	for _, name := range []string{"PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// gitFiles lists the files below dir that are tracked or neither tracked nor ignored. ok is
// false where dir is in no work tree, or git is not installed.
func gitFiles(ctx context.Context, dir string) (names []string, ok bool, err error) {
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, false, nil
	}
	args := append(gitConfig(), "-c", "safe.directory=*", "-C", dir)
	run := func(more ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, git, append(args, more...)...)
		cmd.Env = gitEnv("/nonexistent", "none")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return nil, fmt.Errorf("%w: %s", exit, clip(strings.TrimSpace(stderr.String()), 300))
		}
		return out, err
	}
	if out, err := run("rev-parse", "--is-inside-work-tree"); err != nil || strings.TrimSpace(string(out)) != "true" {
		return nil, false, nil
	}
	out, err := run("ls-files", "-co", "--exclude-standard", "-z")
	if err != nil {
		return nil, false, fmt.Errorf("list the files with git: %w", err)
	}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names, true, nil
}
