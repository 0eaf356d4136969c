package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

// markName is the variable that every process of a job inherits.
const markName = "FAIRWAY_JOB"

// Start starts the job, or returns the Ref of the one that has its name already, be it
// running or ended, until it is stopped.
func (r *Runner) Start(ctx context.Context, spec runner.Spec) (runner.Ref, error) {
	if err := check(spec); err != nil {
		return "", err
	}
	release, err := r.hold(ctx, spec.Name)
	if err != nil {
		return "", err
	}
	defer release()
	dir := r.folder(spec.Name)
	id, ok, err := dir.identity()
	if err != nil {
		return "", unavailable(spec.Name, err)
	}
	if ok {
		return id.ref(), nil
	}
	if err := r.clear(ctx, dir, spec.Name); err != nil {
		return "", unavailable(spec.Name, err)
	}
	id, err = r.launch(dir, spec)
	if err != nil {
		return "", unavailable(spec.Name, errors.Join(err, dir.remove()))
	}
	return id.ref(), nil
}

// check refuses what could be read as something else where it ends up.
func check(spec runner.Spec) error {
	if !validName.MatchString(spec.Name) {
		return fmt.Errorf("start a job: %q cannot be a job's name", spec.Name)
	}
	if spec.Token == "" || len(spec.Token) > runner.MaxToken || strings.ContainsAny(spec.Token, "\r\n") {
		return fmt.Errorf("start job %s: its token is not one line", spec.Name)
	}
	return nil
}

// clear removes what a server left behind that died while it was starting this job. Its
// program never had the token, but may not have noticed yet.
func (r *Runner) clear(ctx context.Context, dir folder, name string) error {
	if !dir.exists() {
		return nil
	}
	if err := newFamily(identity{name: name}).kill(ctx); err != nil {
		return err
	}
	return dir.remove()
}

// launch starts the program, makes it findable, and only then gives it the token.
func (r *Runner) launch(dir folder, spec runner.Spec) (identity, error) {
	if err := dir.create(); err != nil {
		return identity{}, err
	}
	c, err := r.spawn(dir, spec)
	if err != nil {
		return identity{}, err
	}
	defer c.stdin.Close()
	r.at("job.started")
	start, _ := startOf(c.pid) // there even if it has ended: nobody has reaped it yet
	id := identity{spec.Name, c.pid, start}
	raiseOOMScore(c.pid)
	err = dir.name(id)
	if err == nil && !r.adopt(spec.Name, dir, c) {
		err = errors.New("the runner is closed")
	}
	if err != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.exit.abandon()
		return identity{}, err
	}
	r.at("job.named")
	// A program that has ended meanwhile is a job that has ended: Inspect will tell.
	_, _ = c.stdin.WriteString(spec.Token + "\n")
	r.at("job.told")
	return id, nil
}

// spawn starts the program, which waits for its token.
func (r *Runner) spawn(dir folder, spec runner.Spec) (*child, error) {
	output, err := os.OpenFile(dir.path("output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the job's output: %w", err)
	}
	defer output.Close()
	stdin, token, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open the job's input: %w", err)
	}
	defer stdin.Close()
	cmd := exec.Command(r.config.Executable, r.config.Args...)
	cmd.Dir = dir.path("work")
	cmd.Env = r.environment(dir, spec)
	// Files, not pipes that the server reads: the job has to outlive it.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, output, output
	exit, err := startInSession(cmd)
	if err != nil {
		_ = token.Close()
		return nil, fmt.Errorf("run the job program: %w", err)
	}
	return &child{cmd: cmd, pid: cmd.Process.Pid, stdin: token, exit: exit, began: r.config.Now(), ended: make(chan struct{})}, nil
}

// environment is all that a job inherits: none of the server's variables but PATH and those of
// Config.Env. Of two entries with one name, the later counts.
func (r *Runner) environment(dir folder, spec runner.Spec) []string {
	return append(slices.Clone(r.config.Env),
		markName+"="+spec.Name,
		"FAIRWAY_JOB_ID="+string(spec.Deployment),
		"FAIRWAY_JOB_API="+spec.API,
		"PATH="+r.path,
		"LANG=C.UTF-8",
		"HOME="+dir.path("home"),
		"TMPDIR="+dir.path("tmp"),
	)
}

func unavailable(name string, err error) error {
	return fmt.Errorf("start job %s: %w: %w", name, err,
		hosting.Errorf(hosting.CodeUnavailable, "the build could not be started on this machine"))
}
