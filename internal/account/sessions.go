package account

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	sessionIdle = 12 * time.Hour      // without use
	sessionLife = 14 * 24 * time.Hour // whatever happens
	maxSessions = 50                  // of one person: the oldest goes
	maxAgent    = 200                 // bytes
)

// begin makes a session with a fresh secret, whatever the browser came with, so that nobody
// can have planted it.
func (s *Service) begin(tx state.Tx, u *state.User, from From) (SignedIn, error) {
	secret, now := seal.NewToken(), s.now()
	row := state.Session{
		Hash: seal.Hash(secret), User: u.ID, Entered: u.Entered,
		Session: hosting.Session{
			ID: hosting.NewSessionID(), CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(sessionLife),
			Addr: printable(from.Addr), Agent: printable(from.Agent),
		},
	}
	if err := s.sys.Sessions.Insert(tx, &row); err != nil {
		return SignedIn{}, err
	}
	list, _, err := s.sys.Sessions.ListBy(tx, "user", state.K(string(u.ID)), "", maxSessions+10)
	for i := maxSessions; err == nil && i < len(list); i++ {
		err = s.sys.Sessions.Delete(tx, state.K(list[i].Hash))
	}
	out := SignedIn{Secret: secret, Session: row.Session, User: s.seen(*u)}
	out.Session.Current = true
	return out, err
}

// over reports whether a session has ended by itself.
func (s *Service) over(row *state.Session) bool {
	now := s.now()
	return !now.Before(row.ExpiresAt) || now.Sub(s.used.last(use{useSession, row.Hash}, row.LastSeenAt)) >= sessionIdle
}

// endSessions ends all sessions of a person and tells how many there were.
func (s *Service) endSessions(tx state.Tx, user hosting.UserID) (n int, err error) {
	for {
		list, _, err := s.sys.Sessions.ListBy(tx, "user", state.K(string(user)), "", 100)
		if err != nil || len(list) == 0 {
			return n, err
		}
		for _, row := range list {
			if err := s.sys.Sessions.Delete(tx, state.K(row.Hash)); err != nil {
				return n, err
			}
		}
		n += len(list)
	}
}

// LogOut ends the session that the secret belongs to; an unknown one is no error.
func (s *Service) LogOut(ctx context.Context, c hosting.Caller, secret string) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		row, ok, err := s.sys.Sessions.Find(tx, state.K(seal.Hash(secret)))
		if err != nil || !ok || row.User != c.User {
			return err
		}
		return s.endSession(tx, c, row)
	})
}

// ListSessions lists the caller's sessions, newest first.
func (s *Service) ListSessions(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Session], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Sessions.Page(tx, "user", state.K(string(c.User)), p)
		if err != nil {
			return err
		}
		list = state.List[hosting.Session]{Items: []hosting.Session{}, Next: rows.Next}
		for _, row := range rows.Items {
			if s.over(&row) {
				continue // it is only not swept yet
			}
			row.LastSeenAt = s.used.last(use{useSession, row.Hash}, row.LastSeenAt)
			row.Current = row.ID == c.Session
			list.Items = append(list.Items, row.Session)
		}
		return nil
	})
	return list, err
}

// EndSession ends one of the caller's sessions. It is CodeNotFound for any other.
func (s *Service) EndSession(ctx context.Context, c hosting.Caller, id hosting.SessionID) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		list, _, err := s.sys.Sessions.ListBy(tx, "user", state.K(string(c.User)), "", maxSessions+10)
		if err != nil {
			return err
		}
		for _, row := range list {
			if row.ID == id {
				return s.endSession(tx, c, row)
			}
		}
		return hosting.Errorf(hosting.CodeNotFound, "you have no such session")
	})
}

func (s *Service) endSession(tx state.Tx, c hosting.Caller, row state.Session) error {
	u, err := s.sys.Users.Get(tx, state.K(string(row.User)))
	if err != nil {
		return err
	}
	if err := s.sys.Sessions.Delete(tx, state.K(row.Hash)); err != nil {
		return err
	}
	return s.cfg.DB.Team(u.Team).Note(tx, c, s.now(), hosting.AuditEntry{Action: "session.end", Target: string(row.ID)})
}

// printable makes what a browser says of itself fit to be stored and shown.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxAgent {
		s = strings.ToValidUTF8(s[:maxAgent], "")
	}
	return s
}
