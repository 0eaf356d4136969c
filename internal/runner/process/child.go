package process

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

// child is a job that this Runner started, as opposed to those it found.
type child struct {
	cmd   *exec.Cmd
	pid   int
	stdin *os.File
	exit  *exitWatch
	began time.Time

	stopped atomic.Bool // asked to end: how it ends is no news

	ended  chan struct{} // closed when reason is set
	reason string
}

// adopt makes the Runner wait for c, unless it is closed.
func (r *Runner) adopt(name string, dir folder, c *child) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.children[name] = c
	r.waiting.Go(func() { r.wait(name, dir, c) })
	return true
}

// wait reaps the child and keeps how it ended, for Inspect and for the next Runner.
func (r *Runner) wait(name string, dir folder, c *child) {
	if !c.exit.wait(c.cmd) {
		return // Close
	}
	c.reason = reasonOf(c.cmd.ProcessState)
	err := os.WriteFile(dir.path("exit"), []byte(c.reason+"\n"), 0o600)
	close(c.ended)
	log := r.config.Log.With(slog.String("job", name), slog.Duration("after", r.config.Now().Sub(c.began)))
	switch {
	case !c.cmd.ProcessState.Success() && !c.stopped.Load():
		log.Warn("a job ended badly", "reason", c.reason, "output", dir.tail())
	case err != nil:
		log.Warn("a job's end could not be recorded", "error", err)
	default:
		log.Debug("a job ended")
	}
}

// child returns the job called name if this Runner started it.
func (r *Runner) child(name string) *child {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.children[name]
}

// forget waits until the child called name, whose processes have ended, is reaped.
func (r *Runner) forget(name string) {
	c := r.child(name)
	if c == nil {
		return
	}
	select {
	case <-c.ended:
	case <-r.closing:
	}
	r.mu.Lock()
	delete(r.children, name)
	r.mu.Unlock()
}

// reasonOf puts an exit status into words.
func reasonOf(state *os.ProcessState) string {
	status, ok := state.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return fmt.Sprintf("exit status %d", state.ExitCode())
	}
	if status.Signal() == syscall.SIGKILL {
		return "killed by signal 9 (out of memory?)"
	}
	return fmt.Sprintf("killed by signal %d (%s)", status.Signal(), status.Signal())
}
