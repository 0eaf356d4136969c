package redis

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Read implements logs.Store. While Redis is away it has what the object store has.
func (s *Store) Read(ctx context.Context, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error) {
	l, err := s.of(ctx, id)
	if err != nil || limit <= 0 {
		return nil, err
	}
	after = max(after, 0)
	all := l.fresh(after, limit)
	if len(all) > 0 {
		after = all[len(all)-1].N // behind which another process may have appended
	}
	for len(all) < limit {
		part, err := s.readPart(ctx, l, after, limit-len(all))
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			break
		}
		all, after = append(all, part...), part[len(part)-1].N
	}
	return all, nil
}

// readPart reads some lines behind after, as many as are in one place.
func (s *Store) readPart(ctx context.Context, l *log, after int64, limit int) ([]hosting.LogLine, error) {
	listing := s.list(ctx, l, never)
	for again := false; ; again = true {
		lines, moved, err := s.readOnce(ctx, l, after, limit)
		if err != nil {
			return nil, s.explain(ctx, errors.Join(err, listing))
		}
		if !moved || again {
			return lines, nil
		}
		if err := s.list(ctx, l, listEvery); err != nil {
			return nil, err
		}
	}
}

// readOnce reads from the piece that has the line behind after, or from the stream. moved says
// that nothing was found, and that another process may have moved it on.
func (s *Store) readOnce(ctx context.Context, l *log, after int64, limit int) (lines []hosting.LogLine, moved bool, err error) {
	if p, ok := l.piece(after + 1); ok {
		lines, err = s.readPiece(ctx, l, p, after, limit)
		if hosting.Is(err, hosting.CodeNotFound) {
			l.forget() // it was deleted
			return nil, true, nil
		}
		return lines, false, err
	}
	if s.isAway() {
		return nil, false, nil
	}
	lines, last, err := s.span(ctx, l.key, after, limit)
	switch {
	case err != nil && ctx.Err() == nil:
		s.failed(err)
		return nil, false, nil // as if there were none yet
	case err != nil:
		return nil, false, err
	case len(lines) > 0 && lines[0].N != after+1:
		return nil, true, nil
	}
	return lines, len(lines) == 0 && last != after, nil
}
