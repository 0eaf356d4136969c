package deploy

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// CreateProject makes a project and its site. Without a slug one is made from the name; a
// slug that was given and is taken, or held after a deletion by another team, is CodeConflict.
// CodeQuota means that the team may have no more projects.
func (s *Service) CreateProject(ctx context.Context, c hosting.Caller, n hosting.NewProject) (hosting.Project, error) {
	var p hosting.Project
	done, err := s.update(ctx, func(tx *change) (err error) {
		p, err = s.newProject(tx, c, n)
		return err
	})
	if err != nil {
		return hosting.Project{}, fmt.Errorf("create project: %w", err)
	}
	s.announce(ctx, done)
	return s.FindProject(ctx, c, string(p.ID))
}

// FindProject returns a project by its id or slug.
func (s *Service) FindProject(ctx context.Context, c hosting.Caller, idOrSlug string) (hosting.Project, error) {
	var p hosting.Project
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		if p, err = s.project(tx, c, idOrSlug); err != nil {
			return err
		}
		p, err = s.showProject(tx, p)
		return err
	})
	return p, err
}

// ListProjects lists the team's projects, newest first; for a token of one project that alone.
func (s *Service) ListProjects(ctx context.Context, c hosting.Caller, page state.Page) (list state.List[hosting.Project], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.team(c.Team.ID).Projects.Page(tx, "created", "", page)
		if err != nil {
			return err
		}
		if c.Project != "" {
			if rows, err = s.onlyProject(tx, c, page); err != nil {
				return err
			}
		}
		list, err = state.MapPage(rows, func(p hosting.Project) (hosting.Project, error) { return s.showProject(tx, p) })
		return err
	})
	return list, err
}

// onlyProject is the list of projects of a caller whose token is for one.
func (s *Service) onlyProject(tx state.Tx, c hosting.Caller, page state.Page) (list state.List[hosting.Project], err error) {
	p, err := s.project(tx, c, string(c.Project))
	if hosting.Is(err, hosting.CodeNotFound) || page.After != "" {
		return list, nil
	}
	list.Items = []hosting.Project{p}
	return list, err
}

// UpdateProject changes a project's settings. Deployments that exist keep theirs.
func (s *Service) UpdateProject(ctx context.Context, c hosting.Caller, idOrSlug string, u hosting.ProjectUpdate) (hosting.Project, error) {
	var p hosting.Project
	_, err := s.update(ctx, func(tx *change) (err error) {
		old, err := s.projectToChange(tx, c, idOrSlug)
		if err != nil {
			return err
		}
		p = u.Apply(old)
		if err := p.Check(); err != nil {
			return err
		}
		changed := changedFields(old, p)
		if len(changed) == 0 {
			return nil
		}
		p.UpdatedAt = s.now()
		if err := s.team(p.Team).Projects.Put(tx, &p); err != nil {
			return err
		}
		return tx.auditProject(c, p, "project.update", strings.Join(changed, ", "))
	})
	if err != nil {
		return hosting.Project{}, fmt.Errorf("update project: %w", err)
	}
	return s.FindProject(ctx, c, string(p.ID))
}

// newProject stores a project and its site in tx.
func (s *Service) newProject(tx *change, c hosting.Caller, n hosting.NewProject) (hosting.Project, error) {
	if c.Project != "" {
		return hosting.Project{}, hosting.Errorf(hosting.CodeForbidden, "the token is for one project, and cannot make another").
			WithHint("use a token of the whole team")
	}
	t, err := s.teamOf(tx, c.Team.ID)
	if err != nil {
		return hosting.Project{}, err
	}
	if err := s.checkProjects(tx, t); err != nil {
		return hosting.Project{}, err
	}
	now := s.now()
	p := hosting.ProjectUpdate{Name: &n.Name, GitURL: &n.GitURL, ProductionBranch: &n.ProductionBranch}.Apply(hosting.Project{
		ID: hosting.NewProjectID(), Team: c.Team.ID, Slug: n.Slug, BuildSettings: n.BuildSettings,
		CustomDomains: []string{}, CreatedBy: c.Name, CreatedAt: now, UpdatedAt: now,
	})
	if n.Slug == "" {
		p.Slug, err = s.freeSlug(tx, c.Team.ID, p.Name)
	} else {
		err = s.claimSlug(tx, c.Team.ID, n.Slug)
	}
	if err != nil {
		return hosting.Project{}, err
	}
	if err := p.Check(); err != nil {
		return hosting.Project{}, err
	}
	return p, s.storeProject(tx, c, p, t)
}

// storeProject writes what a project begins with. That it stores nothing yet is an exact count.
func (s *Service) storeProject(tx *change, c hosting.Caller, p hosting.Project, t hosting.Team) error {
	if err := s.team(p.Team).Projects.Insert(tx, &p); err != nil {
		return err
	}
	if err := s.team(p.Team).Stored.Put(tx, &state.Stored{Project: p.ID, MeasuredAt: p.CreatedAt}); err != nil {
		return err
	}
	site, err := s.siteOf(tx, p, t)
	if err != nil {
		return err
	}
	if err := tx.route(hosting.Change{Sites: []hosting.Site{site}}); err != nil {
		return err
	}
	return tx.auditProject(c, p, "project.create", "")
}

// claimSlug says whether the team may take a site's name.
func (s *Service) claimSlug(tx state.Tx, team hosting.TeamID, slug string) error {
	if err := hosting.CheckSiteName(slug); err != nil {
		return err
	}
	free, err := s.slugFree(tx, team, slug)
	if err == nil && !free {
		err = hosting.Errorf(hosting.CodeConflict, "the slug %q is taken", slug).WithHint("choose another")
	}
	return err
}

func (s *Service) freeSlug(tx state.Tx, team hosting.TeamID, name string) (string, error) {
	base := hosting.SiteNameFrom(name)
	slug := base
	for range slugTries {
		free, err := s.slugFree(tx, team, slug)
		if err != nil || free {
			return slug, err
		}
		slug = hosting.SiteNameSuffixed(base)
	}
	return "", hosting.Errorf(hosting.CodeConflict, "no free slug was found for %q", name).WithHint("give one")
}

func (s *Service) slugFree(tx state.Tx, team hosting.TeamID, slug string) (bool, error) {
	site, ok, err := s.sys.Sites.Find(tx, state.K(slug))
	if err != nil || !ok {
		return !ok, err
	}
	held := site.Team != team && site.HeldUntil > s.now().Unix()
	return site.State == hosting.SiteDeleted && !held, nil
}

// project finds one of the caller's team's projects by its id or slug. One that the caller's
// token is not for is not found, just as another team's.
func (s *Service) project(tx state.Tx, c hosting.Caller, idOrSlug string) (hosting.Project, error) {
	rows := s.team(c.Team.ID).Projects
	var p hosting.Project
	var ok bool
	var err error
	switch {
	case hosting.ValidID(idOrSlug):
		p, ok, err = rows.Find(tx, state.K(idOrSlug))
	case hosting.CheckSiteName(idOrSlug) == nil:
		p, ok, err = rows.FindBy(tx, "slug", state.K(idOrSlug))
	}
	if err == nil && (!ok || !c.Sees(p.ID)) {
		return hosting.Project{}, hosting.Errorf(hosting.CodeNotFound, "there is no such project")
	}
	return p, err
}

// projectOfGit returns the team's oldest project of a repository that the caller sees, or
// makes one that is named after it. That a deployment makes a project only this place knows, so
// here and nowhere else a service asks what the caller may: the route lets in who may deploy.
func (s *Service) projectOfGit(tx *change, c hosting.Caller, gitURL string) (hosting.Project, error) {
	if err := hosting.CheckGitURL(gitURL); err != nil {
		return hosting.Project{}, err
	}
	p, found, err := s.findOfGit(tx, c, gitURL)
	if err != nil || found {
		return p, err
	}
	if err := c.May(hosting.PermitChange); err != nil {
		return hosting.Project{}, err
	}
	return s.newProject(tx, c, hosting.NewProject{Name: repositoryName(gitURL), GitURL: gitURL})
}

func (s *Service) findOfGit(tx state.Tx, c hosting.Caller, gitURL string) (p hosting.Project, found bool, err error) {
	rows := s.team(c.Team.ID).Projects
	if c.Project != "" {
		p, found, err = rows.Find(tx, state.K(string(c.Project)))
		return p, found && p.GitURL == gitURL, err
	}
	oldest, _, err := rows.ListBy(tx, "git", state.K(string(state.GitKey(gitURL)), ""), "", 1)
	if err != nil || len(oldest) == 0 {
		return p, false, err
	}
	return oldest[0], true, nil
}

func repositoryName(gitURL string) string {
	name := ""
	if u, err := url.Parse(gitURL); err == nil {
		name = strings.TrimSuffix(path.Base(u.Path), ".git")
	}
	name = printableText(name, 100)
	if strings.Trim(name, "./ ") == "" {
		return "site"
	}
	return name
}

// showProject computes what is not stored.
func (s *Service) showProject(tx state.Tx, p hosting.Project) (hosting.Project, error) {
	p.URL = s.cfg.URL("", p.Slug)
	if p.CustomDomains == nil {
		p.CustomDomains = []string{}
	}
	site, _, err := s.sys.Sites.Find(tx, state.K(p.Slug))
	if err != nil {
		return p, err
	}
	access := site.Access()
	p.Access = &access
	newest, _, err := s.team(p.Team).Deployments.ListBy(tx, "project", state.K(string(p.ID), ""), "", 1)
	if err != nil || len(newest) == 0 {
		return p, err
	}
	d, err := s.showDeployment(tx, p, newest[0])
	p.LatestDeployment = &d
	return p, err
}
