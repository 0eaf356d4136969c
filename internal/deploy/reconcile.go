package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/state"
)

// verdict is why control itself ends an attempt.
type verdict struct {
	code   string
	reason string
	again  bool // another attempt may succeed
	// unstarted says that there was no job.
	unstarted bool
}

// reconcile ends attempts and uploads whose time is over, finds out about jobs whose
// heartbeats stay away, and forgets runs that ended long ago.
func (s *Service) reconcile(ctx context.Context) error {
	now := s.now()
	open, err := s.runsWhere(ctx, "active", func(r state.Run) bool { return true })
	if err != nil {
		return err
	}
	var errs []error // one run that cannot be ended must not keep the others
	var silent []state.Run
	for _, run := range open {
		switch {
		case !run.Deadline.IsZero() && run.Deadline.Before(now):
			errs = append(errs, s.giveUp(ctx, run, s.outOfTime(run)))
		case run.State == state.RunActive && run.Ref != "" && run.Lease.Before(now.Add(leaseTime/2)):
			silent = append(silent, run)
		}
	}
	return errors.Join(append(errs, s.lookAfter(ctx, silent), s.forgetEnded(ctx))...)
}

func (s *Service) outOfTime(run state.Run) verdict {
	if run.State == state.RunUpload {
		return verdict{code: hosting.FailUpload, reason: fmt.Sprintf("The upload was not finished within %s.", uploadTime)}
	}
	return verdict{code: hosting.FailTimeout, reason: fmt.Sprintf("The build took longer than %s.", s.cfg.Limits.BuildTime)}
}

// lookAfter asks the runner how jobs fare that were not heard of for half a lease. The attempt
// of one that has ended is lost, so that nobody waits for the rest of it; one that runs gets
// its whole lease, and another one once; one that still starts gets as many as it needs.
func (s *Service) lookAfter(ctx context.Context, silent []state.Run) error {
	if len(silent) == 0 {
		return nil
	}
	refs := make([]runner.Ref, len(silent))
	for i, run := range silent {
		refs[i] = runner.Ref(run.Ref)
	}
	states, err := s.cfg.Runner.Inspect(ctx, refs)
	if err != nil {
		return fmt.Errorf("inspect jobs: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(parallelStops)
	for i, run := range silent {
		switch st := states[i]; {
		case st.Phase == runner.Running && !run.Lease.Before(s.now()):
		case st.Phase == runner.Running && !run.Overdue:
			g.Go(func() error { return s.extend(ctx, run, true) })
		case st.Phase == runner.Starting && s.now().Before(run.Begun.Add(startPatience)):
			g.Go(func() error { return s.extend(ctx, run, false) })
		default:
			g.Go(func() error { return s.lost(ctx, run, st) })
		}
	}
	return g.Wait()
}

// extend gives an attempt another lease. The last one is for a job that runs; one that still
// starts gets as much more time to build.
func (s *Service) extend(ctx context.Context, run state.Run, last bool) error {
	_, err := s.update(ctx, func(tx *change) error {
		now, ok, err := s.sys.Runs.Find(tx, state.K(string(run.Deployment)))
		if err != nil || !ok || !sameAttempt(now, run) || !now.Lease.Equal(run.Lease) {
			return err
		}
		now.Overdue, now.Lease = last, s.now().Add(leaseTime)
		if !last {
			now.Deadline = s.now().Add(s.cfg.Limits.BuildTime)
		}
		return s.sys.Runs.Put(tx, &now)
	})
	return err
}

// lost stops what may be left of a job and gives its attempt up. The job is stopped first:
// until then its Ref must not be overwritten by a next attempt's.
func (s *Service) lost(ctx context.Context, run state.Run, st runner.State) error {
	if back, err := s.cameBack(ctx, run); err != nil || back {
		return err
	}
	if err := s.cfg.Runner.Stop(ctx, runner.Ref(run.Ref)); err != nil {
		return fmt.Errorf("stop job %s: %w", run.Job, err)
	}
	reason := "The build's job ended without a result"
	switch {
	case st.Phase == runner.Running:
		reason = "The build's job stopped answering"
	case st.Phase == runner.Starting:
		reason = fmt.Sprintf("The build's job did not start within %d minutes", int(startPatience.Minutes()))
		if st.Reason != "" {
			reason += ": " + st.Reason
		}
	case st.Reason != "":
		reason += ": " + st.Reason
	}
	return s.giveUp(ctx, run, verdict{code: hosting.FailLost, reason: reason + ".", again: true})
}

// cameBack reports whether an attempt was heard of since its lease was found to be over.
func (s *Service) cameBack(ctx context.Context, run state.Run) (back bool, err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		now, ok, err := s.sys.Runs.Find(tx, state.K(string(run.Deployment)))
		back = !ok || !sameAttempt(now, run) || now.Lease.After(run.Lease)
		return err
	})
	return back, err
}

// giveUp ends an attempt from outside: the deployment goes back to its place in the queue if
// another attempt may help, else it fails. An attempt that has ended otherwise by now is left
// alone.
func (s *Service) giveUp(ctx context.Context, run state.Run, v verdict) error {
	err := s.conclude(ctx, run.Deployment, func(tx *change) (string, error) {
		now, ok, err := s.sys.Runs.Find(tx, state.K(string(run.Deployment)))
		if err != nil || !ok || !sameAttempt(now, run) {
			return "", err
		}
		d, err := s.team(run.Team).Deployments.Get(tx, state.K(string(run.Deployment)))
		if err != nil {
			return "", err
		}
		if after, again := s.mayRetry(&now, &d, v); again {
			return v.reason + " It is tried again.", s.requeue(tx, &now, &d, after)
		}
		d.Code, d.Reason = v.code, printableText(v.reason, maxReason)
		return v.reason, tx.endRun(&now, &d, hosting.StatusFail)
	})
	if err != nil {
		return fmt.Errorf("give up attempt %d of %s: %w", run.Attempt, run.Deployment, err)
	}
	return nil
}

func sameAttempt(a, b state.Run) bool { return a.State == b.State && a.Attempt == b.Attempt }

// mayRetry says whether another attempt is made, and after which pause, which grows.
func (s *Service) mayRetry(run *state.Run, d *hosting.Deployment, v verdict) (after time.Duration, again bool) {
	if !v.unstarted {
		jobs := d.Attempt - run.Unstarted
		return firstBackoff << max(jobs-1, 0), v.again && jobs < maxAttempts
	}
	run.Unstarted++
	if run.RefusedSince.IsZero() {
		run.RefusedSince = s.now()
	}
	refused := s.now().Sub(run.RefusedSince)
	return min(max(refused, firstBackoff), maxBackoff), v.again && refused < startPatience
}

// requeue puts a run back to its place, to be tried again after a pause.
func (s *Service) requeue(tx *change, run *state.Run, d *hosting.Deployment, after time.Duration) error {
	if err := d.Advance(hosting.StatusQueued, s.now()); err != nil {
		return err
	}
	run.State, run.Job, run.Ref = state.RunQueued, "", ""
	run.NotBefore = s.now().Add(after)
	run.Lease, run.Deadline = time.Time{}, time.Time{}
	if err := s.sys.Runs.Put(tx, run); err != nil {
		return err
	}
	if _, err := tx.wakeQueue(); err != nil {
		return err
	}
	return tx.putDeployment(d)
}

// stopEnded stops the jobs of deployments that have ended, whoever ended them: a job that
// finished by itself leaves its folder behind.
func (s *Service) stopEnded(ctx context.Context) error {
	ended, err := s.runsWhere(ctx, "stopping", func(state.Run) bool { return true })
	if err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(parallelStops)
	for _, run := range ended {
		g.Go(func() error {
			if err := s.cfg.Runner.Stop(ctx, runner.Ref(run.Ref)); err != nil {
				return fmt.Errorf("stop job %s: %w", run.Job, err)
			}
			_, err := s.update(ctx, func(tx *change) error {
				now, ok, err := s.sys.Runs.Find(tx, state.K(string(run.Deployment)))
				if err != nil || !ok || now.Ref != run.Ref {
					return err
				}
				now.Ref = ""
				return s.sys.Runs.Put(tx, &now)
			})
			return err
		})
	}
	return g.Wait()
}

// forgetEnded deletes runs that ended an hour ago and whose jobs are stopped.
func (s *Service) forgetEnded(ctx context.Context) error {
	before := s.now().Add(-endedKept)
	old, err := s.runsWhere(ctx, "ended", func(r state.Run) bool { return r.EndedAt.Before(before) && r.Ref == "" })
	if err != nil || len(old) == 0 {
		return err
	}
	if store, ok := s.cfg.Logs.(logs.Archiver); ok {
		for _, run := range old {
			if _, err := store.Archive(ctx, run.Deployment); err != nil {
				return fmt.Errorf("archive the log of %s: %w", run.Deployment, err)
			}
		}
	}
	_, err = s.update(ctx, func(tx *change) error {
		for _, run := range old {
			if err := s.sys.Runs.Delete(tx, state.K(string(run.Deployment))); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// renewLeases gives all jobs time to find this process again after a restart.
func (s *Service) renewLeases(ctx context.Context) error {
	_, err := s.update(ctx, func(tx *change) error {
		var active []state.Run
		for r, err := range s.runs(tx, "active", "") {
			if err != nil {
				return err
			}
			if r.State == state.RunActive {
				active = append(active, r)
			}
		}
		for i := range active {
			active[i].Overdue, active[i].Lease = false, s.now().Add(leaseTime)
			if err := s.sys.Runs.Put(tx, &active[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// sweep stops jobs that no attempt owns: those whose end was recorded, but whose start was
// not. The runner is asked first; an attempt is recorded before its job starts, so a job
// that is listed and not found among the attempts has none.
func (s *Service) sweep(ctx context.Context) {
	lister, ok := s.cfg.Runner.(runner.Lister)
	if !ok {
		return
	}
	jobs, err := lister.List(ctx)
	if err != nil {
		s.log.Error("jobs could not be listed", "error", err)
		return
	}
	active, err := s.runsWhere(ctx, "active", func(r state.Run) bool { return r.Job != "" })
	if err != nil {
		s.log.Error("attempts could not be listed", "error", err)
		return
	}
	var g errgroup.Group
	g.SetLimit(parallelStops)
	for _, j := range jobs {
		if slices.ContainsFunc(active, func(r state.Run) bool { return r.Job == j.Name }) {
			continue
		}
		g.Go(func() error {
			if err := s.cfg.Runner.Stop(ctx, j.Ref); err != nil && ctx.Err() == nil {
				s.log.Error("a job without an attempt could not be stopped", "job", j.Name, "error", err)
			}
			return nil
		})
	}
	_ = g.Wait() // its functions log their errors
}
