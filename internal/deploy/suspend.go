package deploy

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// sitesAtOnce bounds the sites in one change of routes.
const sitesAtOnce = 1000

// SuspendProject pauses a project's site, or lifts that: for the operator, across teams. Its
// hosts answer a page that says so, its builds end, its bytes stay. It may be repeated, and
// answers once the table shows it.
func (s *Service) SuspendProject(ctx context.Context, c hosting.Caller, id hosting.ProjectID, suspended bool) (hosting.Project, error) {
	var p hosting.Project
	var ended []state.Run
	done, err := s.update(ctx, func(tx *change) (err error) {
		ended = nil
		if p, err = s.projectAnywhere(tx, c, id); err != nil || p.Suspended == suspended {
			return err
		}
		p.Suspended = suspended
		if err := s.team(p.Team).Projects.Put(tx, &p); err != nil {
			return err
		}
		t, err := s.teamOf(tx, p.Team)
		if err != nil {
			return err
		}
		if suspended {
			if ended, err = s.cancelRuns(tx, p, "its project was suspended"); err != nil {
				return err
			}
		}
		site, err := s.siteOf(tx, p, t)
		if err != nil {
			return err
		}
		if err := tx.route(hosting.Change{Sites: []hosting.Site{site}}); err != nil {
			return err
		}
		return tx.auditProject(c, p, pick(suspended, "project.suspend", "project.resume"), "")
	})
	if err != nil {
		return hosting.Project{}, fmt.Errorf("suspend project: %w", err)
	}
	s.announceSuspended(ctx, done, ended, "Canceled: the project was suspended.")
	err = s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		p, err = s.showProject(tx, p)
		return err
	})
	return p, err
}

// SuspendTeam pauses all sites of a team, or lifts that: for the operator. Projects that are
// suspended by themselves stay so. It may be repeated, and answers once the table shows it.
func (s *Service) SuspendTeam(ctx context.Context, c hosting.Caller, id hosting.TeamID, suspended bool) (hosting.Team, error) {
	var t hosting.Team
	var ended []state.Run
	done, err := s.update(ctx, func(tx *change) (err error) {
		ended = nil
		if t, err = s.sys.Teams.Get(tx, state.K(string(id))); err != nil || t.Suspended == suspended {
			return err
		}
		t.Suspended = suspended
		if err := s.sys.Teams.Put(tx, &t); err != nil {
			return err
		}
		if ended, err = s.suspendSites(tx, t); err != nil {
			return err
		}
		return tx.audit(c, id, hosting.AuditEntry{Action: pick(suspended, "team.suspend", "team.resume"), Target: string(id), Detail: t.Slug})
	})
	if err != nil {
		return hosting.Team{}, fmt.Errorf("suspend team: %w", err)
	}
	s.announceSuspended(ctx, done, ended, "Canceled: the team was suspended.")
	return t, nil
}

// suspendSites brings the sites of a team's projects into the state that follows from the
// team, and ends its builds if it is suspended.
func (s *Service) suspendSites(tx *change, t hosting.Team) (ended []state.Run, err error) {
	var sites []hosting.Site
	for p, err := range s.projects(tx, t.ID) {
		if err != nil {
			return nil, err
		}
		if t.Suspended {
			runs, err := s.cancelRuns(tx, p, "its team was suspended")
			if err != nil {
				return nil, err
			}
			ended = append(ended, runs...)
		}
		site, err := s.siteOf(tx, p, t)
		if err != nil {
			return nil, err
		}
		if sites = append(sites, site); len(sites) < sitesAtOnce {
			continue
		}
		if err := tx.route(hosting.Change{Sites: sites}); err != nil {
			return nil, err
		}
		sites = nil
	}
	if len(sites) == 0 {
		return ended, nil
	}
	return ended, tx.route(hosting.Change{Sites: sites})
}

// announceSuspended tells of a suspension, and ends the logs of the builds that it ended.
func (s *Service) announceSuspended(ctx context.Context, done *change, ended []state.Run, line string) {
	for _, r := range ended {
		unlock := s.logs.lock(r.Deployment)
		s.note(ctx, r.Deployment, line)
		unlock()
	}
	s.announce(ctx, done)
	s.awaitHead(ctx) // a repeated call changes nothing, but promises the same
}

// siteOf is a project's site as it is to be: served unless the project or its team is
// suspended, to whom it is now.
func (s *Service) siteOf(tx state.Tx, p hosting.Project, t hosting.Team) (hosting.Site, error) {
	site := hosting.Site{
		Name: p.Slug, Project: p.ID, Team: p.Team,
		State: pick(p.Suspended || t.Suspended, hosting.SiteSuspended, hosting.SiteActive),
	}
	old, found, err := s.sys.Sites.Find(tx, state.K(p.Slug))
	if found && old.Project == p.ID { // else it is another's, who held the name before
		site.Production, site.Previews = old.Production, old.Previews
	}
	return site, err
}

// projectAnywhere finds a project in the caller's team or, for the operator, in any.
func (s *Service) projectAnywhere(tx state.Tx, c hosting.Caller, id hosting.ProjectID) (hosting.Project, error) {
	missing := hosting.Errorf(hosting.CodeNotFound, "there is no such project")
	if !hosting.ValidID(string(id)) {
		return hosting.Project{}, missing
	}
	teams, err := s.teamIDs(tx)
	if err != nil {
		return hosting.Project{}, err
	}
	for _, team := range append([]hosting.TeamID{c.Team.ID}, teams...) {
		p, ok, err := s.team(team).Projects.Find(tx, state.K(string(id)))
		if err != nil || ok {
			return p, err
		}
	}
	return hosting.Project{}, missing
}

func errSuspended() error {
	return hosting.Errorf(hosting.CodeForbidden, "the project is suspended").WithHint("ask the operator of this Fairway")
}

// projectToChange is project for those who change it, which nobody does while it is suspended.
func (s *Service) projectToChange(tx state.Tx, c hosting.Caller, idOrSlug string) (hosting.Project, error) {
	p, err := s.project(tx, c, idOrSlug)
	if err == nil && p.Suspended {
		return hosting.Project{}, errSuspended()
	}
	return p, err
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}
