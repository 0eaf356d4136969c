package builder

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// memoryBudget is how many bytes of compressed files are held in memory.
const memoryBudget = 64 << 20

// formStore holds compressed parts until they are uploaded: in memory up to a budget, then
// in a temporary file without a name. Its methods may be called concurrently.
type formStore struct {
	budget int64

	mu    sync.Mutex // guards what follows
	held  int64
	inMem map[hosting.Digest][]byte
	file  *os.File
	end   int64
	onHD  map[hosting.Digest]part
}

func (s *formStore) put(d hosting.Digest, b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.inMem[d]; ok {
		return nil
	}
	if _, ok := s.onHD[d]; ok {
		return nil
	}
	if s.held+int64(len(b)) <= s.budget {
		if s.inMem == nil {
			s.inMem = make(map[hosting.Digest][]byte)
		}
		s.inMem[d] = bytes.Clone(b)
		s.held += int64(len(b))
		return nil
	}
	if err := s.openFile(); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(b, s.end); err != nil {
		return fmt.Errorf("keep compressed files: %w", err)
	}
	s.onHD[d] = part{offset: s.end, size: int64(len(b))}
	s.end += int64(len(b))
	return nil
}

func (s *formStore) openFile() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp("", "fairway-forms-*")
	if err != nil {
		return fmt.Errorf("keep compressed files: %w", err)
	}
	// Without a name it is gone when the process is, however that ends.
	if err := os.Remove(f.Name()); err != nil {
		return errors.Join(fmt.Errorf("keep compressed files: %w", err), f.Close())
	}
	s.file, s.onHD = f, make(map[hosting.Digest]part)
	return nil
}

// get returns the bytes; they are not to be written to.
func (s *formStore) get(d hosting.Digest) ([]byte, error) {
	s.mu.Lock()
	b, inMem := s.inMem[d]
	p, onHD := s.onHD[d]
	s.mu.Unlock()
	switch {
	case inMem:
		return b, nil
	case !onHD:
		return nil, fmt.Errorf("no compressed part %s", d)
	}
	b = make([]byte, p.size)
	if _, err := s.file.ReadAt(b, p.offset); err != nil {
		return nil, fmt.Errorf("read compressed files: %w", err)
	}
	return b, nil
}

func (s *formStore) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inMem, s.onHD, s.held = nil, nil, 0
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}
