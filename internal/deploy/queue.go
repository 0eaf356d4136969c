package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/state"
)

// admit starts the jobs that can start: first those that were admitted but whose start was
// cut short, then from the queue, in order, as many as may run at once.
func (s *Service) admit(ctx context.Context) error {
	cut, err := s.runsWhere(ctx, "active", func(r state.Run) bool { return r.State == state.RunActive && r.Ref == "" })
	if err != nil {
		return err
	}
	for _, run := range cut {
		if err := s.launch(ctx, run); err != nil {
			return err
		}
	}
	if err := s.endForbidden(ctx); err != nil {
		return err
	}
	for {
		run, ok, err := s.admitNext(ctx)
		if err != nil || !ok {
			return err
		}
		if err := s.launch(ctx, run); err != nil {
			return err
		}
	}
}

// admitNext begins an attempt of the first run in the queue that may start now; ok is false
// when there is none, or no room.
func (s *Service) admitNext(ctx context.Context) (run state.Run, ok bool, err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		run, ok, err = s.nextInQueue(tx)
		return err
	})
	if err != nil || !ok {
		return run, false, err
	}
	id := run.Deployment
	unlock := s.logs.lock(id) // so that no line comes between Next and the attempt's beginning
	defer unlock()
	before := run.Attempt
	first, err := s.cfg.Logs.Next(ctx, id)
	if before == 0 && hosting.Is(err, hosting.CodeUnavailable) {
		first, err = 1, nil // none but attempts, and their end, write lines
	}
	if err != nil {
		return run, false, fmt.Errorf("find the end of the log of %s: %w", id, err)
	}
	done, err := s.update(ctx, func(tx *change) error {
		next, found, err := s.nextInQueue(tx)
		if ok = found && next.Deployment == id && next.Attempt == before; err != nil || !ok {
			return err // canceled meanwhile: the bell rang, the loop comes again
		}
		run = next
		return s.beginAttempt(tx, &run, first)
	})
	if err != nil || !ok {
		return run, false, err
	}
	s.announce(ctx, done)
	return run, true, nil
}

// nextInQueue finds the run to admit, if there is room for one: the first whose time has come
// and whose team has not as many builds as it may.
func (s *Service) nextInQueue(tx state.Tx) (run state.Run, ok bool, err error) {
	if err := s.mayBuild(tx); err != nil {
		return run, false, errorUnless(hosting.CodeForbidden, err) // admit ends them when it comes again
	}
	active, building := 0, map[hosting.TeamID]int{}
	for r, err := range s.runs(tx, "active", "") {
		if err != nil {
			return run, false, err
		}
		if r.State == state.RunActive {
			active++
			building[r.Team]++
		}
	}
	if active >= s.cfg.MaxBuilds {
		return run, false, nil
	}
	now, mayStart := s.now(), s.mayStart(tx, building)
	for r, err := range s.runs(tx, "queue", "") {
		if err != nil {
			return run, false, err
		}
		if r.NotBefore.After(now) {
			continue
		}
		if ok, err := mayStart(r.Team); err != nil || ok {
			return r, ok, err
		}
	}
	return run, false, nil
}

// errorUnless returns err unless it carries the code.
func errorUnless(code hosting.Code, err error) error {
	if hosting.Is(err, code) {
		return nil
	}
	return err
}

func (s *Service) beginAttempt(tx *change, run *state.Run, logStart int64) error {
	d, err := s.team(run.Team).Deployments.Get(tx, state.K(string(run.Deployment)))
	if err != nil {
		return fmt.Errorf("find deployment %s: %w", run.Deployment, err)
	}
	now := s.now()
	if err := d.Advance(hosting.StatusInProgress, now); err != nil {
		return err
	}
	if waited := now.Sub(run.NotBefore); !run.RefusedSince.IsZero() && waited > 0 {
		run.RefusedSince = run.RefusedSince.Add(waited) // for others' builds, not for the runner
	}
	run.State, run.Attempt, run.LogStart = state.RunActive, d.Attempt, logStart
	run.Job, run.Ref, run.Overdue, run.NotBefore = fmt.Sprintf("%s-%d", d.ID, d.Attempt), "", false, time.Time{}
	run.Begun, run.Lease, run.Deadline = now, now.Add(firstLease), now.Add(s.cfg.Limits.BuildTime)
	if err := s.sys.Runs.Put(tx, run); err != nil {
		return fmt.Errorf("store run %s: %w", d.ID, err)
	}
	return tx.putDeployment(&d)
}

// launch starts the job of an attempt and keeps its Ref. It may be repeated for the same
// attempt: the runner starts one job at most.
func (s *Service) launch(ctx context.Context, run state.Run) error {
	startCtx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	spot, err := s.maySpot(ctx, run)
	if err != nil {
		return err
	}
	ref, err := s.cfg.Runner.Start(startCtx, runner.Spec{
		Name: run.Job, Deployment: run.Deployment, API: s.cfg.JobAPI, Token: s.token(run.Deployment, run.Attempt), Spot: spot,
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err() // shutting down says nothing about the job
		}
		if startCtx.Err() != nil {
			err = hosting.Errorf(hosting.CodeUnavailable, "what runs builds did not answer within %d seconds", int(startTime.Seconds()))
		}
		return s.startFailed(ctx, run, err)
	}
	crash.At("build.started")
	done, err := s.update(ctx, func(tx *change) error {
		now, ok, err := s.sys.Runs.Find(tx, state.K(string(run.Deployment)))
		if err != nil || !ok || now.Job != run.Job {
			return err
		}
		now.Ref = string(ref) // of an ended run too: it has to be stopped
		now.RefusedSince = time.Time{}
		if now.State == state.RunEnded {
			if _, err := tx.wakeQueue(); err != nil {
				return err
			}
		}
		return s.sys.Runs.Put(tx, &now)
	})
	if err != nil {
		return fmt.Errorf("keep the job of %s: %w", run.Deployment, err)
	}
	s.announce(ctx, done)
	return nil
}

// maySpot says whether an attempt may be cut short by whoever owns the machine: the first one of
// a preview. Another that is cut short would only come later.
func (s *Service) maySpot(ctx context.Context, run state.Run) (may bool, err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		d, ok, err := s.team(run.Team).Deployments.Find(tx, state.K(string(run.Deployment)))
		may = ok && d.Target == hosting.TargetPreview && run.Attempt == 1
		return err
	})
	return may, err
}

// startFailed has an attempt that could not start tried again later, if trying may help: such
// attempts are not among those that a deployment has, but for as long as its start is awaited.
func (s *Service) startFailed(ctx context.Context, run state.Run, cause error) error {
	s.log.Error("a job could not be started", "deployment", run.Deployment, "attempt", run.Attempt, "error", cause)
	again := hosting.Is(cause, hosting.CodeUnavailable)
	reason := "The build's job could not be started."
	// Of what the runner says only this is for people: what wraps it names the machine's paths.
	if shown, ok := errors.AsType[*hosting.Error](cause); ok {
		reason = fmt.Sprintf("The build's job could not be started: %v.", shown)
	}
	return s.giveUp(ctx, run, verdict{code: hosting.FailInternal, reason: reason, again: again, unstarted: true})
}
