package runner

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }

// holder returns another process with the entry in its environment, 0 where there is none that
// this one, and so a build, could read.
func holder(entry string) (pid int) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		env, err := os.ReadFile(path)
		if err != nil || pid == os.Getpid() {
			continue
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if string(v) == entry {
				return pid
			}
		}
	}
	return 0
}

// HideMemory keeps other processes of the same user, as those of a build, from reading this
// one's memory and environment: all that may not trace every process.
func HideMemory() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide the job's memory: %w", err)
	}
	return nil
}
