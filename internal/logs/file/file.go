// Package file keeps logs as files: one a deployment, a JSON object a line, in a folder that
// tail and jq can read.
//
// A batch is written at once and synced before it is acknowledged. Opening a log cuts off
// what a crash left half written: it was never acknowledged. Only one process may have the
// folder open; who owns the folder sees to that.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
)

// maxOpen is how many logs have an open file at once; more callers than that wait.
const maxOpen = 64

// Store is a logs.Store over a folder. Make it with Open, end it with Close.
type Store struct {
	root *os.Root
	// sync makes one open file or the folder durable. Tests let it fail.
	sync func(*os.File) error
	// slots has one element for each call under way, so that the logs in use are at most
	// maxOpen and an idle one can always make room.
	slots chan struct{}
	ended chan struct{} // closed by Close, for who waits for a slot

	mu     sync.Mutex // guards what follows, and uses and listed of every log
	logs   map[hosting.DeploymentID]*log
	idle   *idle
	closed bool
}

var _ logs.Store = (*Store)(nil)

// Open opens the folder and makes it where there is none.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open log folder: %w", err)
	}
	s := &Store{
		root: root, sync: (*os.File).Sync, slots: make(chan struct{}, maxOpen), ended: make(chan struct{}),
		logs: make(map[hosting.DeploymentID]*log), idle: newIdle(),
	}
	err = root.Chmod(".", 0o700)
	if err == nil {
		// A process that was killed may have made logs without syncing their names.
		err = s.syncFolder()
	}
	if err != nil {
		_ = root.Close()
		return nil, fmt.Errorf("open log folder: %w", err)
	}
	return s, nil
}

// Close waits for the calls under way and closes all files. Later calls fail.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	close(s.ended)
	for range maxOpen {
		s.slots <- struct{}{} // kept: no call gets past it any more
	}
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.close())
	}
	return errors.Join(append(errs, s.root.Close())...)
}

// Delete removes a log. An Append that is under way ends first; one that waits makes a new log.
func (s *Store) Delete(ctx context.Context, id hosting.DeploymentID) error {
	return s.use(ctx, id, func(l *log) error {
		l.appending.Lock()
		defer l.appending.Unlock()
		if l.gone {
			return nil
		}
		if err := s.root.Remove(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete log: %w", err)
		}
		s.forget(l)
		return nil
	})
}

// Next returns the number that is awaited next.
func (s *Store) Next(ctx context.Context, id hosting.DeploymentID) (next int64, err error) {
	err = s.use(ctx, id, func(l *log) error {
		if err := s.load(l); err != nil {
			return err
		}
		next = l.view().next
		return nil
	})
	return next, err
}

// use calls fn with the log, which stays open meanwhile, and wraps what fails.
func (s *Store) use(ctx context.Context, id hosting.DeploymentID, fn func(*log) error) error {
	if !hosting.ValidID(string(id)) {
		return hosting.Errorf(hosting.CodeInvalid, "%q is no deployment's id", id)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("log of %s: %w", id, err)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-s.ended:
		return fmt.Errorf("log of %s: %w", id, os.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("log of %s: %w", id, ctx.Err())
	}
	l, err := s.acquire(id)
	if err == nil {
		defer s.release(l)
		err = fn(l)
	}
	if err != nil {
		return fmt.Errorf("log of %s: %w", id, explain(err))
	}
	return nil
}

func (s *Store) syncFolder() error {
	f, err := s.root.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	return s.sync(f)
}
