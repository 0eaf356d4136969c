package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/state"
)

// emptyTrash removes what deleted projects have left. Each step may be repeated, and the
// trash's own row goes last, so that a process that dies in between goes on later.
func (s *Service) emptyTrash(ctx context.Context) error {
	rows, err := s.dueTrash(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range rows {
		if err := s.empty(ctx, t); err != nil { // the others need not wait for this one
			errs = append(errs, fmt.Errorf("empty the trash of %s: %w", t.Project, err))
		}
	}
	return errors.Join(errs...)
}

// dueTrash returns some of the trash, without what waits for the end of presigned uploads.
func (s *Service) dueTrash(ctx context.Context) (due []state.Trash, err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		for after := state.Key(""); ; {
			rows, err := s.sys.Trash.List(tx, "", after, fewRows)
			if err != nil {
				return err
			}
			for _, t := range rows {
				if !t.Emptied || !s.mayComeLate(t) {
					due = append(due, t)
				}
			}
			if len(rows) < fewRows || len(due) >= fewRows {
				return nil
			}
			after = state.K(string(rows[len(rows)-1].Project))
		}
	})
	return due, err
}

// mayComeLate reports whether uploads that were signed before a project was deleted can still
// be made: nobody hears of those.
func (s *Service) mayComeLate(t state.Trash) bool {
	_, presigns := s.cfg.Objects.(object.Presigner)
	return presigns && s.now().Before(t.DeletedAt.Add(signedLife+signedSlack))
}

func (s *Service) empty(ctx context.Context, t state.Trash) error {
	for {
		more, err := s.removeDeployments(ctx, t)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	for {
		more, err := s.removePointers(ctx, t)
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if err := s.cfg.Blobs.DeleteProject(ctx, t.Project); err != nil {
		return err
	}
	_, err := s.update(ctx, func(tx *change) error {
		if s.mayComeLate(t) {
			t.Emptied = true
			return s.sys.Trash.Put(tx, &t)
		}
		return s.sys.Trash.Delete(tx, state.K(string(t.Project)))
	})
	return err
}

// removeDeployments removes some of a deleted project's deployments and their logs.
func (s *Service) removeDeployments(ctx context.Context, t state.Trash) (more bool, err error) {
	var rows []hosting.Deployment
	err = s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		rows, _, err = s.team(t.Team).Deployments.ListBy(tx, "project", state.K(string(t.Project), ""), "", fewRows)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, d := range rows {
		if err := s.deleteLog(ctx, d.ID); err != nil {
			return false, err
		}
	}
	_, err = s.update(ctx, func(tx *change) error {
		for _, d := range rows {
			if err := s.team(t.Team).Deployments.Delete(tx, state.K(string(d.ID))); err != nil {
				return err
			}
		}
		return nil
	})
	return len(rows) == fewRows, err
}

// deleteLog deletes the log of a deployment that has ended. It waits for a batch that was
// admitted before the end, which would make the log anew.
func (s *Service) deleteLog(ctx context.Context, id hosting.DeploymentID) error {
	unlock := s.logs.lock(id)
	defer unlock()
	return s.cfg.Logs.Delete(ctx, id)
}

// removePointers removes some of a deleted project's pointers. Nobody sees them: its site is
// deleted already.
func (s *Service) removePointers(ctx context.Context, t state.Trash) (more bool, err error) {
	done, err := s.update(ctx, func(tx *change) error {
		rows, err := s.sys.Pointers.List(tx, state.K(string(t.Project), ""), "", fewRows)
		if err != nil || len(rows) == 0 {
			return err
		}
		more = len(rows) == fewRows
		var c hosting.Change
		for _, p := range rows {
			c.DeletedPointers = append(c.DeletedPointers, hosting.PointerKey{Project: p.Project, Name: p.Name})
		}
		return tx.route(c)
	})
	if err != nil {
		return false, err
	}
	s.announce(ctx, done)
	return more, nil
}

// discardLate has objects that came in while their project was deleted removed after it.
func (s *Service) discardLate(ctx context.Context, team hosting.TeamID, project hosting.ProjectID) {
	_, err := s.update(context.WithoutCancel(ctx), func(tx *change) error {
		_, ok, err := s.team(team).Projects.Find(tx, state.K(string(project)))
		if err != nil || ok {
			return err
		}
		return s.sys.Trash.Put(tx, &state.Trash{Project: project, Team: team, DeletedAt: s.now()})
	})
	if err != nil {
		s.log.Error("objects of a deleted project may stay behind", "project", project, "error", err)
	}
}
