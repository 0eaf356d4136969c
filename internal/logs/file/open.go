package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// load reads a log that was just acquired, where no other call has.
func (s *Store) load(l *log) error {
	if l.isLoaded() {
		return nil // so that readers do not wait for an Append to sync
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	return s.loadLocked(l)
}

// loadLocked is load for who holds l.appending.
func (s *Store) loadLocked(l *log) error {
	if l.isLoaded() {
		return nil
	}
	c := content{next: 1}
	// A log that was deleted is empty: a file of its name belongs to another log by now.
	if !l.gone {
		f, err := s.root.OpenFile(l.name, os.O_RDWR, 0)
		switch {
		case err == nil:
			if c, err = s.recover(f); err != nil {
				_ = f.Close()
				return fmt.Errorf("open: %w", err)
			}
			l.named = true
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("open: %w", err)
		}
	}
	l.publish(c, nil)
	return nil
}

// recover finds out what a file holds, cuts off what was never acknowledged, and makes the
// rest durable: whole lines of a batch that was cut short count as stored from now on, and
// their sender will not bring them again.
func (s *Store) recover(f *os.File) (content, error) {
	st, err := f.Stat()
	if err != nil {
		return content{}, err
	}
	if !st.Mode().IsRegular() {
		return content{}, errors.New("not a regular file")
	}
	c, err := scan(io.NewSectionReader(f, 0, st.Size()))
	if err != nil {
		return content{}, err
	}
	if c.size < st.Size() {
		if err := f.Truncate(c.size); err != nil {
			return content{}, err
		}
	}
	if err := s.sync(f); err != nil {
		return content{}, err
	}
	c.file = f
	return c, s.syncFolder()
}
