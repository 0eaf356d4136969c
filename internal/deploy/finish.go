package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/state"
)

// Finish ends the attempt: with an inventory it publishes the site, with a failure it leaves
// the site as it was. CodeIncomplete, CodeUnavailable and CodeStorageFull mean that nothing
// changed and that the attempt may finish again. Repeated after it succeeded, it answers
// what it answered.
func (a *Attempt) Finish(ctx context.Context, f hosting.Finish) (hosting.Deployment, error) {
	switch {
	case a.run.State == state.RunEnded:
		return a.ended(ctx)
	case (f.Inventory == nil) == (f.Failure == nil):
		return hosting.Deployment{}, hosting.Errorf(hosting.CodeInvalid, "finish with either an inventory or a failure")
	}
	if err := a.archiveLog(ctx, f.LogNext); err != nil {
		return hosting.Deployment{}, err
	}
	if f.Failure != nil {
		return a.fail(ctx, *f.Failure)
	}
	return a.publish(ctx, *f.Inventory)
}

// ended answers a Finish that was there before: its first answer may have been lost.
func (a *Attempt) ended(ctx context.Context) (hosting.Deployment, error) {
	a.s.awaitHead(ctx)
	d, err := a.s.FindDeployment(ctx, hosting.Caller{Team: hosting.Team{ID: a.run.Team}}, a.run.Deployment)
	if hosting.Is(err, hosting.CodeNotFound) {
		return d, errGone() // its project was deleted
	}
	return d, err
}

func (a *Attempt) publish(ctx context.Context, inv hosting.Inventory) (hosting.Deployment, error) {
	if err := a.begin(ctx); err != nil {
		return a.goneOrEnded(ctx, err)
	}
	inv.Fallback = cmp.Or(inv.Fallback, a.run.Fallback)
	limits, err := a.limits(ctx)
	if err != nil {
		return hosting.Deployment{}, err
	}
	c, err := readInventory(inv, limits)
	if err != nil {
		return hosting.Deployment{}, err
	}
	added, err := a.checkStored(ctx, c.refs)
	if err != nil {
		return hosting.Deployment{}, err
	}
	crash.At("finish.checked")
	digest, err := a.s.cfg.Blobs.PutManifest(ctx, a.run.Project, c.manifest)
	if err != nil {
		return hosting.Deployment{}, fmt.Errorf("store the manifest: %w", err)
	}
	crash.At("finish.manifest")
	if err := object.Flush(ctx, a.s.cfg.Objects); err != nil {
		return hosting.Deployment{}, fmt.Errorf("flush the site's objects: %w", err)
	}
	crash.At("finish.flushed")
	ready := func(counted bool) (hosting.Deployment, error) {
		return a.conclude(ctx, func(tx *change, d *hosting.Deployment) (string, error) {
			if err := a.s.charge(tx, d, added, counted); err != nil || d.Code != "" {
				return d.Reason, err
			}
			d.Manifest, d.Files, d.Bytes, d.Framework = digest, c.files, c.bytes, c.framework
			return a.s.becomeReady(tx, d)
		})
	}
	d, err := ready(false)
	if !errors.Is(err, errUncounted) {
		return d, err
	}
	if added, err = a.s.countTeam(ctx, a.run, c.refs, added); err != nil {
		return hosting.Deployment{}, fmt.Errorf("count what the team stores: %w", err)
	}
	return ready(true)
}

func (a *Attempt) limits(ctx context.Context) (l hosting.Limits, err error) {
	err = a.s.cfg.DB.View(ctx, func(tx state.Tx) error {
		l, err = a.s.limits(tx, a.run.Team)
		return err
	})
	return l, err
}

// becomeReady is the part of a finish that the site's visitors see.
func (s *Service) becomeReady(tx *change, d *hosting.Deployment) (note string, err error) {
	p, err := s.team(d.Team).Projects.Get(tx, state.K(string(d.Project)))
	if err != nil {
		return "", fmt.Errorf("find project %s: %w", d.Project, err)
	}
	return s.activate(tx, p, d)
}

func (a *Attempt) fail(ctx context.Context, f hosting.Failure) (hosting.Deployment, error) {
	if !failCodes[f.Code] {
		return hosting.Deployment{}, hosting.Errorf(hosting.CodeInvalid, "%q is no reason to fail", printableText(f.Code, 40))
	}
	return a.conclude(ctx, func(_ *change, d *hosting.Deployment) (string, error) {
		d.Code, d.Reason = f.Code, printableText(f.Reason, maxReason)
		return "", nil
	})
}

var failCodes = map[string]bool{
	hosting.FailRepositoryNotFound: true, hosting.FailRefNotFound: true, hosting.FailSourceRefused: true,
	hosting.FailSourceInvalid: true, hosting.FailToolMissing: true, hosting.FailNoPlan: true,
	hosting.FailInstall: true, hosting.FailBuild: true, hosting.FailOutputMissing: true,
	hosting.FailOutputEmpty: true, hosting.FailOutputInvalid: true, hosting.FailTooLarge: true,
	hosting.FailTimeout: true, hosting.FailUpload: true, hosting.FailLost: true,
	hosting.FailStorageFull: true, hosting.FailInternal: true,
}

// conclude ends the attempt in one transaction. outcome fills in the deployment, whose state
// follows from whether it has a Code, and says what its log should end with.
func (a *Attempt) conclude(ctx context.Context, outcome func(*change, *hosting.Deployment) (string, error)) (hosting.Deployment, error) {
	err := a.s.conclude(ctx, a.run.Deployment, func(tx *change) (note string, err error) {
		run, d, err := a.live(tx)
		if err != nil {
			return "", err
		}
		if d.Status == hosting.StatusNotStarted { // an uploader that failed before it began
			if err := d.Advance(hosting.StatusInProgress, a.s.now()); err != nil {
				return "", err
			}
		}
		if note, err = outcome(tx, &d); err != nil {
			return "", err
		}
		to := hosting.StatusReady
		if d.Code != "" {
			to = hosting.StatusFail
		}
		run.Finished = true
		return note, tx.endRun(&run, &d, to)
	})
	if err != nil {
		return a.goneOrEnded(ctx, err)
	}
	return a.s.FindDeployment(ctx, hosting.Caller{Team: hosting.Team{ID: a.run.Team}}, a.run.Deployment)
}

// goneOrEnded tells a Finish that came twice at once from one of an attempt that is over.
func (a *Attempt) goneOrEnded(ctx context.Context, err error) (hosting.Deployment, error) {
	if !hosting.Is(err, hosting.CodeGone) {
		return hosting.Deployment{}, fmt.Errorf("finish: %w", err)
	}
	again, err := a.s.Attempt(ctx, a.run.Deployment, a.s.token(a.run.Deployment, a.run.Attempt))
	if err == nil && again.run.State == state.RunEnded {
		return again.ended(ctx)
	}
	a.s.discardLate(ctx, a.run.Team, a.run.Project)
	return hosting.Deployment{}, errGone()
}
