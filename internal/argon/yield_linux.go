package argon

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// yield makes every thread of the process one that runs when no other wants the processor
// (SCHED_IDLE). The kernel keeps that per thread, and new threads have it of those that start
// them: once a pass over the list finds none that was not lowered, there will be none.
func yield() error {
	lowered := map[int]bool{}
	for found := true; found; {
		found = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || lowered[tid] {
				continue
			}
			err = unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
			if err != nil && !errors.Is(err, unix.ESRCH) { // a thread that ended
				return err
			}
			lowered[tid], found = true, true
		}
	}
	return nil
}
