package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// proc is one process as /proc shows it.
type proc struct {
	pid, parent, session int
	state                byte
	threads              int
	start                string
}

// dead reports whether nothing of it runs any more. A process whose first thread has ended
// looks like a zombie while its other threads go on: it is not dead.
func (p proc) dead() bool { return (p.state == 'Z' || p.state == 'X') && p.threads <= 1 }

// stopped reports whether it was stopped, and so cannot fork.
func (p proc) stopped() bool { return p.state == 'T' || p.state == 't' }

// cannotShow reports whether it is in a state that hides that it was told to stop: it waits
// in the kernel (after vfork, or for a device) and obeys before it runs on, or its first
// thread has ended.
func (p proc) cannotShow() bool { return p.state == 'D' || p.state == 'Z' }

// readProc reads one process.
func readProc(pid int) (proc, bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return proc{}, false
	}
	return parseStat(pid, string(b))
}

// parseStat reads a line of proc(5). The second field is the program's name, which may hold
// spaces and parentheses: what counts begins after the last one.
func parseStat(pid int, line string) (proc, bool) {
	f := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(f) < 20 {
		return proc{}, false
	}
	parent, err1 := strconv.Atoi(f[1])
	session, err2 := strconv.Atoi(f[3])
	threads, err3 := strconv.Atoi(f[17])
	if errors.Join(err1, err2, err3) != nil {
		return proc{}, false
	}
	return proc{pid, parent, session, f[0][0], threads, f[19] + "@" + bootID()}, true
}

// bootID is the beginning of this boot's random id. Start times count from the boot, so
// that the same pid may have the same one in two boots.
var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(b) < 8 {
		return "unknown"
	}
	return string(b[:8])
})

// startOf returns when the process pid began, and whether any of it still runs.
func startOf(pid int) (start string, alive bool) {
	p, ok := readProc(pid)
	return p.start, ok && !p.dead()
}

// scan reads all processes that live.
func scan() ([]proc, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []proc
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := readProc(pid); ok && !p.dead() {
			all = append(all, p)
		}
	}
	return all, nil
}

// children returns the children of a process, those that have ended included. It is empty
// where the kernel was built without that list.
func children(pid int) []int {
	paths, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	var pids []int
	for _, path := range paths {
		b, _ := os.ReadFile(path)
		for f := range strings.FieldsSeq(string(b)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// carries reports whether the environment p was started with has the entry.
func (p proc) carries(entry string) bool {
	root := "/proc/" + strconv.Itoa(p.pid)
	paths := []string{root + "/environ"}
	if p.state == 'Z' { // its first thread has ended, and shows none any more
		paths, _ = filepath.Glob(root + "/task/*/environ")
	}
	for _, path := range paths {
		env, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if string(v) == entry {
				return true
			}
		}
	}
	return false
}

// signal sends sig to the very process p, which may have ended since, and its number given
// to another: the handle is taken first, and then compared.
func (p proc) signal(sig syscall.Signal) {
	handle, err := os.FindProcess(p.pid)
	if err != nil {
		return
	}
	defer func() { _ = handle.Release() }()
	if now, ok := readProc(p.pid); ok && now.start == p.start {
		_ = handle.Signal(sig)
	}
}

// raiseOOMScore makes the kernel take the job before it takes the server. Best effort.
func raiseOOMScore(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("500"), 0)
}

// sameBoot reports whether a start time counts from the boot that runs now.
func sameBoot(start string) bool { return strings.HasSuffix(start, "@"+bootID()) }
