package builder

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// stepVariable marks the processes of one command.
	stepVariable = "FAIRWAY_STEP"
	killTime     = 10 * time.Second
	killPause    = 2 * time.Millisecond
)

// killSession kills the process group, the session and whatever else carries mark in its
// environment, and returns when all of that is dead. Nothing may write to the output any
// more once it is hashed. A process that left the session and cleared its environment gets
// away until the runner ends the job; what it then changes is found by the digests.
func killSession(leader int, mark string) error {
	for end := time.Now().Add(killTime); ; {
		err := syscall.Kill(-leader, syscall.SIGKILL)
		left := strays(leader, mark)
		for _, pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil && len(left) == 0 {
			return nil
		}
		if len(left) == 0 && !alive(leader) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d processes of the build cannot be killed", len(left))
		}
		time.Sleep(killPause) // the kernel tells nobody but a parent when a process dies
	}
}

// alive reports whether the process group has a member that is no zombie: without /proc, any
// member counts until its parent has waited for it.
func alive(group int) bool {
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		return false // strays has looked
	}
	return syscall.Kill(-group, 0) == nil
}

// strays lists the processes of the session, and those that carry mark. Where there is no
// /proc it finds none.
func strays(session int, mark string) []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	names, err := dir.Readdirnames(-1)
	_ = dir.Close()
	if err != nil {
		return nil
	}
	var found []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == os.Getpid() {
			continue
		}
		state, sid := readStat(pid)
		if state == "" || state == "Z" || state == "X" {
			continue
		}
		if sid == session || carries(pid, mark) {
			found = append(found, pid)
		}
	}
	return found
}

// readStat returns the process's state and session. The name in the second field is the
// process's own choice and may hold spaces and brackets.
func readStat(pid int) (state string, session int) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 4 {
		return "", 0
	}
	session, _ = strconv.Atoi(f[3])
	return f[0], session
}

func carries(pid int, mark string) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	return bytes.HasPrefix(b, []byte(mark+"\x00")) || bytes.Contains(b, []byte("\x00"+mark+"\x00"))
}
