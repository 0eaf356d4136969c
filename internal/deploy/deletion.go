package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// DeleteProject ends a project's builds, takes its site from the net and deletes its variables,
// at once; its deployments and objects are removed in the background. The site's name is held
// for 30 days, in which only the same team can take it again. A suspended project is deleted
// by the operator alone: its name could be taken again, with what it was suspended for.
func (s *Service) DeleteProject(ctx context.Context, c hosting.Caller, idOrSlug string) (hosting.Deletion, error) {
	var canceled []state.Run
	var gone hosting.Deletion
	done, err := s.update(ctx, func(tx *change) error {
		p, err := s.project(tx, c, idOrSlug)
		if err != nil {
			return err
		}
		if p.Suspended && !c.Operator {
			return errSuspended()
		}
		if canceled, err = s.cancelRuns(tx, p, "its project was deleted"); err != nil {
			return err
		}
		now := s.now()
		variables, err := s.deleteRows(tx, p, now)
		if err != nil {
			return err
		}
		if _, err := tx.wakeQueue(); err != nil {
			return err
		}
		held := now.Add(siteHeld)
		gone = s.deletionOf(p, now, held)
		gone.Gone = append(gone.Gone, fmt.Sprintf("builds that ran or waited: %d", len(canceled)), fmt.Sprintf("variables: %d", variables))
		err = tx.route(hosting.Change{Sites: []hosting.Site{{
			Name: p.Slug, Project: p.ID, Team: p.Team, State: hosting.SiteDeleted, HeldUntil: held.Unix(),
		}}})
		if err != nil {
			return err
		}
		return tx.auditProject(c, p, "project.delete", "")
	})
	if err != nil {
		return hosting.Deletion{}, fmt.Errorf("delete project: %w", err)
	}
	for _, r := range canceled {
		unlock := s.logs.lock(r.Deployment)
		s.logs.forget(r.Deployment)
		unlock()
	}
	s.announce(ctx, done)
	return gone, nil
}

// deleteRows deletes what is small of a project, and marks the rest for the trash.
func (s *Service) deleteRows(tx *change, p hosting.Project, now time.Time) (variables int, err error) {
	rows, err := s.variables(tx, p.Team, p.ID)
	if err != nil {
		return 0, err
	}
	for i := range rows {
		if err := s.team(p.Team).Variables.Delete(tx, variableKey(&rows[i])); err != nil {
			return 0, err
		}
	}
	key := state.K(string(p.ID))
	if err := s.team(p.Team).Stored.Delete(tx, key); err != nil {
		return 0, err
	}
	if err := s.team(p.Team).Projects.Delete(tx, key); err != nil {
		return 0, err
	}
	return len(rows), s.sys.Trash.Put(tx, &state.Trash{Project: p.ID, Team: p.Team, DeletedAt: now})
}

// deletionOf says what the deletion of a project takes along.
func (s *Service) deletionOf(p hosting.Project, now, held time.Time) hosting.Deletion {
	return hosting.Deletion{
		What: "the project " + p.Slug,
		Gone: []string{"the site " + s.cfg.URL("", p.Slug), "the addresses of its deployments"},
		Later: []string{
			"files, archives and logs of its deployments: in the background, within minutes",
			"the name " + p.Slug + ": only your team can take it again before " + held.Format(time.DateOnly),
		},
		At: now,
	}
}

// cancelRuns ends all of a project's deployments that have not ended, and returns their runs.
func (s *Service) cancelRuns(tx *change, p hosting.Project, reason string) ([]state.Run, error) {
	var runs []state.Run
	for r, err := range s.runs(tx, "project", state.K(string(p.ID), "")) {
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	for i := range runs {
		d, err := s.team(p.Team).Deployments.Get(tx, state.K(string(runs[i].Deployment)))
		if err != nil {
			return nil, err
		}
		d.Reason = reason
		if err := tx.endRun(&runs[i], &d, hosting.StatusCanceled); err != nil {
			return nil, err
		}
	}
	return runs, nil
}
