package process

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// exitWatch waits for the end of one child by a pidfd, which the network poller can wait
// for: no thread is kept in wait4, from which Close could not take it back.
type exitWatch struct {
	pidfd *os.File
	given atomic.Bool
}

// startInSession starts cmd in a session of its own.
func startInSession(cmd *exec.Cmd) (*exitWatch, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// Not the pidfd that os has of it: a wait by one that does not block fails.
	fd, err := unix.PidfdOpen(cmd.Process.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("watch a process (Linux 5.10 or newer is needed): %w", err)
	}
	return &exitWatch{pidfd: os.NewFile(uintptr(fd), "pidfd")}, nil
}

// wait returns true once cmd has ended and is reaped, false once it was abandoned.
func (w *exitWatch) wait(cmd *exec.Cmd) bool {
	conn, err := w.pidfd.SyscallConn()
	if err == nil {
		_ = conn.Read(func(fd uintptr) bool {
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return err != nil || ready > 0
		})
	}
	if w.given.Load() {
		_ = cmd.Process.Release()
		return false
	}
	_ = cmd.Wait() // its status is in ProcessState
	_ = w.pidfd.Close()
	return true
}

// abandon makes wait return.
func (w *exitWatch) abandon() {
	w.given.Store(true)
	_ = w.pidfd.Close()
}
