package routes

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ErrGap says that changes are missing between the table's mark and the ones to apply, or
// that they belong to another Epoch: only a snapshot leads there.
var ErrGap = errors.New("routes: changes are missing, a snapshot is needed")

// batchSize bounds how many changes one transaction applies, and so how long lookups that
// miss the cache run beside it.
const batchSize = 256

// Apply applies the changes in order, each once: those up to the table's mark are left out.
// It fails with ErrGap, having applied those before it, at a change that does not follow.
func (t *Table) Apply(changes []hosting.Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		return ErrClosed
	}
	f := t.file.Load()
	todo, gap := following(f.mark(), changes)
	for batch := range slices.Chunk(todo, batchSize) {
		if err := t.applyBatch(f, batch); err != nil {
			return fmt.Errorf("apply routes: %w", err)
		}
	}
	return gap
}

// following returns the changes that come after the mark without a gap.
func following(at hosting.Mark, changes []hosting.Change) (todo []hosting.Change, err error) {
	for _, c := range changes {
		if c.Mark.Compare(at) <= 0 {
			continue
		}
		if c.Mark.Epoch != at.Epoch || c.Mark.Seq != at.Seq+1 {
			return todo, fmt.Errorf("%w: %v does not follow %v", ErrGap, c.Mark, at)
		}
		todo, at = append(todo, c), c.Mark
	}
	return todo, nil
}

func (t *Table) applyBatch(f *file, batch []hosting.Change) error {
	end := batch[len(batch)-1].Mark
	err := guarded(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			w := &writer{tx: tx, log: t.log, touched: map[hosting.ProjectID]bool{}}
			for i := range batch {
				if err := w.change(&batch[i]); err != nil {
					return err
				}
			}
			// Before the commit: from here until it is over, hosts of these projects are
			// answered from the file, so none is served what the commit made old.
			for project := range w.touched {
				f.cache.drop(project, end.Seq)
			}
			return putMeta(tx, end)
		})
	})
	if err != nil {
		if errors.Is(err, errDamaged) {
			t.fault(f, err)
		}
		return err
	}
	f.seq.Store(end.Seq)
	t.tell()
	return nil
}
