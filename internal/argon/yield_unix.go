//go:build unix && !linux

package argon

import "golang.org/x/sys/unix"

// yield gives the process the lowest priority.
func yield() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, 19) }
