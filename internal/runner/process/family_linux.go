package process

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Polling of /proc, which announces nothing.
const (
	pollFirst   = 2 * time.Millisecond
	pollMost    = 100 * time.Millisecond
	freezeTime  = 2 * time.Second  // after which what does not stop is killed moving
	killTimeout = 30 * time.Second // after which a process is stuck in the kernel
)

// family finds the processes of one job: those that carry its mark, those of its session,
// those that descend from either, and all that were ever found. Each alone can be shed by a
// process that wants to stay: the environment by exec, the session by setsid, the parent by
// its death.
type family struct {
	leader identity
	known  map[int]string // pid -> start
}

func newFamily(leader identity) *family {
	f := &family{leader: leader, known: map[int]string{}}
	if leader.pid != 0 {
		f.known[leader.pid] = leader.start
	}
	return f
}

// find returns the job's living processes.
func (f *family) find() ([]proc, error) {
	all, err := scan()
	if err != nil {
		return nil, err
	}
	session := f.session(all)
	mark := markName + "=" + f.leader.name
	var found []proc
	in := map[int]bool{}
	take := func(p proc) {
		in[p.pid], f.known[p.pid] = true, p.start
		found = append(found, p)
	}
	for _, p := range all {
		if p.pid != 1 && p.pid != os.Getpid() &&
			(f.known[p.pid] == p.start || session != 0 && p.session == session || p.carries(mark)) {
			take(p)
		}
	}
	for before := -1; before != len(found); {
		before = len(found)
		for _, p := range all {
			if in[p.parent] && !in[p.pid] && p.pid != os.Getpid() {
				take(p)
			}
		}
	}
	return found, nil
}

// session returns the number of the job's session, 0 where that number is not its own: the
// kernel gives the number of a session away only after its last process has ended, so it is
// the job's as long as no other process has the leader's pid.
func (f *family) session(all []proc) int {
	if f.leader.pid == 0 || !sameBoot(f.leader.start) {
		return 0
	}
	for _, p := range all {
		if p.pid == f.leader.pid && p.start != f.leader.start {
			return 0
		}
	}
	return f.leader.pid
}

// end asks the job to end, gives it the grace, and kills what is left.
func (f *family) end(ctx context.Context, grace time.Duration) error {
	asked := map[int]bool{}
	deadline := time.Now().Add(grace)
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		alive, err := f.find()
		if err != nil {
			return err
		}
		if len(alive) == 0 {
			return nil
		}
		for _, p := range alive {
			if !asked[p.pid] {
				asked[p.pid] = true
				p.signal(syscall.SIGTERM)
			}
		}
		if !time.Now().Before(deadline) {
			return f.kill(ctx)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// kill kills all processes of the job, until none is found any more.
func (f *family) kill(ctx context.Context) error {
	deadline := time.Now().Add(killTimeout)
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		alive, err := f.freeze(ctx)
		if err != nil {
			return err
		}
		if len(alive) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of its processes do not end", len(alive))
		}
		for _, p := range alive {
			p.signal(syscall.SIGKILL)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// freeze stops all processes of the job before any of them is killed. Killed one by one, a
// process could fork just before its turn; the child, without its parent and perhaps
// without the mark, would be nobody's. A stopped parent still names its child.
func (f *family) freeze(ctx context.Context) ([]proc, error) {
	deadline := time.Now().Add(freezeTime)
	told := map[int]bool{}
	for wait := pollFirst; ; wait = min(2*wait, pollMost) {
		alive, err := f.find()
		if err != nil {
			return nil, err
		}
		moving := 0
		for _, p := range alive {
			if p.stopped() || told[p.pid] && p.cannotShow() {
				continue
			}
			moving++
			told[p.pid] = true
			p.signal(syscall.SIGSTOP)
		}
		if moving == 0 || time.Now().After(deadline) {
			return alive, nil
		}
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
