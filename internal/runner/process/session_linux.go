package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// AdoptOrphans makes what the calling process' descendants leave behind its own children,
// instead of init's: so a job's processes stay its descendants whatever they do, and Stop
// finds them. Those that end stay as zombies until the job ends.
func AdoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	return nil
}

// exitWatch waits for the end of one child by its pidfd, which the network poller can wait
// for: no thread is kept in wait4, from which Close could not take it back.
type exitWatch struct{ pidfd *os.File }

// startInSession starts cmd in a session of its own.
func startInSession(cmd *exec.Cmd) (*exitWatch, error) {
	fd := -1
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, PidFD: &fd}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if fd >= 0 {
		_ = unix.SetNonblock(fd, true) // or NewFile would not hand it to the poller
		return &exitWatch{os.NewFile(uintptr(fd), "pidfd")}, nil
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, fmt.Errorf("this kernel has no pidfd: Linux 5.4 or newer is needed")
}

// wait returns true once cmd has ended and is reaped, false once it was abandoned.
func (w *exitWatch) wait(cmd *exec.Cmd) bool {
	conn, err := w.pidfd.SyscallConn()
	if err == nil {
		err = conn.Read(func(fd uintptr) bool {
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return err != nil || ready > 0
		})
	}
	if errors.Is(err, os.ErrClosed) {
		_ = cmd.Process.Release()
		return false
	}
	// After any other error this waits with a thread instead.
	_ = cmd.Wait() // its status is in ProcessState
	_ = w.pidfd.Close()
	return true
}

// abandon makes wait return.
func (w *exitWatch) abandon() { _ = w.pidfd.Close() }
