package process

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/scale-mesh/fairway/internal/pause"
)

// Polling of /proc, which announces nothing.
const (
	pollFirst   = 2 * time.Millisecond
	pollMost    = 100 * time.Millisecond
	freezeTime  = 2 * time.Second  // after which what does not stop is killed moving
	killTimeout = 30 * time.Second // after which a process is stuck in the kernel

	chaseQuiet = 20   // looks in a row at which nothing new is there
	chaseMost  = 2000 // before the whole of /proc is read again
)

// family finds the processes of one job: those that carry its mark, those of its sessions,
// those that descend from either, and all that were ever found. Each can be shed by a
// process that wants to stay: the mark by exec, the session by setsid, the parent by its
// death. What sheds all three between two looks is not found; only a sandbox prevents that.
type family struct {
	leader   identity
	known    map[int]string // pid -> start
	sessions map[int]bool
}

func newFamily(leader identity) *family {
	f := &family{leader: leader, known: map[int]string{}, sessions: map[int]bool{}}
	if leader.pid != 0 && sameBoot(leader.start) {
		f.known[leader.pid] = leader.start
		f.sessions[leader.pid] = true
	}
	return f
}

// find returns the job's living processes.
func (f *family) find() ([]proc, error) {
	all, err := scan()
	if err != nil {
		return nil, err
	}
	f.dropSessions(all)
	mark := markName + "=" + f.leader.name
	found := map[int]proc{}
	for _, p := range all {
		if p.pid != 1 && p.pid != os.Getpid() && (f.known[p.pid] == p.start || p.carries(mark)) {
			found[p.pid] = p
		}
	}
	for before := -1; before != len(found); {
		before = len(found)
		f.learnSessions(all, found)
		for _, p := range all {
			if _, child := found[p.parent]; (child || f.sessions[p.session]) && p.pid != os.Getpid() {
				found[p.pid] = p
			}
		}
	}
	for pid, p := range found {
		f.known[pid] = p.start
	}
	return slices.Collect(maps.Values(found)), nil
}

// learnSessions adds the sessions that were made inside the job. A process cannot join a
// session, so that those of the job's processes are the job's; but somebody may have typed
// the mark into a shell of their own, whose session has a leader that is not the job's.
func (f *family) learnSessions(all []proc, found map[int]proc) {
	foreign := map[int]bool{}
	for _, p := range all {
		if _, ours := found[p.pid]; p.pid == p.session && !ours {
			foreign[p.session] = true
		}
	}
	for _, p := range found {
		if p.session > 1 && !foreign[p.session] {
			f.sessions[p.session] = true
		}
	}
}

// dropSessions forgets sessions whose number was given to another process: the kernel does
// that only after the last process of the session has ended.
func (f *family) dropSessions(all []proc) {
	for _, p := range all {
		if f.sessions[p.pid] && f.known[p.pid] != "" && f.known[p.pid] != p.start {
			delete(f.sessions, p.pid)
			delete(f.known, p.pid)
		}
	}
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
		if err := pause.For(ctx, wait); err != nil {
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
		if err := pause.For(ctx, wait); err != nil {
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
		moving += f.chase(alive)
		if moving == 0 || time.Now().After(deadline) {
			return alive, nil
		}
		if err := pause.For(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// chase stops what the processes of the job, all told to stop by now, have made since they
// were found, and returns how many it stopped. A process that forks and ends all the time
// is gone whenever a scan of /proc comes to it; the list of its adopter's children is read
// so quickly that it is still the one. The dead stay in that list, since a stopped adopter
// collects none: each is looked at once, and the newest, at the list's end, first.
func (f *family) chase(from []proc) (caught int) {
	dead := map[int]bool{}
	for quiet := 0; quiet < chaseQuiet && caught < chaseMost; quiet++ {
		for _, parent := range from {
			for _, pid := range slices.Backward(children(parent.pid)) {
				if dead[pid] {
					continue
				}
				p, ok := readProc(pid)
				if !ok || p.dead() {
					dead[pid] = true
					continue
				}
				if p.stopped() || p.parent != parent.pid {
					continue
				}
				p.signal(syscall.SIGSTOP)
				f.known[p.pid] = p.start
				from = append(from, p)
				caught, quiet = caught+1, 0
			}
		}
	}
	return caught
}
