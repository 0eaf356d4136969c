package redis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// encode writes lines as JSON texts, one behind the other.
func encode(lines []hosting.LogLine) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i := range lines {
		if err := e.Encode(&lines[i]); err != nil {
			panic(err) // numbers and texts, into memory
		}
	}
	return b.Bytes()
}

// decode reads what encode wrote.
func decode(r io.Reader) (lines []hosting.LogLine, err error) {
	for d := json.NewDecoder(r); ; {
		var line hosting.LogLine
		switch err := d.Decode(&line); {
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return nil, fmt.Errorf("a stored log line: %w", err)
		case len(lines) > 0 && line.N != lines[len(lines)-1].N+1:
			return nil, fmt.Errorf("a stored log line has the number %d behind %d", line.N, lines[len(lines)-1].N)
		}
		lines = append(lines, line)
	}
}

// recent are the newest lines of a log that one process has appended, which its readers share.
type recent struct {
	lines []hosting.LogLine // never changed in place
	bytes int
}

// add appends lines, and drops old ones where it becomes too much.
func (r *recent) add(lines []hosting.LogLine) {
	if n := len(r.lines); n > 0 && r.lines[n-1].N+1 != lines[0].N {
		*r = recent{}
	}
	r.lines = append(r.lines, lines...)
	for i := range lines {
		r.bytes += len(lines[i].Text)
	}
	if len(r.lines) <= 2*maxRecent && r.bytes <= 2*recentBytes {
		return
	}
	drop := max(0, len(r.lines)-maxRecent)
	for i, kept := len(r.lines)-1, 0; i >= drop; i-- {
		if kept += len(r.lines[i].Text); kept > recentBytes {
			drop = i
		}
	}
	r.lines, r.bytes = slices.Clone(r.lines[drop:]), 0
	for i := range r.lines {
		r.bytes += len(r.lines[i].Text)
	}
}

// read returns lines behind after, none where they are not here.
func (r *recent) read(after int64, limit int) []hosting.LogLine {
	if len(r.lines) == 0 || after+1 < r.lines[0].N || after+1 > r.lines[len(r.lines)-1].N {
		return nil
	}
	from := after + 1 - r.lines[0].N
	to := min(from+int64(limit), int64(len(r.lines)))
	return r.lines[from:to:to]
}
