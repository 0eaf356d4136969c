package routes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// loadSnapshot fills a new file with everything the source has and puts it in the place of
// the table's. Lookups go on from the old one until then.
func (t *Table) loadSnapshot(ctx context.Context, src Source) error {
	path := t.path + ".new"
	f, err := t.fillFile(ctx, path, src)
	if err == nil {
		err = t.replace(f, path)
	}
	if err != nil {
		if f != nil {
			_ = f.close()
		}
		_ = os.Remove(path)
		return fmt.Errorf("load snapshot of routes: %w", err)
	}
	return nil
}

// fillFile makes the new file. It is synced once, at its end: until it has the table's name
// nothing is lost with it.
func (t *Table) fillFile(ctx context.Context, path string, src Source) (*file, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	f.db.NoSync = true
	mark, err := src.Snapshot(ctx, func(c hosting.Change) error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			w := &writer{tx: tx, log: t.log, last: t.file.Load(), touched: map[hosting.ProjectID]bool{}}
			return w.change(&c)
		})
	})
	if err != nil {
		return f, err
	}
	if err := f.db.Update(func(tx *bbolt.Tx) error { return putMeta(tx, mark) }); err != nil {
		return f, err
	}
	f.db.NoSync = false
	f.epoch = mark.Epoch
	f.seq.Store(mark.Seq)
	return f, f.db.Sync()
}

// replace puts f, which stands at path, in the table's place. It refuses one that would take
// the table back.
func (t *Table) replace(f *file, path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		return ErrClosed
	}
	old := t.file.Load()
	if f.mark().Compare(old.mark()) < 0 {
		return hosting.Errorf(hosting.CodeConflict, "the state is at %v and the routing table at %v, which is later", f.mark(), old.mark()).
			WithHint("the state was restored without a new epoch: stop Fairway and remove %s, which is made again", filepath.Base(t.path))
	}
	if err := os.Rename(path, t.path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(t.path)); err != nil {
		return err
	}
	t.file.Store(f)
	t.tell()
	if err := old.close(); err != nil {
		t.log.Warn("the former routing table could not be closed", "err", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
