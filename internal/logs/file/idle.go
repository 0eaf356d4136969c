package file

import (
	"container/list"
	"fmt"
	"os"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// idle lists the logs that nobody uses, the longest unused in front.
type idle struct{ list.List }

func newIdle() *idle { return &idle{} }

// acquire returns the log for one call. It closes idle logs where there are too many.
func (s *Store) acquire(id hosting.DeploymentID) (*log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("log store: %w", os.ErrClosed)
	}
	l := s.logs[id]
	if l == nil {
		if err := s.makeRoom(); err != nil {
			return nil, err
		}
		l = &log{id: id, name: string(id) + ".ndjson"}
		s.logs[id] = l
	}
	if l.listed != nil {
		s.idle.Remove(l.listed)
		l.listed = nil
	}
	l.uses++
	return l, nil
}

// makeRoom closes the longest unused logs until another can be opened. The slots see to it
// that one of maxOpen is idle. A log that was taken out of the map does not count, though
// its file stays open until the calls that use it end.
func (s *Store) makeRoom() error {
	for len(s.logs) >= maxOpen && s.idle.Len() > 0 {
		l := s.idle.Remove(s.idle.Front()).(*log)
		delete(s.logs, l.id)
		if err := l.close(); err != nil {
			return fmt.Errorf("close idle log: %w", err)
		}
	}
	return nil
}

// release ends what acquire began. The last to leave a log that was taken out of the map
// closes it.
func (s *Store) release(l *log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.uses--; l.uses > 0 {
		return
	}
	if s.logs[l.id] != l {
		_ = l.close() // its file has no name any more, or will be read anew
		return
	}
	l.listed = s.idle.PushBack(l)
}

// forget takes a log out of the map, so that the next call begins with what is on the disk.
// The caller holds l.appending and uses the log.
func (s *Store) forget(l *log) {
	l.gone = true
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logs[l.id] == l {
		delete(s.logs, l.id)
	}
}
