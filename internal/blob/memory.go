package blob

import (
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// key names content. A project's is kept apart from the same of another project: whether
// somebody else has a file is nobody's to learn, not even by the time that it takes.
type key struct {
	project hosting.ProjectID
	digest  hosting.Digest
	recipe  string // "" for what is stored
}

// String is the key as a file's name: its parts have no dots but the recipe, at the end.
func (k key) String() string {
	s := k.digest.String() + "." + string(k.project)
	if k.recipe != "" {
		s += "." + k.recipe
	}
	return s
}

// memory keeps forms of at most MaxInMemory, bounded by bytes.
type memory struct{ forms *otter.Cache[key, []byte] } // nil: none

// entryCost is about what an entry costs beside its bytes.
const entryCost = 256

func newMemory(bytes int64, goes func(func())) *memory {
	if bytes == 0 {
		return &memory{}
	}
	return &memory{forms: otter.Must(&otter.Options[key, []byte]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ key, b []byte) uint32 { return uint32(len(b)) + entryCost },
		Executor:      goes,
	})}
}

func (m *memory) get(k key) ([]byte, bool) {
	if m.forms == nil {
		return nil, false
	}
	return m.forms.GetIfPresent(k)
}

// has does not count as a use.
func (m *memory) has(k key) bool {
	if m.forms == nil {
		return false
	}
	_, ok := m.forms.GetEntryQuietly(k)
	return ok
}

// keep reports whether the form is in memory now.
func (m *memory) keep(k key, b []byte) bool {
	if m.forms == nil || len(b) > MaxInMemory {
		return false
	}
	m.forms.Set(k, b)
	return true
}

// absences remembers what a source does not have, so that asking for it again and again does
// not become as many requests.
type absences struct {
	mu sync.Mutex // guards by
	by map[key]absence
}

type absence struct {
	err   error
	until time.Time
}

const (
	// absenceAge is short: what is absent should not be, and may be uploaded again.
	absenceAge  = 2 * time.Second
	maxAbsences = 4096
)

func newAbsences() *absences { return &absences{by: map[key]absence{}} }

func (a *absences) get(k key) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, ok := a.by[k]
	if !ok {
		return nil
	}
	if !time.Now().Before(n.until) {
		delete(a.by, k)
		return nil
	}
	return n.err
}

func (a *absences) note(k key, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.by) >= maxAbsences {
		clear(a.by)
	}
	a.by[k] = absence{err, time.Now().Add(absenceAge)}
}
