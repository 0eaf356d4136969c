package redis

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// encode writes lines as JSON texts, one behind the other.
func encode(lines []hosting.LogLine) []byte {
	var b []byte
	for i := range lines {
		b = append(lines[i].AppendJSON(b), '\n')
	}
	return b
}

// decode reads what encode wrote.
func decode(r io.Reader) (lines []hosting.LogLine, err error) {
	for in := bufio.NewReaderSize(r, 64<<10); ; {
		b, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(b) == 0 {
			return lines, nil
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		var line hosting.LogLine
		if err == nil {
			line, err = hosting.ParseLogLine(bytes.TrimSuffix(b, []byte("\n")))
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("a stored log line: %w", err)
		case len(lines) > 0 && line.N != lines[len(lines)-1].N+1:
			return nil, fmt.Errorf("a stored log line has the number %d behind %d", line.N, lines[len(lines)-1].N)
		}
		lines = append(lines, line)
	}
}
