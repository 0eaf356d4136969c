package state

import (
	"context"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// keptChanges is how many changes are kept for followers; one that is further behind loads
// a snapshot. trimAtOnce bounds what one Commit deletes of older ones.
const (
	keptChanges = 10_000
	trimAtOnce  = 8
)

// Commit writes the change's routing records, gives it the next Mark and keeps it for
// followers, all in tx. Marks have no gaps and no change becomes visible before a smaller
// one, since Updates are serial.
func (s System) Commit(tx Tx, c *hosting.Change) (hosting.Mark, error) {
	h, ok, err := s.heads.Find(tx, K("routes"))
	if err != nil {
		return hosting.Mark{}, err
	}
	if !ok {
		h = head{Mark: hosting.Mark{Epoch: uint64(time.Now().UnixMilli())}, First: 1}
	}
	h.Mark.Seq++
	c.Mark = h.Mark
	if err := s.apply(tx, c); err != nil {
		return hosting.Mark{}, err
	}
	if err := s.changes.Put(tx, &change{Change: *c, At: time.Now().UnixMilli()}); err != nil {
		return hosting.Mark{}, err
	}
	for n := 0; n < trimAtOnce && h.First+keptChanges <= h.Mark.Seq; n++ {
		if err := s.changes.Delete(tx, K(Asc(h.First))); err != nil {
			return hosting.Mark{}, err
		}
		h.First++
	}
	return h.Mark, s.heads.Put(tx, &h)
}

func (s System) apply(tx Tx, c *hosting.Change) error {
	for i := range c.Sites {
		c.Sites[i].Seq = c.Mark.Seq
		if err := s.Sites.Put(tx, &c.Sites[i]); err != nil {
			return err
		}
	}
	for i := range c.Pointers {
		if err := s.Pointers.Put(tx, &c.Pointers[i]); err != nil {
			return err
		}
	}
	for i := range c.Hosts {
		if err := s.Hosts.Put(tx, &c.Hosts[i]); err != nil {
			return err
		}
	}
	for _, k := range c.DeletedPointers {
		if err := s.Pointers.Delete(tx, K(string(k.Project), k.Name)); err != nil {
			return err
		}
	}
	for _, name := range c.DeletedSites {
		if err := s.Sites.Delete(tx, K(name)); err != nil {
			return err
		}
	}
	for _, name := range c.DeletedHosts {
		if err := s.Hosts.Delete(tx, K(name)); err != nil {
			return err
		}
	}
	return nil
}

// Feed lets a routing table follow the state store directly. It is safe for concurrent use.
type Feed struct{ DB DB }

// Head returns the newest Mark, the zero Mark while nothing was ever committed.
func (f Feed) Head(ctx context.Context) (m hosting.Mark, err error) {
	err = f.DB.View(ctx, func(tx Tx) error {
		h, _, err := f.DB.System().heads.Find(tx, K("routes"))
		m = h.Mark
		return err
	})
	return m, err
}

// Begin makes an empty change where there never was one, so that who follows can tell a new
// installation from one that they do not reach.
func (f Feed) Begin(ctx context.Context) error {
	return f.DB.Update(ctx, func(tx Tx) error {
		_, begun, err := f.DB.System().heads.Find(tx, K("routes"))
		if err == nil && !begun {
			_, err = f.DB.System().Commit(tx, &hosting.Change{})
		}
		return err
	})
}

// Changes returns up to limit changes after the Mark, in order. complete is false when some
// of them are no longer kept, or the Mark is of another Epoch or greater than the Head, as
// after a restore: then a Snapshot is needed.
func (f Feed) Changes(ctx context.Context, after hosting.Mark, limit int) (cs []hosting.Change, complete bool, err error) {
	err = f.DB.View(ctx, func(tx Tx) error {
		s := f.DB.System()
		h, ok, err := s.heads.Find(tx, K("routes"))
		if err != nil {
			return err
		}
		if !ok || h.Mark == after {
			complete = true
			return nil
		}
		if h.Mark.Epoch != after.Epoch || after.Seq > h.Mark.Seq || after.Seq+1 < h.First {
			return nil
		}
		complete = true
		kept, err := s.changes.List(tx, "", K(Asc(after.Seq)), limit)
		for _, c := range kept {
			cs = append(cs, c.Change)
		}
		return err
	})
	return cs, complete, err
}

// Lag says how far a table that has the Mark is behind the state, now. No other clock than
// those of control planes is in it.
func (s System) Lag(tx Tx, of hosting.Mark, now time.Time) (lag hosting.Lag, err error) {
	h, ok, err := s.heads.Find(tx, K("routes"))
	switch {
	case err != nil || !ok || h.Mark == of:
		return lag, err
	case h.Mark.Epoch != of.Epoch || of.Seq > h.Mark.Seq:
		return hosting.Lag{Changes: h.Mark.Seq, Epoch: true}, nil
	}
	lag.Changes = h.Mark.Seq - of.Seq
	first, ok, err := s.changes.Find(tx, K(Asc(of.Seq+1)))
	if ok && first.At > 0 {
		lag.Seconds = max(0, int64(now.Sub(time.UnixMilli(first.At))/time.Second))
	}
	return lag, err
}

// Snapshot calls fn with all routing records, in pieces of at most a thousand, and returns
// the Mark at which they were true together. Marks of the pieces are not set.
func (f Feed) Snapshot(ctx context.Context, fn func(hosting.Change) error) (m hosting.Mark, err error) {
	const piece = 1000
	err = f.DB.View(ctx, func(tx Tx) error {
		s := f.DB.System()
		h, _, err := s.heads.Find(tx, K("routes"))
		if err != nil {
			return err
		}
		m = h.Mark
		if err := pieces(tx, s.Sites, piece, func(r []hosting.Site) error { return fn(hosting.Change{Sites: r}) }); err != nil {
			return err
		}
		if err := pieces(tx, s.Pointers, piece, func(r []hosting.Pointer) error { return fn(hosting.Change{Pointers: r}) }); err != nil {
			return err
		}
		return pieces(tx, s.Hosts, piece, func(r []hosting.Host) error { return fn(hosting.Change{Hosts: r}) })
	})
	if err != nil {
		return hosting.Mark{}, fmt.Errorf("snapshot of routes: %w", err)
	}
	return m, nil
}

func pieces[T any](tx Tx, rows Rows[T], size int, fn func([]T) error) error {
	after := Key("")
	for {
		page, err := rows.List(tx, "", after, size)
		if err != nil || len(page) == 0 {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		after = rows.table.Key(&page[len(page)-1])
	}
}
