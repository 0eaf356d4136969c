// Package bolt keeps the state of one machine in a single file, by bbolt.
//
// An Update is one bbolt transaction: when it has returned nil its writes are on disk. The
// file is locked for as long as it is open, so a second Fairway on the same folder ends with
// a sentence that says so, and never with two writers.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bbolterr "go.etcd.io/bbolt/errors"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// lockTimeout is how long Open waits for the file's lock: longer than a Fairway that is being
// restarted needs to let go of it, short enough for a person who waits.
const lockTimeout = 2 * time.Second

var bucket = []byte("fairway")

// Store is a state.Store in one bbolt file.
type Store struct{ db *bbolt.DB }

var _ state.Store = (*Store)(nil)

// View implements state.Store.
func (s *Store) View(ctx context.Context, fn func(state.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return explain(s.db.View(func(t *bbolt.Tx) error { return fn(&tx{bucket: t.Bucket(bucket)}) }))
}

// Update implements state.Store. A ctx that ends while other Updates are waited for ends this
// one too; once fn has begun it is not looked at any more.
func (s *Store) Update(ctx context.Context, fn func(state.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return explain(s.db.Update(func(t *bbolt.Tx) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(&tx{bucket: t.Bucket(bucket), writable: true})
	}))
}

// Close implements state.Store. It may be repeated.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}

// explain turns what bbolt and the file system say into what a person may see. Errors of the
// transaction's own function pass through.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, bbolterr.ErrMaxSizeReached):
		return fmt.Errorf("%w (%w)", hosting.Errorf(hosting.CodeStorageFull, "there is no space left for Fairway's state").
			WithHint("free some space; nothing was changed"), err)
	case errors.Is(err, bbolterr.ErrDatabaseNotOpen):
		return hosting.Errorf(hosting.CodeUnavailable, "Fairway's state is closed: it is being stopped")
	}
	return err
}
