package routes

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The cache holds at most ways*sets hosts, 65,536. Its project counters are fewer than there
// may be projects: two that share one drop each other's hosts, which is a miss and no fault.
const (
	ways     = 4
	sets     = 16_384
	counters = 4096
)

// cache keeps resolved hosts. A hit takes no lock and writes nothing. Unknown hosts never
// enter it, so that forged ones can neither fill it nor push others out.
type cache struct {
	seed maphash.Seed
	sets [sets]set
	// changed holds, by project, the Seq of its newest change, written before that change is
	// committed. An entry is good for as long as its own Seq is not smaller.
	changed [counters]atomic.Uint64
}

type set struct {
	slots [ways]atomic.Pointer[hosting.Resolved]

	mu     sync.Mutex // guards what follows, and who stores to slots
	next   uint8      // slot to give up next
	newest uint64     // greatest Seq of an entry that was kept here
}

func newCache() *cache { return &cache{seed: maphash.MakeSeed()} }

// get returns the host's entry, nil if there is none that is good.
func (c *cache) get(host string) *hosting.Resolved {
	s := c.set(host)
	for i := range s.slots {
		if r := s.slots[i].Load(); r != nil && r.Host == host && c.good(r) {
			return r
		}
	}
	return nil
}

// keep enters what was read from the file and returns what is to be answered. It is not
// entered when a change of its project was applied since its Mark was taken, or is about to
// be: then it may be older than that change. Nobody else may know r yet.
//
// For one host the marks that keep answers never go back: an entry takes the greatest that
// its set has seen, which is true of it, since its project has not changed up to there.
func (c *cache) keep(r *hosting.Resolved) *hosting.Resolved {
	r.Host = strings.Clone(r.Host) // it may be part of a request's buffer
	s := c.set(r.Host)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.good(r) {
		return r
	}
	if r.Mark.Seq < s.newest {
		r.Mark.Seq = s.newest
	}
	s.newest = r.Mark.Seq
	s.slots[s.victim(c, r.Host)].Store(r)
	return r
}

// drop makes all entries of the project no good, and every one that is read from before seq.
func (c *cache) drop(project hosting.ProjectID, seq uint64) {
	// Only Apply calls it, one at a time, with numbers that grow.
	c.counter(project).Store(seq)
}

func (c *cache) good(r *hosting.Resolved) bool {
	return r.Mark.Seq >= c.counter(r.Site.Project).Load()
}

func (c *cache) set(host string) *set {
	return &c.sets[maphash.String(c.seed, host)%sets]
}

func (c *cache) counter(project hosting.ProjectID) *atomic.Uint64 {
	return &c.changed[maphash.String(c.seed, string(project))%counters]
}

// victim returns the slot to store the host in: its own, one that is of no use, else the
// next in turn. The caller holds mu.
func (s *set) victim(c *cache, host string) int {
	free := -1
	for i := range s.slots {
		r := s.slots[i].Load()
		if r != nil && r.Host == host {
			return i
		}
		if r == nil || !c.good(r) {
			free = i
		}
	}
	if free < 0 {
		free = int(s.next)
		s.next = (s.next + 1) % ways
	}
	return free
}
