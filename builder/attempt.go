package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// The folders of an attempt.
const (
	dirSource = "src"
	dirHome   = "home"
	dirTemp   = "tmp"
)

const (
	cloneTime   = 5 * time.Minute
	installTime = 15 * time.Minute
	// reportTime of the attempt's time is kept back, so that control can be told that the
	// rest was not enough.
	reportTime = 10 * time.Second
)

// attempt is one run of a job.
type attempt struct {
	cfg   Config
	job   hosting.Job
	log   *journal
	heart *heart
	plan  detect.Plan
}

// errDeadline is the cause of a context that ended because the attempt's time is over.
var errDeadline = errors.New("the time that the deployment has is over")

// run does the work and reports how it ended.
func (a *attempt) run(ctx context.Context) (err error) {
	if a.job.Deadline.IsZero() {
		a.job.Deadline = time.Now().Add(a.job.Limits.BuildTime)
	}
	left := time.Until(a.job.Deadline)
	work, cancel := context.WithDeadlineCause(ctx, a.job.Deadline.Add(-min(reportTime, left/10)), errDeadline)
	defer cancel()
	out, err := a.produce(work)
	if out != nil {
		defer func() { err = errors.Join(err, out.Close()) }()
	}
	if err == nil {
		err = a.finalize(ctx, work, out)
	}
	switch {
	case err == nil:
		return nil // first: control may already call an attempt gone that it has finished
	case ctx.Err() != nil:
		return fmt.Errorf("the attempt was ended: %w", context.Cause(ctx))
	case over(err):
		return err
	}
	return a.report(ctx, err)
}

// report tells control that, and why, the attempt failed.
func (a *attempt) report(ctx context.Context, why error) error {
	f := FailureOf(why)
	f.Reason = clip(a.log.mask.text(f.Reason), 2000)
	if f.Code == hosting.FailInternal {
		a.cfg.Log.Error("build", "deployment", a.job.Deployment, "attempt", a.job.Attempt, "error", a.log.mask.text(why.Error()))
	}
	a.log.sayDropped()
	a.log.say("Failed (%s): %s", f.Code, f.Reason)
	// The report must not wait for its log for ever.
	flushing, cancel := context.WithTimeout(ctx, max(reportTime, time.Until(a.job.Deadline)))
	defer cancel()
	var err error
	for range logTries {
		next := a.log.next()
		if err := a.log.flush(flushing); err != nil {
			a.cfg.Log.Warn("build", "deployment", a.job.Deployment, "error", err)
			next = 0
		}
		if err = a.finish(ctx, hosting.Finish{Failure: &f, LogNext: next}); !hosting.Is(err, hosting.CodeIncomplete) {
			break
		}
	}
	if hosting.Is(err, hosting.CodeIncomplete) {
		err = a.finish(ctx, hosting.Finish{Failure: &f})
	}
	if err != nil {
		return fmt.Errorf("report the failure (%s): %w", f.Code, err)
	}
	return nil
}

// logTries is how often a failure is reported for which the log is not whole.
const logTries = 3

func (a *attempt) finish(ctx context.Context, f hosting.Finish) error {
	return retry(ctx, func(ctx context.Context) error {
		_, err := a.cfg.Control.Finish(ctx, f)
		return err
	})
}

// produce goes through the phases until everything is uploaded. The Output may come with an
// error; the caller closes it.
func (a *attempt) produce(ctx context.Context) (out *Output, err error) {
	if err := a.step(ctx, hosting.PhaseCloning, cloneTime, a.fetch); err != nil {
		return nil, err
	}
	if a.plan.Install != "" {
		if err := a.step(ctx, hosting.PhaseInstalling, installTime, a.install); err != nil {
			return nil, err
		}
	}
	if a.plan.Build != "" {
		if err := a.step(ctx, hosting.PhaseBuilding, a.job.Limits.BuildTime, a.build); err != nil {
			return nil, err
		}
	}
	err = a.step(ctx, hosting.PhaseUploading, a.job.Limits.BuildTime, func(ctx context.Context) (err error) {
		if out, err = a.collect(ctx); err != nil {
			return err
		}
		return a.upload(ctx, out)
	})
	return out, err
}

func (a *attempt) enter(phase hosting.Phase) {
	a.log.enter(phase)
	a.heart.set(func(b *hosting.Heartbeat) { b.Phase = phase })
}

// step runs one phase within its time.
func (a *attempt) step(ctx context.Context, phase hosting.Phase, limit time.Duration, do func(context.Context) error) error {
	a.enter(phase)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fail(hosting.FailTimeout,
		"%s took longer than %s: make the step shorter, or have the limit raised", phase, formatTime(limit)))
	defer cancel()
	err := do(ctx)
	switch {
	case err == nil || ctx.Err() == nil:
		return err
	case errors.Is(context.Cause(ctx), errDeadline):
		return fail(hosting.FailTimeout, "the deployment took longer than %s; it was %s then: make the step shorter, or have the limit raised",
			formatTime(a.job.Limits.BuildTime), phase)
	}
	return context.Cause(ctx)
}

// fetch brings the source and finds out how it is built.
func (a *attempt) fetch(ctx context.Context) error {
	for _, name := range []string{dirSource, dirHome, dirTemp} {
		if err := os.Mkdir(a.path(name), 0o755); err != nil {
			return fmt.Errorf("make the work folder: %w", err)
		}
	}
	var err error
	switch a.job.Source.Kind {
	case hosting.SourceGit:
		err = a.clone(ctx)
	case hosting.SourceArchive:
		err = a.unpack(ctx)
	default:
		err = fmt.Errorf("no job builds a source of kind %q", a.job.Source.Kind)
	}
	if err != nil {
		return err
	}
	if err := a.detect(); err != nil {
		return err
	}
	return a.checkTools(ctx)
}

// detect makes the plan. It reads through a root: the source may hold links to anywhere.
func (a *attempt) detect() error {
	root, err := os.OpenRoot(a.path(dirSource))
	if err != nil {
		return fmt.Errorf("open the source folder: %w", err)
	}
	defer func() { _ = root.Close() }()
	a.plan, err = detect.Find(root.FS(), a.job.Settings)
	switch hosting.CodeOf(err) {
	case "":
	case hosting.CodeNotFound:
		return fail(hosting.FailNoPlan, "%s", err)
	case hosting.CodeInvalid:
		return fail(hosting.FailSourceInvalid, "%s", err)
	default:
		return err
	}
	for _, why := range a.plan.Why {
		a.log.say("%s", why)
	}
	return nil
}

// upload brings what control does not have.
func (a *attempt) upload(ctx context.Context, out *Output) error {
	var last Progress
	if err := Upload(ctx, a.cfg.Uploads, out, func(p Progress) { last = p }); err != nil {
		return err
	}
	a.log.say("Uploaded %s, %s; %d were there already", plural(last.Blobs, "blob"), formatBytes(last.Bytes), last.Known)
	return nil
}

// finalize sends the inventory, after the last line of the log. Where control has lost blobs
// meanwhile they are brought once more. The work's time bounds only the waiting: once the
// site is stored, a late log or a deadline that has just passed is no reason to lose it.
func (a *attempt) finalize(ctx, work context.Context, out *Output) error {
	a.enter(hosting.PhaseFinalizing)
	fallback := a.fallback(out)
	for again := false; ; again = true {
		next := a.log.next()
		if err := a.log.flush(work); errors.Is(err, errDeadline) {
			next = 0
		} else if err != nil {
			return err
		}
		inventory := out.Inventory(fallback, a.plan.Framework)
		err := a.finish(ctx, hosting.Finish{Inventory: &inventory, LogNext: next})
		if !hosting.Is(err, hosting.CodeIncomplete) || again {
			return err
		}
		a.log.say("Some of it did not arrive: it is sent again")
		if err := a.upload(work, out); err != nil {
			return err
		}
	}
}

// fallback is the preset's, unless the site brings its own page for what is not there.
func (a *attempt) fallback(out *Output) hosting.Fallback {
	switch {
	case a.plan.Fallback != hosting.FallbackSPA:
		return hosting.FallbackNone
	case out.Has("404.html"):
		a.log.say("Unknown paths show 404.html, since there is one")
		return hosting.FallbackNone
	}
	a.log.say("Unknown paths show index.html, since this is a single-page application")
	return hosting.FallbackSPA
}
