package builder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// drainTime is how long output is awaited after every process is dead: only one that got
// away can still hold the pipe.
const drainTime = 2 * time.Second

// process is a program to run in a session of its own.
type process struct {
	args   []string // the program's path first
	dir    string
	env    []string
	stdout io.Writer
	stderr io.Writer
}

// run runs the program and returns when neither it nor anything it started runs any more.
// When ctx ends, all of it is killed and the context's cause is returned.
func (p process) run(ctx context.Context) error {
	mark := stepVariable + "=" + rand.Text()
	cmd := exec.CommandContext(ctx, p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Env = p.dir, append(p.env[:len(p.env):len(p.env)], mark)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// Pipes of our own: those of os/exec would make Wait wait for a background process
	// that inherited them, and it is to be killed first.
	out, err := newDrain(p.stdout)
	if err != nil {
		return err
	}
	errs, err := newDrain(p.stderr)
	if err != nil {
		out.abandon()
		return err
	}
	cmd.Stdout, cmd.Stderr = out.w, errs.w
	if err := cmd.Start(); err != nil {
		out.abandon()
		errs.abandon()
		return fmt.Errorf("start %s: %w", p.args[0], err)
	}
	var copying sync.WaitGroup
	out.start(&copying)
	errs.start(&copying)
	waited := cmd.Wait()
	killed := killSession(cmd.Process.Pid, mark)
	out.hurry()
	errs.hurry()
	copying.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(waited, killed)
}

// drain copies what is written to w to a writer.
type drain struct {
	r, w *os.File
	to   io.Writer
}

func newDrain(to io.Writer) (*drain, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	return &drain{r: r, w: w, to: to}, nil
}

func (d *drain) start(wg *sync.WaitGroup) {
	_ = d.w.Close() // the child has its own; ours would keep the pipe open
	wg.Go(func() {
		_, _ = io.Copy(d.to, d.r) // ends when the last writer is gone, or after hurry
		_ = d.r.Close()
	})
}

// hurry bounds how long more output is awaited.
func (d *drain) hurry() { _ = d.r.SetReadDeadline(time.Now().Add(drainTime)) }

func (d *drain) abandon() {
	_ = d.r.Close()
	_ = d.w.Close()
}

// lookPath finds a program in the PATH of env; "" where it is not installed.
func lookPath(env []string, name string) string {
	for dir := range strings.SplitSeq(lookEnv(env, "PATH"), string(os.PathListSeparator)) {
		if dir == "" || !strings.HasPrefix(dir, "/") {
			continue // a relative entry would find programs of the source
		}
		file := dir + "/" + name
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// lookEnv returns the variable's last value in env.
func lookEnv(env []string, name string) string {
	value := ""
	for _, e := range env {
		if k, v, _ := strings.Cut(e, "="); k == name {
			value = v
		}
	}
	return value
}
