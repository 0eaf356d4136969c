package builder

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxTail is how many of a command's last lines are kept to explain its failure. Below the
// reason, npm prints a hundred lines of help.
const maxTail = 250

// command is one of the project's own: the only thing that a shell ever sees.
type command struct {
	line string
	dir  string // relative to the source
	root string // folder of the project, for PATH
	code string // what a failure is called
}

// shell runs a command and logs what it prints.
func (a *attempt) shell(ctx context.Context, c command) (*tail, error) {
	a.log.say("$ %s", c.line)
	last := new(tail)
	stdout, stderr := a.log.printed(streamOut, last.add), a.log.printed(streamErr, last.add)
	err := process{
		args: []string{"/bin/sh", "-c", c.line},
		dir:  filepath.Join(a.path(dirSource), filepath.FromSlash(c.dir)),
		env:  a.buildEnv(c.root), stdout: stdout, stderr: stderr,
	}.run(ctx)
	_, _ = stdout.Close(), stderr.Close() // neither fails
	if errors.Is(err, syscall.E2BIG) {
		return last, fail(c.code, "the project's variables are too large: all together, Linux hands at most some 2 MB to a program, and 128 kB in one")
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return last, err
	}
	// Masked before it is cut off: half a secret is not recognized.
	return last, fail(c.code, "%s", explainExit(a.log.mask.text(c.line), exit, last.gist()))
}

// explainExit says how a command ended and what it said last.
func explainExit(line string, exit *exec.ExitError, gist string) string {
	status, _ := exit.Sys().(syscall.WaitStatus)
	code := exit.ExitCode()
	how := fmt.Sprintf("%q ended with exit code %d", clip(line, 200), code)
	if status.Signaled() {
		how = fmt.Sprintf("%q was killed by signal %d", clip(line, 200), status.Signal())
	}
	// 137 is how a shell reports that its child was killed by signal 9.
	if code == 128+int(syscall.SIGKILL) || status.Signaled() && status.Signal() == syscall.SIGKILL {
		how += " (it was killed: the machine may have run out of memory)"
	}
	if code == 127 {
		how += " (a program was not found)"
	}
	if gist != "" {
		how += ": " + gist
	}
	return how
}

// tail keeps the last lines of a command's output.
type tail struct {
	mu    sync.Mutex
	lines []string // at most twice maxTail; guarded by mu
}

func (t *tail) add(line string) {
	line = strings.TrimSpace(withoutColours(line))
	if line == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 2*maxTail {
		t.lines = slices.Delete(t.lines, 0, maxTail)
	}
	t.lines = append(t.lines, line)
}

// last returns the last lines. The caller holds mu.
func (t *tail) last() []string { return t.lines[max(0, len(t.lines)-maxTail):] }

func (t *tail) contains(s string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.last(), func(l string) bool { return strings.Contains(l, s) })
}

// maxGist is how many lines explain a failure.
const maxGist = 3

// gist returns the last lines, without what npm adds below the error that matters. Where npm
// alone said something, its first words matter, and the rest is help.
func (t *tail) gist() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var own, npm []string
	for _, l := range t.last() {
		word, isNPM := strings.CutPrefix(l, "npm error")
		if !isNPM {
			word, isNPM = strings.CutPrefix(l, "npm ERR!")
		}
		switch word = strings.TrimSpace(word); {
		case !isNPM && !strings.HasPrefix(l, "> ") && !strings.HasPrefix(l, "npm warn"):
			own = append(own, clip(l, 200))
		case isNPM && word != "" && len(npm) < maxGist:
			npm = append(npm, clip(word, 200))
		}
	}
	if len(own) == 0 {
		own = npm
	}
	return strings.Join(own[max(0, len(own)-maxGist):], " | ")
}

// withoutColours drops the colours that a sanitized line may hold.
func withoutColours(s string) string {
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		if !found {
			return s
		}
		_, after, _ = strings.Cut(after, "m")
		s = before + after
	}
}

// install runs the plan's install command, and once more without the lockfile's strictness
// where npm says that the lockfile is not the one of package.json.
func (a *attempt) install(ctx context.Context) error {
	c := command{line: a.plan.Install, dir: a.plan.InstallRoot, root: a.plan.Root, code: hosting.FailInstall}
	last, err := a.shell(ctx, c)
	if err == nil || c.line != detect.NPMClean || !last.contains("EUSAGE") {
		return err
	}
	a.log.say("package-lock.json does not fit package.json: installing without it. Run npm install and commit the lockfile to make builds repeatable")
	c.line = detect.NPMInstall
	_, err = a.shell(ctx, c)
	return err
}

// build runs the plan's build command.
func (a *attempt) build(ctx context.Context) error {
	_, err := a.shell(ctx, command{line: a.plan.Build, dir: a.plan.Root, root: a.plan.Root, code: hosting.FailBuild})
	return err
}
