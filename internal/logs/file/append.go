package file

import (
	"context"
	"errors"
	"os"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// errGone says that the log was deleted while an Append waited for it.
var errGone = errors.New("the log was deleted")

// Append writes the lines that are new with one write and returns when they are synced.
// CodeInvalid refuses lines whose numbers are not first and those that follow it. Where it
// fails, none of the lines is stored.
func (s *Store) Append(ctx context.Context, id hosting.DeploymentID, first int64, lines []hosting.LogLine) (next int64, err error) {
	if first < 1 {
		return 0, hosting.Errorf(hosting.CodeInvalid, "the first line of a log has the number 1, not %d", first)
	}
	for i := range lines {
		if want := first + int64(i); lines[i].N != want {
			return 0, hosting.Errorf(hosting.CodeInvalid, "a log line has the number %d instead of %d", lines[i].N, want)
		}
	}
	for {
		err = s.use(ctx, id, func(l *log) (err error) {
			next, err = s.appendTo(l, first, lines)
			return err
		})
		if !errors.Is(err, errGone) {
			return next, err
		}
	}
}

func (s *Store) appendTo(l *log, first int64, lines []hosting.LogLine) (next int64, err error) {
	l.appending.Lock()
	defer l.appending.Unlock()
	if l.gone {
		return 0, errGone
	}
	if err := s.loadLocked(l); err != nil {
		return 0, err
	}
	c := l.view()
	if first <= c.next && first+int64(len(lines)) > c.next {
		lines = lines[c.next-first:]
		if c, err = s.write(l, c, lines); err != nil {
			return 0, err
		}
		l.publish(c, lines)
	}
	if c.file != nil && !l.named {
		if err := s.syncFolder(); err != nil {
			return 0, err
		}
		l.named = true
	}
	return c.next, nil
}

// write stores lines behind c and returns the content with them.
func (s *Store) write(l *log, c content, lines []hosting.LogLine) (_ content, err error) {
	b, ends := encode(lines)
	grown := c.with(ends)
	if crash.Skip("logs.flush") { // the planted loss: acknowledged, but gone with the process
		grown.memory = append(c.memory, b...)
		return grown, nil
	}
	if c.file == nil {
		if grown.file, err = s.root.OpenFile(l.name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return content{}, err
		}
	}
	grown.size += int64(len(b))
	if err := s.writeSynced(grown.file, b, c.size); err != nil {
		s.undo(l, c, grown.file)
		return content{}, err
	}
	return grown, nil
}

func (s *Store) writeSynced(f *os.File, b []byte, at int64) error {
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	crash.At("log.written")
	if err := s.sync(f); err != nil {
		return err
	}
	crash.At("log.synced")
	return nil
}

// undo takes a batch back of which parts may have been written, so that its repetition is
// written anew. Where that fails too, the log is read again from the disk when it is used
// next.
func (s *Store) undo(l *log, c content, f *os.File) {
	if err := f.Truncate(c.size); err != nil {
		s.forget(l)
	}
	if c.file == nil {
		_ = f.Close() // made for this batch, and in no published content
	}
}
