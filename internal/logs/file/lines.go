package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// encode writes the lines as they are stored. ends are the offsets behind each.
func encode(lines []hosting.LogLine) (b []byte, ends []int64) {
	ends = make([]int64, 0, len(lines))
	for i := range lines {
		b = append(lines[i].AppendJSON(b), '\n')
		ends = append(ends, int64(len(b)))
	}
	return b, ends
}

// decode reads a stored line, which must have the number n.
func decode(b []byte, n int64) (line hosting.LogLine, err error) {
	if line, err = hosting.ParseLogLine(bytes.TrimSuffix(b, []byte("\n"))); err != nil {
		return line, fmt.Errorf("stored line %d: %w", n, err)
	}
	if line.N != n {
		return line, fmt.Errorf("stored line %d has the number %d", n, line.N)
	}
	return line, nil
}

// whole reports whether b can be what encode wrote for the line n. A crash can leave a part
// of a batch, or pages of zeros where its bytes never reached the disk.
func whole(b []byte, n int64) bool {
	head := strconv.AppendInt([]byte(`{"n":`), n, 10)
	rest, ok := bytes.CutPrefix(b, head)
	return ok && bytes.HasPrefix(rest, []byte(",")) && bytes.HasSuffix(rest, []byte("}\n")) && bytes.IndexByte(rest, 0) < 0
}

// lineReader reads lines of any length without a copy of most of them.
type lineReader struct {
	r    *bufio.Reader
	long []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line with its line end, valid until the next call. It fails with
// io.EOF where no whole line is left.
func (l *lineReader) next() ([]byte, error) {
	b, err := l.r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return b, err
	}
	l.long = l.long[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long, b...)
		b, err = l.r.ReadSlice('\n')
	}
	l.long = append(l.long, b...)
	return l.long, err
}

// scan reads a log from its beginning up to the first line that is not whole: whatever was
// acknowledged is before it. The file is still to be set in the content.
func scan(r io.Reader) (content, error) {
	c := content{next: 1}
	lines := newLineReader(r)
	for {
		b, err := lines.next()
		if errors.Is(err, io.EOF) || err == nil && !whole(b, c.next) {
			return c, nil
		}
		if err != nil {
			return content{}, err
		}
		c = c.with([]int64{int64(len(b))})
		c.size += int64(len(b))
	}
}
