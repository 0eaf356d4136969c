package builder

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
)

// spool keeps all lines of an attempt in a file, until it has ended: a broker that lost the
// tail of a log asks for it again. The newest are in memory too, where the sender finds them as long
// as it keeps up. Appends and reads may run concurrently.
type spool struct {
	file  *os.File
	first int64 // number of the first line

	mu     sync.Mutex // guards what follows
	end    int64      // bytes that are in the file
	held   []byte     // lines behind these, which are written together
	next   int64      // number of the next line
	index  []int64    // offset of every spoolStride-th line
	recent logs.Recent
}

const (
	spoolStride = 128
	// spoolHeld is how many bytes are written together, and spoolHeldMax how many are held
	// where that fails.
	spoolHeld    = 32 << 10
	spoolHeldMax = 1 << 20
)

func createSpool(path string, first int64) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the spool: %w", err)
	}
	return &spool{file: f, first: first, next: first}, nil
}

// append numbers the line and keeps it, unless the disk takes no more.
func (s *spool) append(line hosting.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if len(s.held) >= spoolHeld {
		if err = s.write(); err != nil && len(s.held) >= spoolHeldMax {
			return err
		}
	}
	line.N = s.next
	if (s.next-s.first)%spoolStride == 0 {
		s.index = append(s.index, s.end+int64(len(s.held)))
	}
	s.held = append(line.AppendJSON(s.held), '\n')
	s.recent.Add([]hosting.LogLine{line})
	s.next++
	return err
}

// write brings what is held to the file. The caller holds mu. A write that was cut short by a
// full disk is overwritten by the next one.
func (s *spool) write() error {
	if _, err := s.file.WriteAt(s.held, s.end); err != nil {
		return fmt.Errorf("write the spool: %w", err)
	}
	s.end += int64(len(s.held))
	s.held = s.held[:0]
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
	if n >= s.next {
		s.mu.Unlock()
		return nil, nil
	}
	err := s.write()
	if lines := s.recent.Read(n-1, maxBatchLines); len(lines) > 0 {
		s.mu.Unlock()
		return fitting(lines), nil // the next append says what ails the disk
	}
	from, end := s.index[(n-s.first)/spoolStride], s.end
	s.mu.Unlock()
	if from >= end { // the line is held, and the disk does not take it
		return nil, err
	}
	lines, errRead := s.readFile(n, from, end)
	if len(lines) == 0 && errRead == nil {
		errRead = err
	}
	return lines, errRead
}

// fitting returns as many of the lines as make a batch.
func fitting(lines []hosting.LogLine) []hosting.LogLine {
	size := 0
	for i := range lines {
		if size += len(lines[i].Text) + lineOverhead; size > maxBatchBytes && i > 0 {
			return lines[:i:i]
		}
	}
	return lines
}

// readFile is read of lines that are between two offsets of the file.
func (s *spool) readFile(n, from, end int64) ([]hosting.LogLine, error) {
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, from, end-from), 128<<10)
	var lines []hosting.LogLine
	for len(lines) < maxBatchLines {
		b, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		line, err := hosting.ParseLogLine(bytes.TrimSuffix(b, []byte("\n")))
		if err != nil {
			return nil, fmt.Errorf("read the spool: %w", err)
		}
		if line.N >= n {
			lines = append(lines, line)
		}
	}
	return fitting(lines), nil
}

// remove closes and deletes the file.
func (s *spool) remove() error {
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
