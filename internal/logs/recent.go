package logs

import (
	"slices"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// MaxRecent and recentBytes of text bound what a Recent has for certain to offer, and twice as
// much what it holds.
const (
	MaxRecent   = 4096
	recentBytes = 512 << 10
)

// Recent are the newest lines of a log, for readers who follow it. The zero value has none. It is
// not safe for concurrent use; the lines that it gives away are.
type Recent struct {
	lines []hosting.LogLine // never changed in place
	bytes int
}

// Add appends lines, and drops old ones where it becomes too much. Lines that do not follow
// the last one replace all there are.
func (r *Recent) Add(lines []hosting.LogLine) {
	if n := len(r.lines); n > 0 && len(lines) > 0 && r.lines[n-1].N+1 != lines[0].N {
		*r = Recent{}
	}
	r.lines = append(r.lines, lines...)
	r.bytes += textOf(lines)
	if len(r.lines) <= 2*MaxRecent && r.bytes <= 2*recentBytes {
		return
	}
	drop := max(0, len(r.lines)-MaxRecent)
	for i, kept := len(r.lines)-1, 0; i >= drop; i-- {
		if kept += len(r.lines[i].Text); kept > recentBytes {
			drop = i
		}
	}
	r.lines = slices.Clone(r.lines[drop:])
	r.bytes = textOf(r.lines)
}

func textOf(lines []hosting.LogLine) (bytes int) {
	for i := range lines {
		bytes += len(lines[i].Text)
	}
	return bytes
}

// Read returns up to limit lines behind after, none where the first of them is not here.
func (r *Recent) Read(after int64, limit int) []hosting.LogLine {
	if len(r.lines) == 0 || limit <= 0 || after+1 < r.lines[0].N || after+1 > r.lines[len(r.lines)-1].N {
		return nil
	}
	from := after + 1 - r.lines[0].N
	to := min(from+int64(limit), int64(len(r.lines)))
	return r.lines[from:to:to]
}
