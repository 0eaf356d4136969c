package account

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

const maxMembers = 200 // of one team

var errLastOwner = hosting.Errorf(hosting.CodeConflict, "the team needs an owner").WithHint("make somebody else an owner first")

// ListMembers lists the members of the team.
func (s *Service) ListMembers(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Member], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Members.PageOf(tx, state.K(string(c.Team.ID), ""), p)
		if err != nil {
			return err
		}
		list, err = state.MapPage(rows, func(m hosting.Membership) (hosting.Member, error) { return s.asMember(tx, m) })
		return err
	})
	return list, err
}

func (s *Service) asMember(tx state.Tx, m hosting.Membership) (hosting.Member, error) {
	u, err := s.sys.Users.Get(tx, state.K(string(m.User)))
	return hosting.Member{Membership: m, Name: u.Name, Email: u.Email}, err
}

// SetRole gives a member another role. The last owner keeps theirs, and so does whose own team
// it is (CodeConflict).
func (s *Service) SetRole(ctx context.Context, c hosting.Caller, user hosting.UserID, role hosting.Role) (out hosting.Member, err error) {
	if err := checkRole(role); err != nil {
		return out, err
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		m, err := s.member(tx, c.Team.ID, user)
		if err != nil {
			return err
		}
		if out, err = s.asMember(tx, m); err != nil || m.Role == role {
			return err
		}
		if err := s.mayStepDown(tx, m); err != nil {
			return err
		}
		e := hosting.AuditEntry{Action: "member.role", Target: string(user), Detail: string(m.Role) + " to " + string(role)}
		m.Role, out.Role = role, role
		if err := s.sys.Members.Put(tx, &m); err != nil {
			return err
		}
		return s.note(tx, c, m.Team, e)
	})
	if err != nil {
		return hosting.Member{}, err
	}
	return out, nil
}

// RemoveMember takes a member out of the team, and with them their tokens for it. The last
// owner stays, and so does whose own team it is (CodeConflict).
func (s *Service) RemoveMember(ctx context.Context, c hosting.Caller, user hosting.UserID) error {
	return s.takeOut(ctx, c, user, "member.remove")
}

// Leave takes the caller out of the team, as RemoveMember does.
func (s *Service) Leave(ctx context.Context, c hosting.Caller) error {
	return s.takeOut(ctx, c, c.User, "member.leave")
}

func (s *Service) takeOut(ctx context.Context, c hosting.Caller, user hosting.UserID, action string) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		m, err := s.member(tx, c.Team.ID, user)
		if err != nil {
			return err
		}
		if err := s.mayStepDown(tx, m); err != nil {
			return err
		}
		who, err := s.asMember(tx, m)
		if err != nil {
			return err
		}
		if err := s.sys.Members.Delete(tx, state.K(string(m.Team), string(m.User))); err != nil {
			return err
		}
		if err := s.dropTokens(tx, m.Team, m.User); err != nil {
			return err
		}
		return s.note(tx, c, m.Team, hosting.AuditEntry{Action: action, Target: string(user), Detail: who.Email})
	})
}

// member returns somebody's place in a team: one of another team is not found.
func (s *Service) member(tx state.Tx, team hosting.TeamID, user hosting.UserID) (hosting.Membership, error) {
	return s.sys.Members.Get(tx, state.K(string(team), string(user)))
}

// mayStepDown says whether an owner may become less than that. It is asked in the transaction
// of the change: of two owners who go at once, one stays.
func (s *Service) mayStepDown(tx state.Tx, m hosting.Membership) error {
	if m.Role != hosting.RoleOwner {
		return nil
	}
	u, err := s.sys.Users.Get(tx, state.K(string(m.User)))
	if err != nil {
		return err
	}
	if u.Team == m.Team {
		return hosting.Errorf(hosting.CodeConflict, "it is the person's own team: they stay its owner")
	}
	_, owners, err := s.othersOf(tx, m.Team, m.User)
	if err == nil && owners == 0 {
		err = errLastOwner
	}
	return err
}

// takeIn makes a person a member of a team, as their invitation says.
func (s *Service) takeIn(tx state.Tx, c hosting.Caller, u *state.User, inv *state.Invitation) error {
	others, _, err := s.othersOf(tx, inv.Team, u.ID)
	if err != nil {
		return err
	}
	if others >= maxMembers {
		return hosting.Errorf(hosting.CodeQuota, "the team has %d members, and no team may have more", others)
	}
	m := hosting.Membership{Team: inv.Team, User: u.ID, Role: inv.Role, JoinedAt: s.now()}
	if err := s.sys.Members.Insert(tx, &m); err != nil {
		return err
	}
	return s.note(tx, c, inv.Team, hosting.AuditEntry{
		Action: "member.join", Target: string(u.ID), Detail: u.Email + " as " + string(inv.Role),
	})
}

func checkRole(r hosting.Role) error {
	if !r.Valid() {
		return hosting.Errorf(hosting.CodeInvalid, "this is no role").WithHint("use viewer, developer or owner")
	}
	return nil
}
