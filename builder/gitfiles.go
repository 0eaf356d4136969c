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
		cmd.Env = gitEnv(os.Environ(), "/nonexistent", "none")
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
