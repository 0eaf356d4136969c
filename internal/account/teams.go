package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	maxOwned  = 20 // teams that one person owns, without their own
	showMost  = 5  // projects that are named where a team cannot be deleted
	teamStays = "its audit log stays for the operator"
)

// ListTeams lists the caller's teams: their own first, the others by slug. Who comes by an API
// token, or is the operator without an account, is told of the team that they act in.
func (s *Service) ListTeams(ctx context.Context, c hosting.Caller) ([]hosting.TeamOf, error) {
	switch {
	case c.Team.ID == "" && c.User == "":
		return []hosting.TeamOf{}, nil
	case c.User == "" || c.Token != "":
		return []hosting.TeamOf{{Team: c.Team, Role: c.Role}}, nil
	}
	teams := []hosting.TeamOf{}
	var own hosting.TeamID
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
		if err != nil {
			return err
		}
		own = u.Team
		list, _, err := s.sys.Members.ListBy(tx, "user", state.K(string(c.User), ""), "", maxTeams)
		if err != nil {
			return err
		}
		for _, m := range list {
			t, err := s.sys.Teams.Get(tx, state.K(string(m.Team)))
			if err != nil {
				return fmt.Errorf("read the team of a member: %w", err)
			}
			teams = append(teams, hosting.TeamOf{Team: t, Role: m.Role})
		}
		return nil
	})
	slices.SortFunc(teams, func(a, b hosting.TeamOf) int {
		switch own {
		case a.ID:
			return -1
		case b.ID:
			return 1
		}
		return strings.Compare(a.Slug, b.Slug)
	})
	return teams, err
}

// CreateTeam makes a team whose owner is the caller. A slug that was given and is taken is
// CodeConflict, more than 20 teams of one owner are CodeQuota.
func (s *Service) CreateTeam(ctx context.Context, c hosting.Caller, in NewTeam) (out hosting.Team, err error) {
	in.Name = strings.TrimSpace(in.Name)
	if err := hosting.CheckPersonName(in.Name); err != nil {
		return out, err
	}
	if in.Slug != "" {
		if err := checkTeamSlug(in.Slug); err != nil {
			return out, err
		}
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) (err error) {
		if err := s.mayOwnAnother(tx, c.User); err != nil {
			return err
		}
		out, err = s.storeTeam(tx, c, in)
		return err
	})
	if err != nil {
		return hosting.Team{}, err
	}
	return out, nil
}

func (s *Service) storeTeam(tx state.Tx, c hosting.Caller, in NewTeam) (t hosting.Team, err error) {
	t = hosting.Team{ID: hosting.NewTeamID(), Name: in.Name, Slug: in.Slug, CreatedAt: s.now()}
	if t.Slug == "" {
		if t.Slug, err = s.freeTeamSlug(tx, t.Name); err != nil {
			return t, err
		}
	}
	if err := s.sys.Teams.Insert(tx, &t); err != nil {
		return t, err
	}
	m := hosting.Membership{Team: t.ID, User: c.User, Role: hosting.RoleOwner, JoinedAt: t.CreatedAt}
	if err := s.sys.Members.Insert(tx, &m); err != nil {
		return t, err
	}
	return t, s.note(tx, c, t.ID, hosting.AuditEntry{Action: "team.create", Target: string(t.ID), Detail: t.Slug})
}

// mayOwnAnother counts the teams that a person owns, without their own.
func (s *Service) mayOwnAnother(tx state.Tx, id hosting.UserID) error {
	u, err := s.sys.Users.Get(tx, state.K(string(id)))
	if err != nil {
		return err
	}
	list, _, err := s.sys.Members.ListBy(tx, "user", state.K(string(id), ""), "", maxTeams)
	owned := 0
	for _, m := range list {
		if m.Role == hosting.RoleOwner && m.Team != u.Team {
			owned++
		}
	}
	if err == nil && owned >= maxOwned {
		err = hosting.Errorf(hosting.CodeQuota, "you own %d teams, and nobody may own more", owned).WithHint("delete or leave one first")
	}
	return err
}

// UpdateTeam renames the team that the caller acts in.
func (s *Service) UpdateTeam(ctx context.Context, c hosting.Caller, name string) (out hosting.Team, err error) {
	name = strings.TrimSpace(name)
	if err := hosting.CheckPersonName(name); err != nil {
		return out, err
	}
	var t hosting.Team
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		if t, err = s.sys.Teams.Get(tx, state.K(string(c.Team.ID))); err != nil {
			return err
		}
		t.Name = name
		if err := s.sys.Teams.Put(tx, &t); err != nil {
			return err
		}
		return s.note(tx, c, t.ID, hosting.AuditEntry{Action: "team.update", Target: string(t.ID), Detail: "name"})
	})
	if err != nil {
		return out, err
	}
	return t, nil
}

// DeleteTeam deletes the team that the caller acts in, with its memberships, tokens and
// invitations. It is CodeConflict while it has projects, and for personal teams. What deleted
// projects have left is removed in the background all the same.
func (s *Service) DeleteTeam(ctx context.Context, c hosting.Caller) (out hosting.Deletion, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		t, err := s.sys.Teams.Get(tx, state.K(string(c.Team.ID)))
		if err != nil {
			return err
		}
		if t.Personal {
			return hosting.Errorf(hosting.CodeConflict, "a person's own team lives as long as their account")
		}
		if err := s.hasNoProjects(tx, t); err != nil {
			return err
		}
		if err := s.note(tx, c, t.ID, hosting.AuditEntry{Action: "team.delete", Target: string(t.ID), Detail: t.Slug}); err != nil {
			return err
		}
		gone, err := s.removeWholeTeam(tx, t.ID)
		out = hosting.Deletion{What: "the team " + t.Slug, Gone: gone, Later: []string{teamStays}, At: s.now()}
		return err
	})
	if err != nil {
		return hosting.Deletion{}, err
	}
	return out, nil
}

func (s *Service) hasNoProjects(tx state.Tx, t hosting.Team) error {
	list, err := s.cfg.DB.Team(t.ID).Projects.List(tx, "", "", showMost+1)
	if err != nil || len(list) == 0 {
		return err
	}
	var names []string
	for _, p := range list[:min(len(list), showMost)] {
		names = append(names, p.Slug)
	}
	if len(list) > showMost {
		names = append(names, "and more")
	}
	return hosting.Errorf(hosting.CodeConflict, "the team has projects: %s", strings.Join(names, ", ")).WithHint("delete them first")
}

// removeWholeTeam deletes a team's row and those that belong to it, and says what is gone.
func (s *Service) removeWholeTeam(tx state.Tx, id hosting.TeamID) (gone []string, err error) {
	var members []state.Key
	err = each(tx, s.sys.Members, state.K(string(id), ""), func(m hosting.Membership) (state.Key, error) {
		members = append(members, state.K(string(m.Team), string(m.User)))
		return members[len(members)-1], nil
	})
	if err != nil {
		return nil, err
	}
	if err := deleteAll(tx, s.sys.Members, members); err != nil {
		return nil, err
	}
	tokens, err := deleteBy(tx, s.sys.Tokens, "team", string(id), func(t *state.Token) state.Key { return state.K(t.Hash) })
	if err != nil {
		return nil, err
	}
	invited, err := deleteBy(tx, s.sys.Invitations, "team", string(id), func(i *state.Invitation) state.Key { return state.K(i.Hash) })
	if err != nil {
		return nil, err
	}
	gone = []string{
		fmt.Sprintf("memberships: %d", len(members)), fmt.Sprintf("API tokens: %d", tokens), fmt.Sprintf("open invitations: %d", invited),
	}
	return gone, s.sys.Teams.Delete(tx, state.K(string(id)))
}
