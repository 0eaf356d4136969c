package account

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// maxMembers is how many people a team has at most.
const maxMembers = 200

var (
	errNoMember  = hosting.Errorf(hosting.CodeNotFound, "there is no such member")
	errLastOwner = hosting.Errorf(hosting.CodeConflict, "the team needs an owner").WithHint("make somebody else an owner first")
	errRole      = hosting.Errorf(hosting.CodeInvalid, "the role is none").WithHint("say viewer, developer or owner")
)

// ListMembers lists the members of the team.
func (s *Service) ListMembers(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Member], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Members.PageOf(tx, state.K(string(c.Team.ID), ""), p)
		if err != nil {
			return err
		}
		list, err = state.MapPage(rows, func(m hosting.Membership) (hosting.Member, error) { return s.showMember(tx, m) })
		return err
	})
	return list, err
}

func (s *Service) showMember(tx state.Tx, m hosting.Membership) (hosting.Member, error) {
	u, err := s.sys.Users.Get(tx, state.K(string(m.User)))
	return hosting.Member{Membership: m, Name: u.Name, Email: u.Email}, err
}

// member finds a member of the caller's team.
func (s *Service) member(tx state.Tx, c hosting.Caller, user hosting.UserID) (hosting.Membership, error) {
	m, ok, err := s.sys.Members.Find(tx, state.K(string(c.Team.ID), string(user)))
	if err == nil && !ok {
		err = errNoMember
	}
	return m, err
}

// SetRole gives a member another role. The last owner keeps theirs (CodeConflict).
func (s *Service) SetRole(ctx context.Context, c hosting.Caller, user hosting.UserID, role hosting.Role) (out hosting.Member, err error) {
	if !role.Valid() {
		return hosting.Member{}, errRole
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		m, err := s.member(tx, c, user)
		if err != nil {
			return err
		}
		if role != m.Role {
			if err := s.keepOwner(tx, m); err != nil {
				return err
			}
			before := m.Role
			m.Role = role
			if err := s.sys.Members.Put(tx, &m); err != nil {
				return err
			}
			err = s.noteIn(tx, m.Team, c, hosting.AuditEntry{
				Action: "member.role", Target: string(user), Detail: fmt.Sprintf("%s to %s", before, role),
			})
			if err != nil {
				return err
			}
		}
		out, err = s.showMember(tx, m)
		return err
	})
	return out, err
}

// keepOwner refuses to take the role from the last owner of a team.
func (s *Service) keepOwner(tx state.Tx, m hosting.Membership) error {
	if m.Role != hosting.RoleOwner {
		return nil
	}
	_, owners, err := s.othersOf(tx, m.Team, m.User)
	if err == nil && owners == 0 {
		err = errLastOwner
	}
	return err
}

// RemoveMember takes a member out of the team, and with them their tokens for it. The last
// owner stays, and everybody stays in their own team (CodeConflict).
func (s *Service) RemoveMember(ctx context.Context, c hosting.Caller, user hosting.UserID) error {
	return s.removeMember(ctx, c, user, "member.remove")
}

// Leave takes the caller out of the team, as RemoveMember does.
func (s *Service) Leave(ctx context.Context, c hosting.Caller) error {
	return s.removeMember(ctx, c, c.User, "member.leave")
}

func (s *Service) removeMember(ctx context.Context, c hosting.Caller, user hosting.UserID, action string) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		m, err := s.member(tx, c, user)
		if err != nil {
			return err
		}
		if err := s.keepOwner(tx, m); err != nil {
			return err
		}
		u, err := s.sys.Users.Get(tx, state.K(string(user)))
		if err != nil {
			return err
		}
		if u.Team == m.Team {
			return hosting.Errorf(hosting.CodeConflict, "nobody can leave their own team")
		}
		if err := s.sys.Members.Delete(tx, state.K(string(m.Team), string(m.User))); err != nil {
			return err
		}
		if err := s.dropTokens(tx, m); err != nil {
			return err
		}
		return s.noteIn(tx, m.Team, c, hosting.AuditEntry{Action: action, Target: string(user), Detail: u.Email})
	})
}

// dropTokens deletes what tokens a member has for the team.
func (s *Service) dropTokens(tx state.Tx, m hosting.Membership) error {
	var gone []state.Key
	after := state.Key("")
	for {
		list, next, err := s.sys.Tokens.ListBy(tx, "user", state.K(string(m.User), ""), after, sweepMost)
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].Team == m.Team {
				gone = append(gone, state.K(list[i].Hash))
			}
		}
		if len(list) < sweepMost {
			return deleteAll(tx, s.sys.Tokens, gone)
		}
		after = next
	}
}
