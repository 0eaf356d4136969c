//go:build !linux

package process

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	pollEvery   = 20 * time.Millisecond
	killTimeout = 30 * time.Second
)

// exitWatch waits for the end of one child.
type exitWatch struct {
	given chan struct{}
	once  sync.Once
}

// startInSession starts cmd in a session of its own.
func startInSession(cmd *exec.Cmd) (*exitWatch, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &exitWatch{given: make(chan struct{})}, nil
}

// wait returns true once cmd has ended and is reaped, false once it was abandoned. The
// thread that waits for an abandoned child stays until the child ends, and reaps it.
func (w *exitWatch) wait(cmd *exec.Cmd) bool {
	reaped := make(chan struct{})
	go func() {
		defer close(reaped)
		_ = cmd.Wait()
	}()
	select {
	case <-reaped:
		return true
	case <-w.given:
		return false
	}
}

// abandon makes wait return.
func (w *exitWatch) abandon() { w.once.Do(func() { close(w.given) }) }

// startOf cannot tell here when a process began: a number that was given away again is
// taken for the job.
func startOf(pid int) (start string, alive bool) {
	err := syscall.Kill(pid, 0)
	return "-", err == nil || errors.Is(err, syscall.EPERM)
}

func raiseOOMScore(int) {}

// family is the process group of the job's session: all that can be found without /proc.
type family struct{ leader identity }

func newFamily(leader identity) *family { return &family{leader} }

// end asks the job to end, gives it the grace, and kills what is left.
func (f *family) end(ctx context.Context, grace time.Duration) error {
	gone, err := f.signal(ctx, syscall.SIGTERM, grace)
	if gone || err != nil {
		return err
	}
	return f.kill(ctx)
}

// kill kills all processes of the job.
func (f *family) kill(ctx context.Context) error {
	gone, err := f.signal(ctx, syscall.SIGKILL, killTimeout)
	if err == nil && !gone {
		err = fmt.Errorf("its processes do not end")
	}
	return err
}

// signal sends sig to the group and waits for its end.
func (f *family) signal(ctx context.Context, sig syscall.Signal, wait time.Duration) (gone bool, err error) {
	if f.leader.pid == 0 {
		return true, nil
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	_ = syscall.Kill(-f.leader.pid, sig)
	for {
		if err := syscall.Kill(-f.leader.pid, 0); errors.Is(err, syscall.ESRCH) {
			return true, nil
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
