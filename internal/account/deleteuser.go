package account

import (
	"context"
	"fmt"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// DeleteUser deletes the caller's account, whose password is asked for once more if it has
// one. It is CodeConflict, with all reasons in the message, while their own team has projects,
// while they are the only owner of another team with members or projects, and for the only
// operator.
func (s *Service) DeleteUser(ctx context.Context, c hosting.Caller, password string) (out hosting.Deletion, err error) {
	p, err := s.proveToDelete(ctx, c, password)
	if err != nil {
		return hosting.Deletion{}, err
	}
	var conflict error
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.proven(tx, p)
		if err != nil {
			return err
		}
		leaving, why, err := s.mayLeave(tx, &u)
		if err != nil {
			return err
		}
		if len(why) > 0 {
			// The try is taken back all the same: the password was right.
			conflict = hosting.Errorf(hosting.CodeConflict, "the account cannot be deleted yet: %s", strings.Join(why, "; ")).
				WithHint("see to that first")
			return nil
		}
		out, err = s.remove(tx, c, &u, leaving)
		return err
	})
	if err != nil || conflict != nil {
		if err == nil {
			err = conflict
		}
		return hosting.Deletion{}, err
	}
	s.emptyTeam(ctx, p.user.Team)
	return out, nil
}

func (s *Service) proveToDelete(ctx context.Context, c hosting.Caller, password string) (proof, error) {
	var u state.User
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		u, err = s.sys.Users.Get(tx, state.K(string(c.User)))
		return err
	})
	if err != nil || u.Password == "" {
		return proof{user: u}, err
	}
	return s.proveCaller(ctx, c, password, From{Addr: c.Addr})
}

// leaving is what becomes of a person's teams.
type leaving struct {
	leave  []hosting.Membership // of teams that go on
	delete []hosting.Team       // teams that are theirs alone, their own among them
}

// mayLeave says what becomes of a person's teams, or why they cannot leave.
func (s *Service) mayLeave(tx state.Tx, u *state.User) (l leaving, why []string, err error) {
	if u.Operator {
		others, err := s.otherOperators(tx, u.ID)
		if err != nil {
			return l, nil, err
		}
		if !others {
			why = append(why, "you are the only operator")
		}
	}
	list, _, err := s.sys.Members.ListBy(tx, "user", state.K(string(u.ID)), "", maxTeams)
	if err != nil {
		return l, nil, err
	}
	for _, m := range list {
		reason, err := s.leaveOne(tx, u, m, &l)
		if err != nil {
			return l, nil, err
		}
		if reason != "" {
			why = append(why, reason)
		}
	}
	return l, why, nil
}

func (s *Service) leaveOne(tx state.Tx, u *state.User, m hosting.Membership, l *leaving) (reason string, err error) {
	t, err := s.sys.Teams.Get(tx, state.K(string(m.Team)))
	if err != nil {
		return "", err
	}
	members, owners, err := s.othersOf(tx, t.ID, u.ID)
	if err != nil {
		return "", err
	}
	own := t.ID == u.Team
	switch {
	case !own && owners > 0, !own && m.Role != hosting.RoleOwner:
		l.leave = append(l.leave, m)
		return "", nil
	case !own && members > 0:
		return fmt.Sprintf("you are the only owner of the team %s, which has other members", t.Slug), nil
	}
	l.delete = append(l.delete, t)
	projects, err := s.cfg.DB.Team(t.ID).Projects.List(tx, "", "", 10)
	if err != nil || len(projects) == 0 {
		return "", err
	}
	slugs := make([]string, len(projects))
	for i, p := range projects {
		slugs[i] = p.Slug
	}
	return fmt.Sprintf("the team %s has projects (%s)", t.Slug, strings.Join(slugs, ", ")), nil
}

// othersOf counts a team's members but for one person, and the owners among them.
func (s *Service) othersOf(tx state.Tx, team hosting.TeamID, but hosting.UserID) (members, owners int, err error) {
	err = each(tx, s.sys.Members, state.K(string(team), ""), func(m hosting.Membership) (state.Key, error) {
		if m.User != but {
			members++
			if m.Role == hosting.RoleOwner {
				owners++
			}
		}
		return state.K(string(m.Team), string(m.User)), nil
	})
	return members, owners, err
}

func (s *Service) otherOperators(tx state.Tx, but hosting.UserID) (found bool, err error) {
	err = each(tx, s.sys.Users, "", func(u state.User) (state.Key, error) {
		found = found || u.Operator && !u.Suspended && u.ID != but
		return state.K(string(u.ID)), nil
	})
	return found, err
}

// each calls fn with all rows whose keys begin with prefix; fn returns the row's key.
func each[T any](tx state.Tx, rows state.Rows[T], prefix state.Key, fn func(T) (state.Key, error)) error {
	after := state.Key("")
	for {
		list, err := rows.List(tx, prefix, after, sweepMost)
		if err != nil {
			return err
		}
		for _, v := range list {
			if after, err = fn(v); err != nil {
				return err
			}
		}
		if len(list) < sweepMost {
			return nil
		}
	}
}
