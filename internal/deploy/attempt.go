package deploy

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// Attempt is one job's (or uploader's) access to its deployment. All of its methods answer
// CodeGone once the attempt is over, but for Finish, which the attempt may repeat. They may
// be called concurrently.
type Attempt struct {
	s   *Service
	run state.Run // as it was when the token was checked
}

// Attempt checks a job's token. CodeGone means that the token was good for an attempt that
// is over: the job has to stop.
func (s *Service) Attempt(ctx context.Context, id hosting.DeploymentID, token string) (*Attempt, error) {
	if !hosting.ValidID(string(id)) {
		return nil, errUnknownToken()
	}
	var run state.Run
	var ok bool
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		run, ok, err = s.sys.Runs.Find(tx, state.K(string(id)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find run %s: %w", id, err)
	}
	current := ok && seal.Equal(token, s.token(id, run.Attempt))
	if current && (isLive(run) || run.Finished) {
		return &Attempt{s: s, run: run}, nil
	}
	for n := range mostTokens {
		if seal.Equal(token, s.token(id, n)) {
			return nil, errGone()
		}
	}
	return nil, errUnknownToken()
}

func (s *Service) token(id hosting.DeploymentID, attempt int) string {
	return s.cfg.Key.Token("job", string(id), strconv.Itoa(attempt))
}

func errUnknownToken() error {
	return hosting.Errorf(hosting.CodeUnauthenticated, "the token is not one of this deployment")
}

func errGone() error { return hosting.Errorf(hosting.CodeGone, "the attempt is over") }

func isLive(r state.Run) bool { return r.State == state.RunActive || r.State == state.RunUpload }

// live reads the run and its deployment, if the attempt still is the current one. What it
// finds in an Update holds until that commits: this is the fence.
func (a *Attempt) live(tx state.Tx) (state.Run, hosting.Deployment, error) {
	run, ok, err := a.s.sys.Runs.Find(tx, state.K(string(a.run.Deployment)))
	if err != nil {
		return run, hosting.Deployment{}, fmt.Errorf("find run %s: %w", a.run.Deployment, err)
	}
	if !ok || run.Attempt != a.run.Attempt || !isLive(run) {
		return run, hosting.Deployment{}, errGone()
	}
	d, err := a.s.team(run.Team).Deployments.Get(tx, state.K(string(run.Deployment)))
	if err != nil {
		return run, d, fmt.Errorf("find deployment %s: %w", run.Deployment, err)
	}
	if run.State == state.RunUpload && d.Source.Kind != hosting.SourceFiles {
		return run, d, hosting.Errorf(hosting.CodeConflict, "the deployment awaits its archive, not files")
	}
	return run, d, nil
}

// check is live in a transaction of its own.
func (a *Attempt) check(ctx context.Context) (run state.Run, err error) {
	err = a.s.cfg.DB.View(ctx, func(tx state.Tx) error {
		run, _, err = a.live(tx)
		return err
	})
	return run, err
}

// Job tells what the attempt has to do. Where the commit is known, from the deployment that
// is repeated or from an attempt that was lost, it is the ref: a branch has moved on since.
// A build gets the variables of its deployment's target; a value that does not open ends it,
// with a CodeConflict that names the variable. Uploaders get none.
func (a *Attempt) Job(ctx context.Context) (hosting.Job, error) {
	var j hosting.Job
	var sealed error
	err := a.s.cfg.DB.View(ctx, func(tx state.Tx) error {
		run, d, err := a.live(tx)
		if err != nil {
			return err
		}
		j = hosting.Job{
			Deployment: d.ID, Project: d.Project, Attempt: run.Attempt, Source: d.Source, Settings: d.Settings,
			LogNext: run.LogStart, Deadline: run.Deadline,
		}
		j.Source.Ref = cmp.Or(d.Source.Commit, d.Source.Ref)
		if run.State == state.RunActive {
			j.Variables, sealed = a.s.jobVariables(tx, &d)
		}
		if j.Policy, err = a.s.sourcePolicy(tx); err != nil {
			return err
		}
		j.Limits, err = a.s.limits(tx, run.Team)
		return err
	})
	if err != nil {
		return hosting.Job{}, err
	}
	if sealed != nil {
		return hosting.Job{}, a.unopened(ctx, sealed)
	}
	return j, nil
}

// unopened ends an attempt whose variables cannot be read, so that its people are told why
// rather than that a job was lost, and answers the cause.
func (a *Attempt) unopened(ctx context.Context, cause error) error {
	if !hosting.Is(cause, hosting.CodeConflict) {
		return fmt.Errorf("read variables: %w", cause)
	}
	_, err := a.conclude(ctx, func(_ *change, d *hosting.Deployment) (string, error) {
		d.Code, d.Reason = hosting.FailInternal, sentence(cause)
		return d.Reason, nil
	})
	if err != nil && !hosting.Is(err, hosting.CodeGone) {
		return err
	}
	return cause
}

// Heartbeat extends the attempt's lease and notes where it is. Most heartbeats write
// nothing: a lease is only renewed once a quarter of it is used up.
func (a *Attempt) Heartbeat(ctx context.Context, h hosting.Heartbeat) error {
	if h.Phase != "" && h.Phase.Number() == 0 {
		return hosting.Errorf(hosting.CodeInvalid, "%q is no phase", printableText(string(h.Phase), 40))
	}
	if h.Commit != "" && !hosting.IsCommit(h.Commit) {
		return hosting.Errorf(hosting.CodeInvalid, "%q is no commit", printableText(h.Commit, 80))
	}
	needed := false
	err := a.s.cfg.DB.View(ctx, func(tx state.Tx) error {
		run, d, err := a.live(tx)
		needed = a.s.renew(&run) || noteProgress(&d, h)
		return err
	})
	if err != nil || !needed {
		return err
	}
	done, err := a.s.update(ctx, func(tx *change) error { return a.beat(tx, h) })
	if err != nil {
		return fmt.Errorf("store the heartbeat: %w", err)
	}
	crash.At("build.heartbeat")
	a.s.announce(ctx, done)
	return nil
}

func (a *Attempt) beat(tx *change, h hosting.Heartbeat) error {
	run, d, err := a.live(tx)
	if err != nil {
		return err
	}
	if a.s.renew(&run) {
		if err := a.s.sys.Runs.Put(tx, &run); err != nil {
			return err
		}
	}
	if noteProgress(&d, h) {
		return tx.putDeployment(&d)
	}
	return nil
}

// renew extends the lease of a run that has a job, and reports whether that is worth a write.
func (s *Service) renew(run *state.Run) bool {
	if run.State != state.RunActive {
		return false
	}
	lease := s.now().Add(leaseTime)
	if !run.Overdue && lease.Sub(run.Lease) < leaseSlack {
		return false
	}
	run.Lease, run.Overdue = lease, false
	return true
}

// noteProgress takes over what a heartbeat tells, and reports whether that was new.
func noteProgress(d *hosting.Deployment, h hosting.Heartbeat) bool {
	changed := d.Enter(h.Phase)
	src := d.Source
	if h.Commit != "" {
		src.Commit = h.Commit
		src.Message, src.Author = printableText(h.Message, maxCommitText), printableText(h.Author, maxCommitText)
	}
	if src == d.Source {
		return changed
	}
	d.Source = src
	if !changed {
		d.Revision++
	}
	return true
}
