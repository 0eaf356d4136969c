package account

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// maxOwned is how many teams one person can own.
const maxOwned = 20

// ListTeams lists the caller's teams: of the operator none, since all are theirs.
func (s *Service) ListTeams(ctx context.Context, c hosting.Caller) ([]hosting.TeamOf, error) {
	who := hosting.Identity{Teams: []hosting.TeamOf{}}
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error { return s.addTeams(tx, c, &who) })
	return who.Teams, err
}

// CreateTeam makes a team whose owner is the caller. A slug that was given and is taken is
// CodeConflict.
func (s *Service) CreateTeam(ctx context.Context, c hosting.Caller, in NewTeam) (hosting.Team, error) {
	t := hosting.Team{ID: hosting.NewTeamID(), Name: strings.TrimSpace(in.Name), Slug: in.Slug, CreatedAt: s.now()}
	if err := hosting.CheckPersonName(t.Name); err != nil {
		return hosting.Team{}, err
	}
	err := s.cfg.DB.Update(ctx, func(tx state.Tx) (err error) {
		if err := s.checkOwned(tx, c.User); err != nil {
			return err
		}
		if t.Slug, err = s.teamSlug(tx, t.Name, in.Slug); err != nil {
			return err
		}
		if err := s.sys.Teams.Insert(tx, &t); err != nil {
			return err
		}
		m := hosting.Membership{Team: t.ID, User: c.User, Role: hosting.RoleOwner, JoinedAt: t.CreatedAt}
		if err := s.sys.Members.Insert(tx, &m); err != nil {
			return err
		}
		return s.noteIn(tx, t.ID, c, hosting.AuditEntry{Action: "team.create", Target: string(t.ID), Detail: t.Name})
	})
	if err != nil {
		return hosting.Team{}, fmt.Errorf("create team: %w", err)
	}
	return t, nil
}

// noteIn writes what the caller does into a team's audit log.
func (s *Service) noteIn(tx state.Tx, team hosting.TeamID, c hosting.Caller, e hosting.AuditEntry) error {
	return s.cfg.DB.Team(team).Note(tx, c, s.now(), e)
}

func (s *Service) checkOwned(tx state.Tx, user hosting.UserID) error {
	list, _, err := s.sys.Members.ListBy(tx, "user", state.K(string(user), ""), "", 10*maxOwned)
	if err != nil {
		return err
	}
	owned := 0
	for _, m := range list {
		if m.Role == hosting.RoleOwner {
			owned++
		}
	}
	if owned >= maxOwned {
		return hosting.Errorf(hosting.CodeQuota, "you own %d teams, which is the limit", owned).WithHint("delete one, or have somebody else make it")
	}
	return nil
}

var teamSlug = regexp.MustCompile(`^[a-z][a-z0-9-]{1,38}[a-z0-9]$`)

// teamSlug returns the slug that was asked for, or makes a free one of the name.
func (s *Service) teamSlug(tx state.Tx, name, asked string) (string, error) {
	if asked != "" {
		if !teamSlug.MatchString(asked) || strings.Contains(asked, "--") {
			return "", hosting.Errorf(hosting.CodeInvalid, "%q cannot be a team's slug", asked).
				WithHint("use 3 to 40 lower-case letters, digits and single hyphens, a letter first")
		}
		free, err := s.slugFree(tx, asked)
		if err == nil && !free {
			err = hosting.Errorf(hosting.CodeConflict, "the slug %q is taken", asked).WithHint("choose another")
		}
		return asked, err
	}
	base := hosting.SiteNameFrom(name)
	for slug := base; ; slug = hosting.SiteNameSuffixed(base) {
		if free, err := s.slugFree(tx, slug); err != nil || free {
			return slug, err
		}
	}
}

func (s *Service) slugFree(tx state.Tx, slug string) (bool, error) {
	_, taken, err := s.sys.Teams.FindBy(tx, "slug", state.K(slug))
	return !taken && slug != defaultSlug, err
}

// UpdateTeam renames the team that the caller acts in.
func (s *Service) UpdateTeam(ctx context.Context, c hosting.Caller, name string) (t hosting.Team, err error) {
	name = strings.TrimSpace(name)
	if err := hosting.CheckPersonName(name); err != nil {
		return hosting.Team{}, err
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) (err error) {
		if t, err = s.sys.Teams.Get(tx, state.K(string(c.Team.ID))); err != nil || t.Name == name {
			return err
		}
		t.Name = name
		if err := s.sys.Teams.Put(tx, &t); err != nil {
			return err
		}
		return s.noteIn(tx, t.ID, c, hosting.AuditEntry{Action: "team.update", Target: string(t.ID), Detail: "name"})
	})
	return t, err
}

// DeleteTeam deletes the team that the caller acts in. It is CodeConflict while it has
// projects, and for personal teams.
func (s *Service) DeleteTeam(ctx context.Context, c hosting.Caller) (hosting.Deletion, error) {
	out := hosting.Deletion{
		What: "the team " + c.Team.Slug, At: s.now(), Later: []string{},
		Gone: []string{"its members' access", "its tokens and invitations", "its audit log"},
	}
	err := s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		t, err := s.sys.Teams.Get(tx, state.K(string(c.Team.ID)))
		if err != nil {
			return err
		}
		if t.Personal {
			return hosting.Errorf(hosting.CodeConflict, "a person's own team lives as long as their account").WithHint("delete the account instead")
		}
		projects, _, err := s.cfg.DB.Team(t.ID).Projects.ListBy(tx, "created", "", "", namedProjects)
		if err != nil {
			return err
		}
		if len(projects) > 0 {
			return hosting.Errorf(hosting.CodeConflict, "the team has projects: %s", slugs(projects)).WithHint("delete them first")
		}
		return s.removeTeam(tx, t.ID)
	})
	if err != nil {
		return hosting.Deletion{}, fmt.Errorf("delete team: %w", err)
	}
	s.emptyTeam(ctx, c.Team.ID)
	return out, nil
}

// namedProjects is how many projects a refusal names.
const namedProjects = 5

func slugs(projects []hosting.Project) string {
	names := make([]string, len(projects))
	for i, p := range projects {
		names[i] = p.Slug
	}
	if len(projects) == namedProjects {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// ListAudit lists who did what in the team, newest first.
func (s *Service) ListAudit(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.AuditEntry], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		list, err = s.cfg.DB.Team(c.Team.ID).Audit.PageOf(tx, "", p)
		return err
	})
	return list, err
}
