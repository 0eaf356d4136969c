package ecstest

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// InNetwork does something in a network namespace below /run/netns: what it starts is there, and
// what it opens stays there. "" is the own one.
func InNetwork(name string, do func() error) error {
	if name == "" {
		return do()
	}
	own, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	defer own.Close()
	other, err := os.Open("/run/netns/" + name)
	if err != nil {
		return err
	}
	defer other.Close()
	runtime.LockOSThread()
	err = unix.Setns(int(other.Fd()), unix.CLONE_NEWNET)
	if err == nil {
		err = do()
	}
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked, so that nothing else ever runs on it
	}
	runtime.UnlockOSThread()
	return err
}
