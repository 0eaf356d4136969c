package file

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Read returns lines as they were when it was called. It does not wait for an Append. Readers of
// lines that were appended lately share them.
func (s *Store) Read(ctx context.Context, id hosting.DeploymentID, after int64, limit int) (lines []hosting.LogLine, err error) {
	err = s.use(ctx, id, func(l *log) error {
		if err := s.load(l); err != nil {
			return err
		}
		after = max(after, 0)
		if lines = l.fresh(after, limit); len(lines) == 0 {
			lines, err = l.view().read(ctx, after, limit)
		}
		return err
	})
	return lines, err
}

func (c content) read(ctx context.Context, after int64, limit int) ([]hosting.LogLine, error) {
	count := min(int64(limit), c.next-1-after)
	if count <= 0 {
		return nil, nil
	}
	r, n := c.from(after + 1)
	in := newLineReader(r)
	lines := make([]hosting.LogLine, 0, count)
	for ; int64(len(lines)) < count; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := in.next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("read line %d: %w", n, err)
		}
		if n <= after {
			continue
		}
		line, err := decode(b, n)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}
