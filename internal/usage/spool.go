package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

const (
	// maxSpool bounds what waits for control, as it is written, in bytes.
	maxSpool = 1 << 20
	// maxBatch is how many times are sent together: with all projects some 250 KiB.
	maxBatch = 30
)

// spool is what control has not confirmed. Sent is the batch that it may have counted, and
// never changes; Waiting was never sent, so it may be merged. One goroutine uses it.
//
// While there is a file, it says what is in a batch before that is sent: what stood there as
// waiting would be sent once more, under another number, by the next process.
type spool struct {
	path string
	file bool // there is one

	Sent    *hosting.EdgeBatch   `json:"sent,omitempty"`
	Waiting []hosting.EdgeCounts `json:"waiting"`
}

// load reads what an earlier process left. What cannot be read is given up.
func (s *spool) load() error {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s.file = true
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err == nil && s.Sent != nil {
		err = s.Sent.Check()
	}
	for i := 0; err == nil && i < len(s.Waiting); i++ {
		err = hosting.EdgeBatch{Number: 1, Counts: s.Waiting[i : i+1]}.Check()
	}
	if err != nil {
		s.Sent, s.Waiting = nil, nil
		return fmt.Errorf("read the reports that wait: %w", err)
	}
	return nil
}

// save writes all of it, synced.
func (s *spool) save() error {
	b, err := json.Marshal(s)
	if err == nil {
		err = seal.WriteSecret(s.path, b)
	}
	if err != nil {
		return fmt.Errorf("keep the reports that wait: %w", err)
	}
	s.file = true
	return nil
}

// add puts counts behind what waits, and merges the oldest until all fits.
func (s *spool) add(c hosting.EdgeCounts) {
	s.Waiting = append(s.Waiting, c)
	size := 0
	if s.Sent != nil {
		size = sizeOf(s.Sent)
	}
	for _, w := range s.Waiting {
		size += sizeOf(w)
	}
	for size > maxSpool && len(s.Waiting) > 1 {
		one := merged(s.Waiting[0], s.Waiting[1])
		size += sizeOf(one) - sizeOf(s.Waiting[0]) - sizeOf(s.Waiting[1])
		s.Waiting = s.Waiting[1:]
		s.Waiting[0] = one
	}
}

func sizeOf(v any) int {
	b, _ := json.Marshal(v) // numbers, strings and times
	return len(b) + 1
}

// next is the batch to send: the one that was sent already, or what waits longest, under the
// name. It fails where that has to be written down first, and cannot be.
func (s *spool) next(boot string, number uint64) (hosting.EdgeBatch, error) {
	if s.Sent != nil {
		return *s.Sent, nil
	}
	n := min(len(s.Waiting), maxBatch)
	was := s.Waiting
	s.Sent = &hosting.EdgeBatch{Boot: boot, Number: number, Counts: was[:n:n]}
	s.Waiting = was[n:]
	if s.file {
		if err := s.save(); err != nil {
			s.Sent, s.Waiting = nil, was
			return hosting.EdgeBatch{}, err
		}
	}
	return *s.Sent, nil
}

// done forgets the batch that was sent: control has it.
func (s *spool) done() error {
	s.Sent = nil
	if len(s.Waiting) > 0 || !s.file {
		return nil
	}
	s.Waiting = nil
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the reports that waited: %w", err)
	}
	s.file = false
	return nil
}
