package deploy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/state"
)

// allRefuse calls every method of an attempt but Finish, and Finish.
func allRefuse(t *testing.T, w *world, a *deploy.Attempt, code hosting.Code) {
	t.Helper()
	ctx := t.Context()
	inv, _ := inventory(map[string]string{"index.html": "old"})
	for name, call := range map[string]func() error{
		"job":       func() error { _, err := a.Job(ctx); return err },
		"heartbeat": func() error { return a.Heartbeat(ctx, hosting.Heartbeat{Phase: hosting.PhaseUploading}) },
		"log":       func() error { _, err := a.AppendLog(ctx, batch(1, "old")); return err },
		"source":    func() error { _, _, err := a.OpenSource(ctx); return err },
		"missing":   func() error { _, err := a.Missing(ctx, hosting.MissingRequest{}); return err },
		"blob":      func() error { return a.PutBlob(ctx, hosting.DigestOf([]byte("x")), 1, strings.NewReader("x")) },
		"finish":    func() error { _, err := a.Finish(ctx, hosting.Finish{Inventory: &inv}); return err },
		"failure": func() error {
			_, err := a.Finish(ctx, hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailBuild}})
			return err
		},
	} {
		if err := call(); !hosting.Is(err, code) {
			t.Errorf("%s: %v, want %s", name, err, code)
		}
	}
}

func TestAttempt_OfAnEarlierJobIsGone(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	d := w.push(w.project("site"))
	w.admit()
	old, oldToken := w.job(d), w.runner.newest(d.ID).Token
	_, err := old.AppendLog(ctx, batch(1, "first attempt"))
	w.ok(err)
	w.runner.exit(d.ID, "killed by signal 9")
	w.clock.pass(2 * time.Minute)
	w.reconcile()
	w.is(d, hosting.StatusQueued)
	allRefuse(t, w, old, hosting.CodeGone)
	w.clock.pass(time.Minute)
	w.admit()
	allRefuse(t, w, old, hosting.CodeGone)
	_, err = w.Attempt(ctx, d.ID, oldToken)
	w.refused(err, hosting.CodeGone)
	_, err = w.Attempt(ctx, d.ID, "x")
	w.refused(err, hosting.CodeUnauthenticated)
	_, err = w.Attempt(ctx, w.push(w.project("other")).ID, oldToken)
	w.refused(err, hosting.CodeUnauthenticated)

	job, err := w.job(d).Job(ctx)
	w.ok(err)
	if job.Attempt != 2 || job.LogNext != 3 {
		t.Fatalf("the second attempt is %+v", job)
	}
	_, err = w.job(d).AppendLog(ctx, batch(job.LogNext, "second attempt"))
	w.ok(err)
	w.build(d, "x")
	if got := w.logText(d); !slices.Equal(got, []string{
		"first attempt", "The build's job ended without a result: killed by signal 9. It is tried again.", "second attempt",
	}) {
		t.Errorf("the log is %q", got)
	}
	allButFinish := w.job(d)
	if _, err := allButFinish.Job(ctx); !hosting.Is(err, hosting.CodeGone) {
		t.Errorf("after its end the attempt still answers: %v", err)
	}
}

func TestAttempt_LostThreeTimesFails(t *testing.T) {
	w := open(t)
	first := w.push(w.project("site"))
	for n := 1; n <= 3; n++ {
		w.admit()
		if d := w.is(first, hosting.StatusInProgress); d.Attempt != n {
			t.Fatalf("attempt %d, want %d", d.Attempt, n)
		}
		w.runner.exit(first.ID, "")
		w.clock.pass(2 * time.Minute)
		w.reconcile()
		w.clock.pass(time.Minute)
	}
	d := w.is(first, hosting.StatusFail)
	if d.Code != hosting.FailLost || d.Reason != "The build's job ended without a result." || d.FinishedAt.IsZero() {
		t.Errorf("the deployment failed with %+v", d)
	}
}

func TestAttempt_ThatStillRunsGetsOneMoreLease(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.admit()
	w.clock.pass(91 * time.Second)
	w.reconcile()
	w.is(d, hosting.StatusInProgress)
	w.ok(w.job(d).Heartbeat(t.Context(), hosting.Heartbeat{})) // it was only slow
	w.clock.pass(61 * time.Second)
	w.reconcile()
	w.is(d, hosting.StatusInProgress)
	w.clock.pass(61 * time.Second)
	w.reconcile()
	w.is(d, hosting.StatusQueued)
	if got := w.runner.running(); len(got) != 0 {
		t.Errorf("running: %v", got)
	}
	if got := w.logText(d); !slices.Equal(got, []string{"The build's job stopped answering. It is tried again."}) {
		t.Errorf("the log is %q", got)
	}
}

func TestHeartbeat_KeepsALeaseAndWritesSeldom(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.admit()
	a := w.job(d)
	w.clock.pass(60 * time.Second) // of the first lease's 90
	w.ok(a.Heartbeat(t.Context(), hosting.Heartbeat{Phase: hosting.PhaseCloning}))
	for range 20 {
		w.clock.pass(10 * time.Second)
		w.ok(a.Heartbeat(t.Context(), hosting.Heartbeat{Phase: hosting.PhaseCloning}))
		w.reconcile()
	}
	w.is(d, hosting.StatusInProgress)
	w.clock.pass(30 * time.Second)
	w.ok(a.Heartbeat(t.Context(), hosting.Heartbeat{}))
	w.broken.Store(true) // whatever writes now fails
	w.clock.pass(14 * time.Second)
	w.ok(a.Heartbeat(t.Context(), hosting.Heartbeat{Phase: hosting.PhaseCloning}))
	w.clock.pass(time.Second)
	if err := a.Heartbeat(t.Context(), hosting.Heartbeat{}); err == nil {
		t.Error("a lease that is a quarter used was not renewed")
	}
	w.broken.Store(false)
	for name, h := range map[string]hosting.Heartbeat{"phase": {Phase: "sleeping"}, "commit": {Commit: "HEAD"}} {
		if err := a.Heartbeat(t.Context(), h); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("an invalid %s: %v", name, err)
		}
	}
}

func TestAttempt_EndsAtItsDeadline(t *testing.T) {
	w := open(t, func(w *world) { w.limits.BuildTime = 5 * time.Minute })
	d := w.push(w.project("site"))
	w.admit()
	a := w.job(d)
	for range 6 {
		w.clock.pass(50 * time.Second)
		w.ok(a.Heartbeat(t.Context(), hosting.Heartbeat{}))
		w.reconcile()
		w.is(d, hosting.StatusInProgress)
	}
	w.clock.pass(time.Second)
	w.reconcile()
	if d := w.is(d, hosting.StatusFail); d.Code != hosting.FailTimeout || d.Reason != "The build took longer than 5m0s." {
		t.Errorf("it failed with %+v", d)
	}
	allRefuse(t, w, a, hosting.CodeGone)
	w.ok(w.StopEnded(t.Context()))
	if got := w.runner.running(); len(got) != 0 {
		t.Errorf("running: %v", got)
	}
}

func TestReconcile_GoesOnPastARunThatCannotBeEnded(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	broken, other := w.pushAdmitted(w.project("broken")), w.pushAdmitted(w.project("other"))
	w.ok(w.db.Update(ctx, func(tx state.Tx) error {
		return w.db.Team(ann.Team.ID).Deployments.Delete(tx, state.K(string(broken.ID)))
	}))
	w.clock.pass(hosting.DefaultLimits().BuildTime + time.Minute)
	if err := w.Reconcile(ctx); err == nil || !strings.Contains(err.Error(), string(broken.ID)) {
		t.Errorf("the run without a deployment is told as %v", err)
	}
	w.is(other, hosting.StatusFail)
}

func TestStart_ThatFailsIsTriedAgainWhereThatMayHelp(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.runner.setRefuse(fmt.Errorf("start job: %w: %w", &secretError{}, hosting.Errorf(hosting.CodeUnavailable, "no room in the cluster")))
	began := w.clock.Now()
	for w.find(d).Status != hosting.StatusFail && w.clock.Now().Sub(began) < time.Hour {
		w.admit()
		is := w.find(d)
		w.admit() // too early: nothing happens
		if got := w.find(d); got.Revision != is.Revision {
			t.Fatalf("after attempt %d the deployment is %+v", is.Attempt, got)
		}
		w.clock.pass(5 * time.Second)
	}
	if waited := w.clock.Now().Sub(began); w.find(d).Attempt > 20 || waited < 15*time.Minute || waited > 17*time.Minute {
		t.Errorf("it was given up after %d tries and %v", w.find(d).Attempt, waited)
	}
	if d := w.is(d, hosting.StatusFail); !strings.Contains(d.Reason, "no room in the cluster") || d.Code != hosting.FailInternal {
		t.Errorf("it failed with %+v", d)
	}
	if said := w.find(d).Reason + strings.Join(w.logText(d), "\n"); strings.Contains(said, "secret") {
		t.Errorf("what wraps the error is shown: %s", said)
	}
	other := w.push(w.project("other"))
	w.runner.setRefuse(&secretError{})
	w.admit()
	if d := w.is(other, hosting.StatusFail); strings.Contains(d.Reason, "secret") {
		t.Errorf("an internal error is shown: %s", d.Reason)
	}
}

// Whoever waits for others' builds to end has not been refused meanwhile.
func TestStart_ThatFailedWaitsForItsTurnBesides(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.runner.setRefuse(hosting.Errorf(hosting.CodeUnavailable, "busy"))
	w.admit()
	w.clock.pass(time.Hour)
	w.admit()
	if got := w.is(d, hosting.StatusQueued); got.Attempt != 2 {
		t.Errorf("it is %+v", got)
	}
}

// What did not start takes none of the attempts away whose jobs are lost.
func TestStart_ThatFailedLeavesAllAttempts(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	for range 3 {
		w.runner.setRefuse(hosting.Errorf(hosting.CodeUnavailable, "busy"))
		for range 10 { // each time anew
			w.admit()
			w.is(d, hosting.StatusQueued)
			w.clock.pass(time.Minute)
		}
		w.runner.setRefuse(nil)
		w.admit()
		w.is(d, hosting.StatusInProgress)
		w.runner.exit(d.ID, "")
		w.clock.pass(2 * time.Minute)
		w.reconcile()
		w.clock.pass(time.Minute)
	}
	if d := w.is(d, hosting.StatusFail); d.Code != hosting.FailLost || d.Attempt != 33 {
		t.Errorf("the deployment failed with %+v", d)
	}
	other := w.push(w.project("other"))
	w.runner.setRefuse(hosting.Errorf(hosting.CodeUnavailable, "busy"))
	w.admit()
	w.runner.setRefuse(nil)
	w.clock.pass(5 * time.Second)
	w.admit()
	w.build(other, "x")
}

func TestStart_WithoutAnAnswerIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.runner.hang.Store(true)
		w.admit()
		if got := w.logText(w.is(d, hosting.StatusQueued)); !slices.Equal(got, []string{"The build's job could not be started: what runs builds did not answer within 30 seconds. It is tried again."}) {
			t.Errorf("the log is %q", got)
		}
		w.runner.hang.Store(false)
		w.clock.pass(time.Minute)
		w.admit()
		w.build(d, "x")
	})
}

func TestAttempt_ThatStartsSlowlyIsWaitedFor(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.admit()
	w.runner.say(d.ID, runner.State{Phase: runner.Starting, Reason: "no machine yet"})
	for range 14 {
		w.clock.pass(time.Minute)
		w.reconcile()
		w.is(d, hosting.StatusInProgress)
	}
	job, err := w.job(d).Job(t.Context())
	w.ok(err)
	if left := job.Deadline.Sub(w.clock.Now()); left != hosting.DefaultLimits().BuildTime {
		t.Errorf("a job that started late has %v to build", left)
	}
	w.clock.pass(2 * time.Minute)
	w.reconcile()
	w.is(d, hosting.StatusQueued)
	if got := w.logText(d); !slices.Equal(got, []string{"The build's job did not start within 15 minutes: no machine yet. It is tried again."}) {
		t.Errorf("the log is %q", got)
	}
	if got := w.runner.running(); len(got) != 0 {
		t.Errorf("running: %v", got)
	}
	w.clock.pass(time.Minute)
	w.admit()
	w.build(d, "x")
}

type secretError struct{}

func (*secretError) Error() string { return "open /secret: no" }

func TestRun_BeginsOnceTheStoreCanBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.broken.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		time.Sleep(time.Minute) // of the bubble's clock
		if got := w.find(d); got.Status != hosting.StatusQueued {
			t.Errorf("without a store it became %s", got.Status)
		}
		w.broken.Store(false)
		time.Sleep(time.Minute)
		if got := w.find(d); got.Status != hosting.StatusInProgress {
			t.Errorf("with the store it is %s still", got.Status)
		}
		cancel()
		w.ok(<-ended)
	})
}

func TestSweep_StopsJobsThatNoAttemptOwns(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.admit()
	_, err := w.runner.Start(t.Context(), runner.Spec{Name: "dpl_stray-1"})
	w.ok(err)
	w.Sweep(t.Context())
	if got := w.runner.running(); !slices.Equal(got, []string{string(d.ID) + "-1"}) {
		t.Errorf("running: %v", got)
	}
}

func TestUpload_ThatNobodyFinishesFailsAfterAnHour(t *testing.T) {
	w := open(t)
	w.project("site")
	d, up, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	a, err := w.Attempt(t.Context(), d.ID, up.Token)
	w.ok(err)
	_, err = a.Missing(t.Context(), hosting.MissingRequest{})
	w.ok(err)
	if d := w.is(d, hosting.StatusInProgress); d.Phase != hosting.PhaseUploading {
		t.Errorf("the upload is in phase %q", d.Phase)
	}
	w.clock.pass(time.Hour)
	w.reconcile()
	w.is(d, hosting.StatusInProgress)
	w.clock.pass(time.Second)
	w.reconcile()
	if d := w.is(d, hosting.StatusFail); d.Code != hosting.FailUpload {
		t.Errorf("it failed with %+v", d)
	}
	allRefuse(t, w, a, hosting.CodeGone)
}

func TestRun_IsForgottenAnHourAfterItsEnd(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	w.admit()
	token := w.runner.newest(d.ID).Token
	w.build(d, "x")
	w.clock.pass(2 * time.Hour)
	w.reconcile() // its job was not stopped yet, so it is kept
	_, err := w.Attempt(t.Context(), d.ID, token)
	w.ok(err)
	w.ok(w.StopEnded(t.Context()))
	w.reconcile()
	_, err = w.Attempt(t.Context(), d.ID, token)
	w.refused(err, hosting.CodeGone)
	w.is(d, hosting.StatusReady)
}

func TestAttempt_WhoseJobHasEndedIsNotWaitedFor(t *testing.T) {
	w := open(t)
	first, second := w.push(w.project("site")), w.push(w.project("other"))
	w.admit()
	for _, d := range []hosting.Deployment{first, second} {
		w.ok(w.job(d).Heartbeat(t.Context(), hosting.Heartbeat{}))
	}
	w.runner.exit(first.ID, "killed by signal 9 (out of memory?)")
	w.clock.pass(65 * time.Second) // of 90, since neither has been heard of after its start
	w.reconcile()
	w.is(first, hosting.StatusQueued)
	w.is(second, hosting.StatusInProgress) // control: as silent, but it runs
}

func TestAttempt_OfAPreviewMayBeOnSpotOnce(t *testing.T) {
	w := open(t)
	production := w.push(w.project("site"))
	preview, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Target: hosting.TargetPreview})
	w.ok(err)
	for n, want := range []bool{true, false, false} {
		w.admit()
		if got := w.runner.newest(preview.ID).Spot; got != want {
			t.Errorf("attempt %d at a preview: spot is %v", n+1, got)
		}
		if w.runner.newest(production.ID).Spot {
			t.Errorf("attempt %d at production may be on Spot", n+1)
		}
		w.runner.exit(preview.ID, "")
		w.runner.exit(production.ID, "")
		w.clock.pass(2 * time.Minute)
		w.reconcile()
		w.clock.pass(time.Minute)
	}
}
