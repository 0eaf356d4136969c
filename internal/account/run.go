package account

import (
	"context"
	"time"

	"github.com/scale-mesh/fairway/internal/state"
)

const (
	pass      = time.Minute     // how often Run looks
	lastWrite = 5 * time.Second // what the last flush may take
	sweepMost = 500             // rows of one transaction
	sweeps    = 20              // transactions of one kind in a pass
	// triesKept is how long tries are kept: as long as the longest bound, and the note of a burst.
	triesKept = 2 * time.Hour
)

// Run writes each minute when sessions and tokens were last used, and removes what has
// expired, until ctx ends; what it still holds then it writes.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(pass)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.tidy(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("people: sessions and links could not be tidied up, the next minute tries again", "error", err)
			}
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			return s.flush(ctx)
		}
	}
}

// tidy is one pass. The notes are written first, so that no session that is in use looks idle.
func (s *Service) tidy(ctx context.Context) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	now := s.now()
	err := sweep(ctx, s.cfg.DB, s.sys.Links, "expires", func(l *state.Link) (state.Key, bool) {
		return state.K(l.Hash), !now.Before(l.ExpiresAt)
	})
	if err != nil {
		return err
	}
	err = sweep(ctx, s.cfg.DB, s.sys.Invitations, "expires", func(i *state.Invitation) (state.Key, bool) {
		return state.K(i.Hash), !now.Before(i.ExpiresAt)
	})
	if err != nil {
		return err
	}
	err = sweep(ctx, s.cfg.DB, s.sys.Tries, "last", func(t *state.Tries) (state.Key, bool) {
		return state.K(t.Account), now.Sub(t.Last) >= triesKept
	})
	if err != nil {
		return err
	}
	return s.sweepSessions(ctx)
}

// sweep deletes rows from the front of an index that is ordered by time, for as long as they
// are over. It writes only where there is something to delete.
func sweep[T any](ctx context.Context, db state.DB, rows state.Rows[T], index string, over func(*T) (state.Key, bool)) error {
	for range sweeps {
		any := false
		err := db.View(ctx, func(tx state.Tx) error {
			first, _, err := rows.ListBy(tx, index, "", "", 1)
			if err == nil && len(first) > 0 {
				_, any = over(&first[0])
			}
			return err
		})
		if err != nil || !any {
			return err
		}
		if err := db.Update(ctx, func(tx state.Tx) error { return deleteFront(tx, rows, index, over) }); err != nil {
			return err
		}
	}
	return nil
}

func deleteFront[T any](tx state.Tx, rows state.Rows[T], index string, over func(*T) (state.Key, bool)) error {
	list, _, err := rows.ListBy(tx, index, "", "", sweepMost)
	if err != nil {
		return err
	}
	for i := range list {
		key, is := over(&list[i])
		if !is {
			return nil
		}
		if err := rows.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}

// sweepSessions looks at some sessions, from where the last pass ended. They have no index by
// their end, which moves with each use; one that is over is refused long before it is swept.
func (s *Service) sweepSessions(ctx context.Context) error {
	for range sweeps {
		var ended []state.Key
		err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
			list, err := s.sys.Sessions.List(tx, "", s.swept, sweepMost)
			s.swept = ""
			for i := range list {
				if s.over(&list[i]) {
					ended = append(ended, state.K(list[i].Hash))
				}
			}
			if len(list) == sweepMost {
				s.swept = state.K(list[len(list)-1].Hash)
			}
			return err
		})
		if err == nil && len(ended) > 0 {
			err = s.cfg.DB.Update(ctx, func(tx state.Tx) error { return deleteAll(tx, s.sys.Sessions, ended) })
		}
		if err != nil || s.swept == "" {
			return err
		}
	}
	return nil
}

func deleteAll[T any](tx state.Tx, rows state.Rows[T], keys []state.Key) error {
	for _, k := range keys {
		if err := rows.Delete(tx, k); err != nil {
			return err
		}
	}
	return nil
}
