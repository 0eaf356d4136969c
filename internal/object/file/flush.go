package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// syncsAtOnce is how many files a Flush syncs at the same time: a file system with a journal
// commits them together, so a thousand small files do not cost a thousand commits.
const syncsAtOnce = 16

// flushes lets concurrent Flush calls share work. One round runs at a time; whoever calls
// meanwhile shares the next one, since the running one may have begun before their Puts.
type flushes struct {
	running chan struct{} // holds an element while a caller does a round
	mu      sync.Mutex    // guards next
	next    *round        // the round that has not begun, nil where nobody waits for one
}

func newFlushes() flushes { return flushes{running: make(chan struct{}, 1)} }

type round struct {
	done chan struct{}
	err  error // set before done is closed
}

// join returns the round that begins next, and whether the caller is the one to do it.
func (f *flushes) join() (r *round, leads bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = &round{done: make(chan struct{})}
		return f.next, true
	}
	return f.next, false
}

// do runs the round that join made the caller's; from its beginning nobody joins it.
func (f *flushes) do(r *round, work func() error) {
	f.running <- struct{}{}
	defer func() { <-f.running }()
	f.mu.Lock()
	f.next = nil
	f.mu.Unlock()
	r.err = work()
	close(r.done)
}

// Flush makes durable what was put before it was called: first the objects, then the folders
// that name them. Where it fails, what was not synced is left to the next Flush.
//
// Once a sync of an object fails, its bytes may be lost although the kernel would report the
// next sync as good. Such an object is removed, and Flush fails until it is put again or
// deleted. ctx only ends the waiting for work that another call does.
func (s *Store) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("flush objects: %w", err)
	}
	r, leads := s.flush.join()
	if leads {
		s.flush.do(r, s.flushNotes)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return fmt.Errorf("flush objects: %w", ctx.Err())
	}
	if r.err != nil {
		return fmt.Errorf("flush objects: %w", r.err)
	}
	return nil
}

func (s *Store) flushNotes() error {
	s.tree.Lock()
	files, dirs := s.dirty.copy()
	s.tree.Unlock()
	var g errgroup.Group
	g.SetLimit(syncsAtOnce)
	for key, seq := range files {
		g.Go(func() error { return s.syncObject(key, seq) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for dir, seq := range dirs {
		g.Go(func() error { return s.syncDir(dir, seq) })
	}
	return g.Wait()
}

func (s *Store) syncObject(key string, seq uint64) error {
	f, err := s.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return s.absent(key, seq)
	}
	if err != nil {
		return explain("sync", key, err)
	}
	defer f.Close()
	err = s.sync(f)

	s.tree.Lock()
	defer s.tree.Unlock()
	if s.dirty.files[key] != seq {
		return nil // deleted, or put again and synced by the Put: its old bytes matter no more
	}
	if err != nil {
		_ = s.root.Remove(key) // the note stays, and with it the refusal
		return explain("sync", key, err)
	}
	delete(s.dirty.files, key)
	return nil
}

// absent tells an object that was deleted from one that an earlier Flush had to give up.
func (s *Store) absent(key string, seq uint64) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	if s.dirty.files[key] != seq {
		return nil
	}
	return hosting.Errorf(hosting.CodeUnavailable, "the object %s was lost when it was written to the disk", key).
		WithHint("upload it again")
}

func (s *Store) syncDir(dir string, seq uint64) error {
	err := s.syncPath(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // an absent one was removed when empty
		return explain("sync folder of", dir, err)
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	if s.dirty.dirs[dir] == seq {
		delete(s.dirty.dirs, dir)
	}
	return nil
}

func (s *Store) syncPath(name string) error {
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.sync(f)
}
