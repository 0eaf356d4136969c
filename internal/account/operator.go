package account

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// ListUsers lists all people, for the operator.
func (s *Service) ListUsers(ctx context.Context, _ hosting.Caller, p state.Page) (list state.List[hosting.User], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Users.PageOf(tx, "", p)
		if err != nil {
			return err
		}
		list, err = state.MapPage(rows, func(u state.User) (hosting.User, error) { return s.seen(u), nil })
		return err
	})
	return list, err
}

// SuspendUser suspends a person, whose sessions end and whose tokens rest, or lifts that.
// Nobody can suspend themselves, nor the last operator (CodeConflict).
func (s *Service) SuspendUser(ctx context.Context, c hosting.Caller, id hosting.UserID, suspended bool) (out hosting.User, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, ok, err := s.sys.Users.Find(tx, state.K(string(id)))
		if err != nil || !ok {
			return firstOf(err, hosting.Errorf(hosting.CodeNotFound, "there is no such person"))
		}
		out = u.User
		if u.Suspended == suspended {
			return nil
		}
		action := "user.resume"
		if suspended {
			action = "user.suspend"
			if err := s.maySuspend(tx, c, &u); err != nil {
				return err
			}
			u.Entered++
			if _, err := s.endSessions(tx, u.ID); err != nil {
				return err
			}
		}
		u.Suspended = suspended
		out = u.User
		if err := s.sys.Users.Put(tx, &u); err != nil {
			return err
		}
		return s.noteIn(tx, u.Team, c, hosting.AuditEntry{Action: action, Target: string(u.ID), Detail: u.Email})
	})
	return out, err
}

func (s *Service) maySuspend(tx state.Tx, c hosting.Caller, u *state.User) error {
	if u.ID == c.User {
		return hosting.Errorf(hosting.CodeConflict, "you cannot suspend yourself")
	}
	if !u.Operator {
		return nil
	}
	others, err := s.otherOperators(tx, u.ID)
	if err == nil && !others {
		err = hosting.Errorf(hosting.CodeConflict, "the only operator cannot be suspended")
	}
	return err
}

// ListAllTeams lists all teams, for the operator.
func (s *Service) ListAllTeams(ctx context.Context, _ hosting.Caller, p state.Page) (list state.List[hosting.Team], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		list, err = s.sys.Teams.PageOf(tx, "", p)
		return err
	})
	return list, err
}
