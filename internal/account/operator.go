package account

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// ListUsers lists all people, for the operator.
func (s *Service) ListUsers(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.User], err error) {
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

// ListAllTeams lists all teams, for the operator.
func (s *Service) ListAllTeams(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Team], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		list, err = s.sys.Teams.PageOf(tx, "", p)
		return err
	})
	return list, err
}

// SuspendUser suspends a person, whose sessions and links end and whose tokens rest, or lifts
// that. Oneself and the last operator cannot be suspended (CodeConflict). It may be repeated.
func (s *Service) SuspendUser(ctx context.Context, c hosting.Caller, id hosting.UserID, suspended bool) (out hosting.User, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.sys.Users.Get(tx, state.K(string(id)))
		if err != nil {
			return err
		}
		out = s.seen(u)
		if u.Suspended == suspended {
			return nil
		}
		e := hosting.AuditEntry{Action: "user.resume", Target: string(u.ID)}
		if suspended {
			e.Action = "user.suspend"
			if err := s.lockOut(tx, c, &u); err != nil {
				return err
			}
		}
		u.Suspended = suspended
		out = s.seen(u)
		if err := s.sys.Users.Put(tx, &u); err != nil {
			return err
		}
		return s.note(tx, c, u.Team, e)
	})
	if err != nil {
		return hosting.User{}, err
	}
	return out, nil
}

// lockOut ends whatever a person could still come in by, if they may be suspended at all.
func (s *Service) lockOut(tx state.Tx, c hosting.Caller, u *state.User) error {
	if u.ID == c.User {
		return hosting.Errorf(hosting.CodeConflict, "you cannot suspend yourself").WithHint("ask another operator")
	}
	if u.Operator {
		others, err := s.otherOperators(tx, u.ID)
		if err != nil {
			return err
		}
		if !others {
			return hosting.Errorf(hosting.CodeConflict, "this is the last operator who is not suspended")
		}
	}
	u.Entered++
	_, err := s.endSessions(tx, u.ID)
	return err
}
