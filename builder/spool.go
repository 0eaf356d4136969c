package builder

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// spool keeps all lines of an attempt in a file, until it has ended: a broker that lost the
// tail of a log asks for it again. Appends and reads may run concurrently.
type spool struct {
	file  *os.File
	first int64 // number of the first line

	mu    sync.Mutex
	end   int64   // bytes that are whole lines; guarded by mu
	next  int64   // number of the next line; guarded by mu
	index []int64 // offset of every spoolStride-th line; guarded by mu
}

const spoolStride = 128

func createSpool(path string, first int64) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the spool: %w", err)
	}
	return &spool{file: f, first: first, next: first}, nil
}

// append numbers the line and keeps it.
func (s *spool) append(line hosting.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line.N = s.next
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("encode a log line: %w", err)
	}
	// A write that was cut short by a full disk is overwritten by the next one.
	if _, err := s.file.WriteAt(append(b, '\n'), s.end); err != nil {
		return fmt.Errorf("write the spool: %w", err)
	}
	if (s.next-s.first)%spoolStride == 0 {
		s.index = append(s.index, s.end)
	}
	s.end += int64(len(b)) + 1
	s.next++
	return nil
}

// awaited returns the number that the next line will have.
func (s *spool) awaited() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// read returns the lines from number n on, at most maxBatchLines and, but for the first
// one, maxBatchBytes.
func (s *spool) read(n int64) ([]hosting.LogLine, error) {
	s.mu.Lock()
	end, next := s.end, s.next
	var from int64
	if n < next {
		from = s.index[(n-s.first)/spoolStride]
	}
	s.mu.Unlock()
	if n >= next {
		return nil, nil
	}
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, from, end-from), 128<<10)
	var lines []hosting.LogLine
	for size := 0; len(lines) < maxBatchLines; {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		var line hosting.LogLine
		if err := json.Unmarshal(b, &line); err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		if line.N < n {
			continue
		}
		if size += len(b); size > maxBatchBytes && len(lines) > 0 {
			break
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// remove closes and deletes the file.
func (s *spool) remove() error {
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
