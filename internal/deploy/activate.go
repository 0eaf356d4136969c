package deploy

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// activate points the names of a deployment that became READY at it: its own always,
// production's or its branch's when nothing newer has them and nobody pinned them. It says
// in note what a person may not expect.
func (s *Service) activate(tx *change, p hosting.Project, d *hosting.Deployment) (note string, err error) {
	moved := []hosting.Pointer{pointerTo(d, hosting.DeploymentPointer(d.Label))}
	if name := automatic(d); name != "" {
		old, _, err := s.sys.Pointers.Find(tx, state.K(string(p.ID), name))
		if err != nil {
			return "", fmt.Errorf("find pointer %s: %w", name, err)
		}
		switch {
		case old.Pinned:
			d.Pinned = true
			note = "Production was rolled back, so this deployment is not live: promote it to go on."
		case d.Order <= old.Order:
			note = "A newer deployment was ready first, so this one is reached at its own address only."
		default:
			to := pointerTo(d, name)
			if to.Trail, err = tx.trail(old, to.Manifest); err != nil {
				return "", err
			}
			moved = append(moved, to)
		}
	}
	tx.published = true
	return note, tx.route(hosting.Change{Pointers: moved})
}

// automatic is the pointer that a READY deployment moves by itself, "" if there is none.
func automatic(d *hosting.Deployment) string {
	switch {
	case d.Target == hosting.TargetProduction:
		return hosting.PointerProduction
	case d.Source.Kind == hosting.SourceGit && d.Source.Ref != "" && !hosting.IsCommit(d.Source.Ref):
		return hosting.BranchPointer(d.Source.Ref)
	}
	return ""
}

func pointerTo(d *hosting.Deployment, name string) hosting.Pointer {
	return hosting.Pointer{Project: d.Project, Name: name, Deployment: d.ID, Manifest: d.Manifest, Order: d.Order}
}

// Promote makes a READY deployment what the site shows. If it is not the newest that was
// meant for production, that is a roll back: later deployments do not go live by themselves
// until the newest is promoted. It may be repeated, and answers once the table shows it.
func (s *Service) Promote(ctx context.Context, c hosting.Caller, id hosting.DeploymentID) (hosting.Deployment, error) {
	done, err := s.update(ctx, func(tx *change) error {
		d, p, err := s.deployment(tx, c, id)
		switch {
		case err != nil:
			return err
		case p.Suspended:
			return errSuspended()
		case d.Status != hosting.StatusReady:
			return hosting.Errorf(hosting.CodeConflict, "the deployment is %s", d.Status).WithHint("only a READY one can be promoted")
		}
		return s.promote(tx, c, p, &d)
	})
	if err != nil {
		return hosting.Deployment{}, fmt.Errorf("promote: %w", err)
	}
	s.announce(ctx, done)
	s.awaitHead(ctx) // a repeated call changes nothing, but promises the same
	return s.FindDeployment(ctx, c, id)
}

func (s *Service) promote(tx *change, c hosting.Caller, p hosting.Project, d *hosting.Deployment) error {
	newest, err := s.isNewest(tx, p, d)
	if err != nil {
		return err
	}
	to := pointerTo(d, hosting.PointerProduction)
	to.Pinned = !newest
	old, _, err := s.sys.Pointers.Find(tx, state.K(string(p.ID), to.Name))
	if err != nil {
		return fmt.Errorf("find pointer %s: %w", to.Name, err)
	}
	if to.Trail, err = tx.trail(old, to.Manifest); err != nil {
		return err
	}
	if old != to {
		tx.published = true
		if err := tx.route(hosting.Change{Pointers: []hosting.Pointer{to}}); err != nil {
			return err
		}
		if err := tx.auditDeployment(c, p, "deployment.promote", d); err != nil {
			return err
		}
	}
	if !d.Pinned {
		return nil
	}
	d.Pinned = false
	d.Revision++
	return tx.putDeployment(d)
}

// isNewest reports whether d is the newest READY deployment that was meant for production.
func (s *Service) isNewest(tx state.Tx, p hosting.Project, d *hosting.Deployment) (bool, error) {
	after := state.Key("")
	for {
		rows, next, err := s.team(p.Team).Deployments.ListBy(tx, "project", state.K(string(p.ID), ""), after, fewRows)
		if err != nil {
			return false, fmt.Errorf("list deployments: %w", err)
		}
		for i := range rows {
			if rows[i].Status == hosting.StatusReady && rows[i].Target == hosting.TargetProduction {
				return rows[i].ID == d.ID, nil
			}
		}
		if len(rows) < fewRows {
			return false, nil
		}
		after = next
	}
}
