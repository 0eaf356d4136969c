package deploy_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestArchive_IsQueuedOnceItIsStoredWhole(t *testing.T) {
	w := open(t, func(w *world) { w.limits.SourceBytes = 100 })
	ctx := t.Context()
	p := w.project("site")
	d, up, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceArchive})
	w.ok(err)
	if d.Status != hosting.StatusNotStarted || up == nil {
		t.Fatalf("it is %s", d.Status)
	}
	put := func(body io.Reader, size int64) error { _, err := w.PutSource(ctx, ann, d.ID, body, size); return err }
	w.refused(put(strings.NewReader(""), 0), hosting.CodeInvalid)
	w.refused(put(strings.NewReader("x"), 101), hosting.CodeTooLarge)
	w.refused(put(strings.NewReader("short"), 50), hosting.CodeMismatch)
	w.refused(put(strings.NewReader("longer than said"), 5), hosting.CodeMismatch)
	if err := put(iotest.ErrReader(errors.New("hung up")), 5); err == nil {
		t.Fatal("a broken upload was taken")
	}
	w.is(d, hosting.StatusNotStarted)
	a, err := w.Attempt(ctx, d.ID, up.Token)
	w.ok(err)
	allRefuse(t, w, a, hosting.CodeConflict) // its files come by the archive only
	w.ok(put(strings.NewReader("archive"), 7))
	d = w.is(d, hosting.StatusQueued)
	if d.Source.Digest != hosting.DigestOf([]byte("archive")) || d.Source.Size != 7 {
		t.Errorf("the source is %+v", d.Source)
	}
	w.refused(put(strings.NewReader("another"), 7), hosting.CodeConflict)
	_, err = w.Attempt(ctx, d.ID, up.Token)
	w.refused(err, hosting.CodeGone)
	w.restart()
	w.admit()
	w.reads(d, "archive")
	w.build(d, "x")

	again, err := w.Redeploy(ctx, ann, d.ID)
	w.ok(err)
	w.admit()
	w.reads(again, "archive")
	if n := len(w.objects.keys(t, "sources/"+string(p.ID))); n != 1 {
		t.Errorf("%d archives are stored", n)
	}
	git := w.push(p)
	w.admit()
	_, _, err = w.job(git).OpenSource(ctx)
	w.refused(err, hosting.CodeNotFound)
}

func (w *world) reads(d hosting.Deployment, want string) {
	w.t.Helper()
	body, size, err := w.job(d).OpenSource(w.t.Context())
	w.ok(err)
	b, err := io.ReadAll(body)
	w.ok(errors.Join(err, body.Close()))
	if string(b) != want || size != int64(len(want)) {
		w.t.Errorf("the job reads %q of %d bytes", b, size)
	}
}

func TestArchive_TakesOneUploadAtATime(t *testing.T) {
	w := open(t)
	w.project("site")
	d, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceArchive})
	w.ok(err)
	r, pipe := io.Pipe()
	first := make(chan error, 1)
	go func() {
		_, err := w.PutSource(t.Context(), ann, d.ID, r, 4)
		first <- err
	}()
	_, err = pipe.Write([]byte("ab")) // returns once the first upload has begun
	w.ok(err)
	_, err = w.PutSource(t.Context(), ann, d.ID, strings.NewReader("wxyz"), 4)
	w.refused(err, hosting.CodeConflict)
	_, err = pipe.Write([]byte("cd"))
	w.ok(errors.Join(err, pipe.Close(), <-first))
	w.admit()
	w.reads(d, "abcd")
}

func TestArchive_OfACanceledDeploymentIsNotKept(t *testing.T) {
	w := open(t)
	w.project("site")
	d, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceArchive})
	w.ok(err)
	w.objects.onPut(func(string) error {
		_, err := w.Cancel(t.Context(), ann, d.ID)
		return err
	})
	_, err = w.PutSource(t.Context(), ann, d.ID, strings.NewReader("late"), 4)
	w.refused(err, hosting.CodeConflict)
	if keys := w.objects.keys(t, "sources/"); len(keys) != 0 {
		t.Errorf("kept: %v", keys)
	}
}

func TestFiles_ArePublishedWithoutABuild(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.project("site")
	d, up, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles, Fallback: hosting.FallbackSPA})
	w.ok(err)
	a, err := w.Attempt(ctx, d.ID, up.Token)
	w.ok(err)
	w.admit() // nothing to admit
	d, err = publish(ctx, a, map[string]string{"index.html": "x"})
	w.ok(err)
	if d.Status != hosting.StatusReady || d.Attempt != 1 || w.shows("site.localhost") != d.ID {
		t.Errorf("it is %+v", d)
	}
	other, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	_, err = w.Redeploy(ctx, ann, other.ID)
	w.refused(err, hosting.CodeConflict)

	again, err := w.Redeploy(ctx, ann, d.ID)
	w.ok(err)
	if again.Status != hosting.StatusReady || again.Manifest != d.Manifest || again.ID == d.ID || w.shows("site.localhost") != again.ID {
		t.Errorf("redeployed: %+v", again)
	}
	if len(w.runner.started) != 0 {
		t.Error("files started a job")
	}
	failed, up, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	a, err = w.Attempt(ctx, failed.ID, up.Token)
	w.ok(err)
	_, err = a.Finish(ctx, hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailOutputInvalid, Reason: "no"}})
	w.ok(err)
	w.is(failed, hosting.StatusFail)
}

func TestRedeploy_OfARepositoryKeepsItsCommit(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	d, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Ref: "main"})
	w.ok(err)
	w.admit()
	commit := strings.Repeat("c", 40)
	w.ok(w.job(d).Heartbeat(ctx, hosting.Heartbeat{Commit: commit}))
	w.build(d, "x")
	cmd := "make"
	_, err = w.UpdateProject(ctx, ann, string(p.ID), hosting.ProjectUpdate{BuildCommand: &cmd})
	w.ok(err)
	again, err := w.Redeploy(ctx, ann, d.ID)
	w.ok(err)
	if again.Status != hosting.StatusQueued || again.Source.Ref != "main" || again.Source.Commit != commit || again.Settings.BuildCommand != cmd {
		t.Errorf("redeployed: %+v", again)
	}
	w.admit()
	if job, err := w.job(again).Job(ctx); err != nil || job.Source.Ref != commit {
		t.Errorf("the job fetches %q (%v)", job.Source.Ref, err)
	}
}
