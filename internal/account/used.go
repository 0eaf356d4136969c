package account

import (
	"context"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// used notes in memory when sessions, tokens and people were last seen, since a write for each
// request would cost a sync of the disk. flush writes it down; a crash loses a minute of it.
type used struct {
	mu sync.Mutex
	at map[use]time.Time // guarded by mu; only of credentials that were good
}

type use struct{ kind, key string }

const (
	useSession = "session"
	useToken   = "token"
	useUser    = "user"
)

func newUsed() *used { return &used{at: map[use]time.Time{}} }

func (u *used) note(now time.Time, uses ...use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, k := range uses {
		u.at[k] = now
	}
}

// last returns the later of what is stored and what is only noted.
func (u *used) last(k use, stored time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return later(stored, u.at[k])
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// some returns up to n notes.
func (u *used) some(n int) map[use]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make(map[use]time.Time, min(n, len(u.at)))
	for k, at := range u.at {
		if len(out) == n {
			break
		}
		out[k] = at
	}
	return out
}

// written forgets notes, but for those that are newer than what was written.
func (u *used) written(done map[use]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for k, at := range done {
		if u.at[k].Equal(at) {
			delete(u.at, k)
		}
	}
}

// flushMost bounds one transaction, so that others are not kept waiting.
const flushMost = 500

// flush writes all notes that there are now. They are forgotten after they were written, not
// before: no session looks unused in between.
func (s *Service) flush(ctx context.Context) error {
	s.used.mu.Lock()
	rounds := len(s.used.at)/flushMost + 1
	s.used.mu.Unlock()
	for range rounds {
		notes := s.used.some(flushMost)
		if len(notes) == 0 {
			return nil
		}
		err := s.cfg.DB.Update(ctx, func(tx state.Tx) error {
			for k, at := range notes {
				if err := s.touch(tx, k, at); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.used.written(notes)
	}
	return nil
}

func (s *Service) touch(tx state.Tx, k use, at time.Time) error {
	switch k.kind {
	case useSession:
		return touchRow(tx, s.sys.Sessions, k.key, func(r *state.Session) { r.LastSeenAt = later(r.LastSeenAt, at) })
	case useToken:
		return touchRow(tx, s.sys.Tokens, k.key, func(r *state.Token) { r.LastUsedAt = later(r.LastUsedAt, at) })
	}
	return touchRow(tx, s.sys.Users, k.key, func(r *state.User) { r.LastSeenAt = later(r.LastSeenAt, at) })
}

// touchRow changes a row that is still there: what was ended meanwhile stays ended.
func touchRow[T any](tx state.Tx, rows state.Rows[T], key string, set func(*T)) error {
	row, ok, err := rows.Find(tx, state.K(key))
	if err != nil || !ok {
		return err
	}
	set(&row)
	return rows.Put(tx, &row)
}

// seen fills in when a person was last seen, as far as this process knows.
func (s *Service) seen(u state.User) hosting.User {
	u.LastSeenAt = s.used.last(use{useUser, string(u.ID)}, u.LastSeenAt)
	return u.User
}
