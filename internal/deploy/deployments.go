package deploy

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// Deploy records a new deployment of a project, which is made when only a Git URL is given
// and the team has none for it. Kind git is queued at once; the others await their upload,
// for which the answer holds a token. When Deploy returns, the deployment is durable.
func (s *Service) Deploy(ctx context.Context, c hosting.Caller, n hosting.NewDeployment) (hosting.Deployment, *hosting.Upload, error) {
	n, err := checkRequest(n)
	if err != nil {
		return hosting.Deployment{}, nil, err
	}
	var d hosting.Deployment
	done, err := s.update(ctx, func(tx *change) error {
		p, err := s.projectFor(tx, c, n)
		if err != nil {
			return err
		}
		d = hosting.Deployment{Target: n.Target}
		if d.Source, err = s.sourceFor(tx, p, n); err != nil {
			return err
		}
		if err := s.newDeployment(tx, c, &p, &d); err != nil {
			return err
		}
		if err := s.enqueue(tx, &d, n.Fallback); err != nil {
			return err
		}
		return tx.auditDeployment(c, p, "deployment.create", &d)
	})
	if err != nil {
		return hosting.Deployment{}, nil, fmt.Errorf("deploy: %w", err)
	}
	s.announce(ctx, done)
	d, err = s.FindDeployment(ctx, c, d.ID)
	if err != nil || n.Source == hosting.SourceGit {
		return d, nil, err
	}
	return d, &hosting.Upload{Token: s.token(d.ID, uploadAttempt)}, nil
}

// FindDeployment returns one of the team's deployments.
func (s *Service) FindDeployment(ctx context.Context, c hosting.Caller, id hosting.DeploymentID) (hosting.Deployment, error) {
	var d hosting.Deployment
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		stored, p, err := s.deployment(tx, c, id)
		if err != nil {
			return err
		}
		d, err = s.showDeployment(tx, p, stored)
		return err
	})
	// Whoever is told READY must see it, also when it is told by another than the one who
	// finished it: the commit comes before the table has it.
	if err == nil && d.Status == hosting.StatusReady && s.now().Sub(d.FinishedAt) < 2*routesWait {
		s.awaitHead(ctx)
	}
	return d, err
}

// ListDeployments lists a project's deployments, newest first.
func (s *Service) ListDeployments(ctx context.Context, c hosting.Caller, project string, page state.Page) (list state.List[hosting.Deployment], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		p, err := s.project(tx, c, project)
		if err != nil {
			return err
		}
		rows, err := s.team(c.Team.ID).Deployments.Page(tx, "project", state.K(string(p.ID), ""), page)
		if err != nil {
			return err
		}
		list, err = state.MapPage(rows, func(d hosting.Deployment) (hosting.Deployment, error) { return s.showDeployment(tx, p, d) })
		return err
	})
	return list, err
}

// Cancel ends a deployment that has not ended; its job is stopped in the background. A
// deployment that has ended is CodeConflict.
func (s *Service) Cancel(ctx context.Context, c hosting.Caller, id hosting.DeploymentID) (hosting.Deployment, error) {
	err := s.conclude(ctx, id, func(tx *change) (string, error) {
		d, p, err := s.deployment(tx, c, id)
		if err != nil {
			return "", err
		}
		if d.Status.Terminal() {
			return "", hosting.Errorf(hosting.CodeConflict, "the deployment is %s and cannot be canceled", d.Status)
		}
		run, err := s.sys.Runs.Get(tx, state.K(string(id)))
		if err != nil {
			return "", err
		}
		d.Reason = "canceled by " + c.Name
		if err := tx.endRun(&run, &d, hosting.StatusCanceled); err != nil {
			return "", err
		}
		return "Canceled by " + c.Name + ".", tx.auditDeployment(c, p, "deployment.cancel", &d)
	})
	if err != nil {
		return hosting.Deployment{}, fmt.Errorf("cancel deployment: %w", err)
	}
	return s.FindDeployment(ctx, c, id)
}

// Redeploy makes a new deployment from what an earlier one was made from, with the project's
// settings of now: the same commit, the same archive, or the same files, which need no build
// and are READY at once.
func (s *Service) Redeploy(ctx context.Context, c hosting.Caller, id hosting.DeploymentID) (hosting.Deployment, error) {
	var d hosting.Deployment
	done, err := s.update(ctx, func(tx *change) error {
		old, p, err := s.deployment(tx, c, id)
		if err != nil {
			return err
		}
		d = hosting.Deployment{Target: old.Target, Source: old.Source}
		switch {
		case old.Source.Kind == hosting.SourceFiles && old.Status != hosting.StatusReady:
			return hosting.Errorf(hosting.CodeConflict, "the deployment's files were never published").WithHint("upload them anew")
		case old.Source.Kind == hosting.SourceArchive && old.Source.Digest.IsZero():
			return hosting.Errorf(hosting.CodeConflict, "the deployment's archive was never uploaded").WithHint("upload it anew")
		}
		if err := s.newDeployment(tx, c, &p, &d); err != nil {
			return err
		}
		if d.Source.Kind == hosting.SourceFiles {
			err = s.republish(tx, p, &old, &d)
		} else {
			err = s.enqueue(tx, &d, "")
		}
		if err != nil {
			return err
		}
		return tx.auditDeployment(c, p, "deployment.redeploy", &d)
	})
	if err != nil {
		return hosting.Deployment{}, fmt.Errorf("redeploy: %w", err)
	}
	s.announce(ctx, done)
	return s.FindDeployment(ctx, c, d.ID)
}

// republish makes d READY with the manifest of old.
func (s *Service) republish(tx *change, p hosting.Project, old, d *hosting.Deployment) error {
	d.Manifest, d.Files, d.Bytes, d.Framework = old.Manifest, old.Files, old.Bytes, old.Framework
	for _, to := range []hosting.Status{hosting.StatusNotStarted, hosting.StatusInProgress, hosting.StatusReady} {
		if err := d.Advance(to, s.now()); err != nil {
			return err
		}
	}
	if _, err := s.activate(tx, p, d); err != nil {
		return err
	}
	return tx.putDeployment(d)
}

// newDeployment fills what every new deployment has: names, times, its order.
func (s *Service) newDeployment(tx *change, c hosting.Caller, p *hosting.Project, d *hosting.Deployment) error {
	if p.Suspended {
		return errSuspended()
	}
	p.LastOrder++
	d.ID, d.Label, d.Order = hosting.NewDeploymentID(), hosting.NewDeploymentLabel(), p.LastOrder
	d.Project, d.Team, d.Settings = p.ID, p.Team, p.BuildSettings
	d.CreatedBy, d.CreatedAt = c.Name, s.now()
	return s.team(p.Team).Projects.Put(tx, p)
}

// enqueue stores d and its run: in the queue, or awaiting its upload.
func (s *Service) enqueue(tx *change, d *hosting.Deployment, fallback hosting.Fallback) error {
	if d.Source.Kind != hosting.SourceFiles { // those need no job
		if err := s.mayBuild(tx); err != nil {
			return err
		}
	}
	if err := s.checkRoom(tx, d.Project); err != nil {
		return err
	}
	number, err := tx.wakeQueue()
	if err != nil {
		return err
	}
	run := state.Run{Deployment: d.ID, Team: d.Team, Project: d.Project, Number: number, Fallback: fallback, State: state.RunQueued}
	to := hosting.StatusQueued
	if d.Source.Kind != hosting.SourceGit && d.Source.Origin == "" {
		run.State, to = state.RunUpload, hosting.StatusNotStarted
		run.Attempt, run.LogStart, run.Deadline = uploadAttempt, 1, s.now().Add(uploadTime)
	}
	if err := d.Advance(to, s.now()); err != nil {
		return err
	}
	if err := s.sys.Runs.Insert(tx, &run); err != nil {
		return err
	}
	return tx.putDeployment(d)
}

// checkRoom bounds how many deployments of one project can wait.
func (s *Service) checkRoom(tx state.Tx, project hosting.ProjectID) error {
	waiting := 0
	for r, err := range s.runs(tx, "project", state.K(string(project), "")) {
		if err != nil {
			return err
		}
		if r.State != state.RunActive {
			waiting++
		}
	}
	if waiting < maxWaiting {
		return nil
	}
	return hosting.Errorf(hosting.CodeConflict, "%d deployments of the project wait already", waiting).
		WithHint("wait for them, or cancel some")
}

// deployment finds one of the caller's team's deployments, and its project. Those of a deleted
// project are not found, although some are still stored; nor are those that the caller's token
// is not for.
func (s *Service) deployment(tx state.Tx, c hosting.Caller, id hosting.DeploymentID) (hosting.Deployment, hosting.Project, error) {
	missing := hosting.Errorf(hosting.CodeNotFound, "there is no such deployment")
	if !hosting.ValidID(string(id)) {
		return hosting.Deployment{}, hosting.Project{}, missing
	}
	d, ok, err := s.team(c.Team.ID).Deployments.Find(tx, state.K(string(id)))
	if err != nil || !ok || !c.Sees(d.Project) {
		return d, hosting.Project{}, firstError(err, missing)
	}
	p, ok, err := s.team(c.Team.ID).Projects.Find(tx, state.K(string(d.Project)))
	if err != nil || !ok {
		return d, p, firstError(err, missing)
	}
	return d, p, nil
}

func firstError(err error, other *hosting.Error) error {
	if err != nil {
		return err
	}
	return other
}

// showDeployment computes what is not stored.
func (s *Service) showDeployment(tx state.Tx, p hosting.Project, d hosting.Deployment) (hosting.Deployment, error) {
	live, ok, err := s.sys.Pointers.Find(tx, state.K(string(p.ID), hosting.PointerProduction))
	if err != nil {
		return d, err
	}
	d.Production = ok && live.Deployment == d.ID
	d.Pinned = d.Pinned && live.Pinned && !d.Production // true only while promoting would help
	d.SiteURL = s.cfg.URL("", p.Slug)
	if d.Status == hosting.StatusReady {
		d.URL = s.cfg.URL(d.Label, p.Slug)
	}
	return d, nil
}
