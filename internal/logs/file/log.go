package file

import (
	"bytes"
	"container/list"
	"io"
	"os"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
)

// stride is how many lines apart the offsets are that a log remembers.
const stride = 64

// log is one deployment's log while somebody uses it, and until it is closed for another.
type log struct {
	id   hosting.DeploymentID
	name string

	uses   int           // calls under way; Store.mu guards it
	listed *list.Element // its place among the idle ones, nil in use; Store.mu guards it

	// appending serialises loading, appending and deleting, and guards gone and named.
	appending sync.Mutex
	gone      bool // taken out of the map; use another
	named     bool // its name in the folder is durable

	mu      sync.Mutex // guards what readers see; held for moments only
	loaded  bool
	content content
	recent  logs.Recent // what this process has appended, which needs no reading from the disk
}

// content is what of a log is there for good: readers take it as it is and need no lock,
// since bytes and offsets are only ever added behind it.
type content struct {
	file    *os.File // nil while there is none
	size    int64    // bytes in file
	memory  []byte   // lines behind file, where a test plants a loss
	next    int64
	offsets []int64 // of the lines 1, 1+stride, 1+2*stride, ...
}

func (l *log) view() content {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.content
}

func (l *log) isLoaded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.loaded
}

// publish shows readers new content, of which lines were appended just now.
func (l *log) publish(c content, lines []hosting.LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.content = c
	l.loaded = true
	l.recent.Add(lines)
}

// fresh returns lines behind after that were appended lately.
func (l *log) fresh(after int64, limit int) []hosting.LogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent.Read(after, limit)
}

func (l *log) close() error {
	c := l.view()
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// from returns a reader that begins at the line n, or at a line at most stride before it,
// and that line's number. The line must be there.
func (c content) from(n int64) (r io.Reader, first int64) {
	i := (n - 1) / stride
	off := c.offsets[i]
	behind := c.memory[min(max(off-c.size, 0), int64(len(c.memory))):]
	if off >= c.size {
		return bytes.NewReader(behind), i*stride + 1
	}
	return io.MultiReader(io.NewSectionReader(c.file, off, c.size-off), bytes.NewReader(behind)), i*stride + 1
}

// end is the offset behind the last line.
func (c content) end() int64 { return c.size + int64(len(c.memory)) }

// with returns c with count lines more, of which ends are the offsets behind each, counted
// from the end of c. The caller has yet to say where their bytes are.
func (c content) with(ends []int64) content {
	base := c.end()
	start := base
	for _, end := range ends {
		if (c.next-1)%stride == 0 {
			c.offsets = append(c.offsets, start)
		}
		start = base + end
		c.next++
	}
	return c
}
