package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

func TestDeployment_LivesFromPushToReady(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("docs")
	d := w.push(p)
	if d.Status != hosting.StatusQueued || d.URL != "" || d.SiteURL != "https://docs.localhost" || d.Order != 1 {
		t.Fatalf("after the push: %+v", d)
	}
	w.admit()
	d = w.is(d, hosting.StatusInProgress)
	if d.Phase != hosting.PhaseProvisioning || d.Attempt != 1 {
		t.Fatalf("after admission: %+v", d)
	}
	a := w.job(d)
	job, err := a.Job(ctx)
	w.ok(err)
	if job.LogNext != 1 || job.Source.URL != "https://git.test/docs" || job.Limits != hosting.DefaultLimits() ||
		!job.Deadline.Equal(w.clock.Now().Add(45*time.Minute)) {
		t.Fatalf("the job is %+v", job)
	}
	commit := strings.Repeat("ab", 20)
	w.ok(a.Heartbeat(ctx, hosting.Heartbeat{Phase: hosting.PhaseBuilding, Commit: commit, Message: "fix\x1b]0;x\a\nmore", Author: "Ann"}))
	w.ok(a.Heartbeat(ctx, hosting.Heartbeat{Phase: hosting.PhaseCloning})) // late: phases only go forward
	if d = w.find(d); d.Phase != hosting.PhaseBuilding || d.Source.Commit != commit || d.Source.Message != "fix]0;x more" {
		t.Fatalf("after the heartbeat: %+v", d)
	}
	ack, err := a.AppendLog(ctx, batch(1, "one", "two"))
	w.ok(err)
	if ack.Next != 3 {
		t.Fatalf("the log goes on at %d", ack.Next)
	}
	d, err = publish(ctx, a, map[string]string{"index.html": "hello", "a/b.css": "body{}", "empty.txt": ""})
	w.ok(err)
	if d.Status != hosting.StatusReady || !d.Production || d.Files != 3 || d.Bytes != 11 || d.Manifest.IsZero() ||
		d.URL != "https://"+d.Label+"--docs.localhost" {
		t.Fatalf("after the finish: %+v", d)
	}
	for _, host := range []string{"docs.localhost", d.Label + "--docs.localhost"} {
		if w.shows(host) != d.ID {
			t.Errorf("%s shows %q at the moment of the answer", host, w.shows(host))
		}
	}
	if got := w.logText(d); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("the log is %q", got)
	}
	w.ok(w.StopEnded(ctx))
	if r := w.runner.running(); len(r) != 0 {
		t.Errorf("still running: %v", r)
	}
	if p, err = w.FindProject(ctx, ann, "docs"); err != nil || p.LatestDeployment == nil || p.LatestDeployment.ID != d.ID {
		t.Errorf("the project's latest deployment is %+v (%v)", p.LatestDeployment, err)
	}
	if n := w.Remembered(); n != 0 {
		t.Errorf("%d ended deployments are still in memory", n)
	}
}

func TestDeploy_OfAGitURLFindsOrMakesItsProject(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	first, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{GitURL: "https://git.test/ann/My.Site.git"})
	w.ok(err)
	again, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{GitURL: "https://git.test/ann/My.Site.git"})
	w.ok(err)
	if first.Project != again.Project || again.Order != 2 {
		t.Fatalf("the second deployment went to %s (order %d), the first to %s", again.Project, again.Order, first.Project)
	}
	p, err := w.FindProject(ctx, ann, string(first.Project))
	w.ok(err)
	if p.Name != "My.Site" || p.Slug != "my-site" || p.CustomDomains == nil {
		t.Errorf("the project is %+v", p)
	}
	long := "https://git.test/" + strings.Repeat("x", 1900) // longer than a key of the state store
	if _, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{GitURL: long}); err != nil {
		t.Errorf("a long URL: %v", err)
	}
	other, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{GitURL: "https://git.test/bob/my-site"})
	w.ok(err)
	if q, err := w.FindProject(ctx, ann, string(other.Project)); err != nil || q.Slug == p.Slug || !strings.HasPrefix(q.Slug, "my-site-") {
		t.Errorf("the slug of another repository of that name is %q (%v)", q.Slug, err)
	}
}

func TestDeploy_RefusesWhatContradictsItself(t *testing.T) {
	w := open(t)
	bare, err := w.CreateProject(t.Context(), ann, hosting.NewProject{Name: "bare"})
	w.ok(err)
	for name, n := range map[string]hosting.NewDeployment{
		"nothing":                     {},
		"files without a project":     {Source: hosting.SourceFiles},
		"a project without git":       {Project: string(bare.ID)},
		"git and files at once":       {Project: "bare", Source: hosting.SourceFiles, GitURL: "https://git.test/a"},
		"a ref that is an option":     {GitURL: "https://git.test/a", Ref: "--upload-pack=x"},
		"a URL with a password":       {GitURL: "https://a:b@git.test/a"},
		"a local path":                {GitURL: "file:///etc"},
		"an unknown source":           {Project: "bare", Source: "tape"},
		"an unknown target":           {Project: "bare", Target: "staging"},
		"an unknown fallback":         {Project: "bare", Source: hosting.SourceFiles, Fallback: "x"},
		"a fallback for a repository": {GitURL: "https://git.test/a", Fallback: hosting.FallbackSPA},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := w.Deploy(t.Context(), ann, n)
			w.refused(err, hosting.CodeInvalid)
		})
	}
	if list, err := w.ListProjects(t.Context(), ann, page("", 0)); err != nil || len(list.Items) != 1 {
		t.Errorf("refused requests left %d projects (%v)", len(list.Items), err)
	}
}

func TestDeploy_BoundsHowManyOfAProjectWait(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 1 })
	p, q := w.project("full"), w.project("other")
	for range 100 {
		w.push(p)
	}
	_, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "full"})
	w.refused(err, hosting.CodeConflict)
	w.push(q)
	w.admit()
	w.push(p) // one of them runs now
}

func TestQueue_KeepsOrderAndLimit(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 2 })
	p := w.project("queue")
	var ds []hosting.Deployment
	var want []string
	for range 6 {
		d := w.push(p)
		ds, want = append(ds, d), append(want, string(d.ID)+"-1")
	}
	w.admit()
	w.admit()
	if got := w.runner.running(); !slices.Equal(got, want[:2]) {
		t.Fatalf("running: %v, want %v", got, want[:2])
	}
	w.build(ds[1], "x")
	w.ok(w.StopEnded(t.Context()))
	w.admit()
	if got := w.runner.running(); !slices.Equal(got, []string{want[0], want[2]}) {
		t.Fatalf("running: %v", got)
	}
	for _, d := range []hosting.Deployment{ds[0], ds[3]} { // one that runs, one that waits
		if d, err := w.Cancel(t.Context(), ann, d.ID); err != nil || d.Status != hosting.StatusCanceled {
			t.Fatalf("canceled: %s (%v)", d.Status, err)
		}
	}
	_, err := w.Cancel(t.Context(), ann, ds[0].ID)
	w.refused(err, hosting.CodeConflict)
	w.ok(w.StopEnded(t.Context()))
	w.admit()
	if got := w.runner.running(); !slices.Equal(got, []string{want[2], want[4]}) {
		t.Fatalf("running: %v", got)
	}
	if got := w.logText(ds[0]); !slices.Equal(got, []string{"Canceled by ann."}) {
		t.Errorf("the canceled deployment's log is %q", got)
	}
}

func TestRun_BuildsWhatIsPushedAndEndsWithItsContext(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 3 })
	p := w.project("busy")
	ctx, cancel := context.WithCancel(t.Context())
	var jobs, service sync.WaitGroup
	most, now := 0, 0
	var mu sync.Mutex
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		now += n
		most = max(most, now)
	}
	w.runner.onStart = func(spec runner.Spec) {
		count(1)
		jobs.Go(func() {
			a, err := w.Attempt(ctx, spec.Deployment, spec.Token)
			if err == nil {
				_, err = a.AppendLog(ctx, batch(1, "built"))
			}
			count(-1) // before Finish, which makes room for the next
			if err == nil {
				_, err = publish(ctx, a, map[string]string{"index.html": string(spec.Deployment)})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	service.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	var last hosting.Deployment
	for range 10 {
		d := w.push(p)
		watch, err := w.Watch(ctx, ann, d.ID, 0)
		w.ok(err)
		defer watch.Close()
		jobs.Go(func() {
			for {
				e, err := watch.Next(ctx)
				if err != nil {
					t.Error(err)
				}
				if err != nil || e.End {
					return
				}
			}
		})
		last = d
	}
	jobs.Wait()
	cancel()
	service.Wait()
	if most > 3 {
		t.Errorf("%d jobs ran at once", most)
	}
	if w.shows("busy.localhost") != last.ID {
		t.Errorf("the site shows %q, want the newest, %q", w.shows("busy.localhost"), last.ID)
	}
}

func TestRestart_GoesOnFromEveryState(t *testing.T) {
	ctx := t.Context()
	t.Run("an upload that is awaited", func(t *testing.T) {
		w := open(t)
		w.project("site")
		d, up, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
		w.ok(err)
		w.restart()
		w.is(d, hosting.StatusNotStarted)
		a, err := w.Attempt(ctx, d.ID, up.Token)
		w.ok(err)
		_, err = publish(ctx, a, map[string]string{"x.txt": "x"})
		w.ok(err)
		w.is(d, hosting.StatusReady)
	})
	t.Run("in the queue", func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.restart()
		w.admit()
		w.build(w.is(d, hosting.StatusInProgress), "x")
		w.is(d, hosting.StatusReady)
	})
	t.Run("its job is about to start", func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.runner.onStart = func(runner.Spec) { w.broken.Store(true) } // so that its Ref is not kept
		if err := w.Admit(ctx); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		w.runner.onStart = nil
		w.restart()
		w.admit()
		w.admit()
		if got := w.runner.running(); !slices.Equal(got, []string{string(d.ID) + "-1"}) {
			t.Fatalf("running: %v", got)
		}
		w.build(d, "x")
	})
	t.Run("its job runs", func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.admit()
		_, err := w.job(d).AppendLog(ctx, batch(1, "before"))
		w.ok(err)
		w.clock.pass(10 * time.Minute) // nobody was there to hear a heartbeat
		w.restart()
		w.reconcile()
		w.is(d, hosting.StatusInProgress)
		ack, err := w.job(d).AppendLog(ctx, batch(1, "before", "after"))
		w.ok(err)
		if ack.Next != 3 || len(w.logText(d)) != 2 {
			t.Errorf("the log goes on at %d with %q", ack.Next, w.logText(d))
		}
		w.build(d, "x")
	})
	t.Run("finished, but the answer was lost", func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.admit()
		first := w.build(d, "x")
		w.restart()
		if again := w.finishAgain(d, "x"); again.Revision != first.Revision || again.Status != hosting.StatusReady {
			t.Errorf("the repeated finish answered %+v, first %+v", again, first)
		}
	})
	t.Run("canceled, but its job was not stopped", func(t *testing.T) {
		w := open(t)
		d := w.push(w.project("site"))
		w.admit()
		_, err := w.Cancel(ctx, ann, d.ID)
		w.ok(err)
		w.restart() // its sweep finds the job
		if got := w.runner.running(); len(got) != 0 {
			t.Errorf("running: %v", got)
		}
	})
}

func TestProjects_ArePagedNewestFirst(t *testing.T) {
	w := open(t)
	var want []string
	for i := range 5 {
		want = append([]string{w.project(fmt.Sprintf("site%d", i)).Slug}, want...)
		w.clock.pass(time.Second)
	}
	var got []string
	after, pages := "", 0
	for {
		list, err := w.ListProjects(t.Context(), ann, page(after, 2))
		w.ok(err)
		for _, p := range list.Items {
			got = append(got, p.Slug)
		}
		pages++
		if after = list.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("got %v in %d pages, want %v in 3", got, pages, want)
	}
	for _, p := range []struct {
		after string
		limit int
	}{{"", -1}, {"", 101}, {"%%", 1}} {
		_, err := w.ListProjects(t.Context(), ann, page(p.after, p.limit))
		w.refused(err, hosting.CodeInvalid)
	}
	p := w.project("many")
	for range 3 {
		w.push(p)
	}
	first, err := w.ListDeployments(t.Context(), ann, "many", page("", 2))
	w.ok(err)
	second, err := w.ListDeployments(t.Context(), ann, "many", page(first.Next, 2))
	w.ok(err)
	if len(first.Items) != 2 || len(second.Items) != 1 || first.Items[0].Order != 3 || second.Items[0].Order != 1 || second.Next != "" {
		t.Errorf("pages of %d and %d", len(first.Items), len(second.Items))
	}
}

func TestUpdateProject_ChangesLaterDeploymentsOnly(t *testing.T) {
	w := open(t)
	p := w.project("site")
	before := w.push(p)
	cmd, bad := "make site", "../up"
	if _, err := w.UpdateProject(t.Context(), ann, "site", hosting.ProjectUpdate{OutputDir: &bad}); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("a folder outside the repository: %v", err)
	}
	p, err := w.UpdateProject(t.Context(), ann, "site", hosting.ProjectUpdate{BuildCommand: &cmd})
	w.ok(err)
	if p.BuildCommand != cmd || p.URL != "https://site.localhost" {
		t.Errorf("the project is %+v", p)
	}
	if after := w.push(p); after.Settings.BuildCommand != cmd || w.find(before).Settings.BuildCommand != "" {
		t.Errorf("settings: %+v and %+v", w.find(before).Settings, after.Settings)
	}
}

func TestTeams_DoNotFindEachOthersThings(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("secret")
	d := w.ship(p, "x")
	bob := ann
	bob.Team.ID = "team_bob"
	calls := map[string]func() error{
		"project by id":   func() error { _, err := w.FindProject(ctx, bob, string(p.ID)); return err },
		"project by slug": func() error { _, err := w.FindProject(ctx, bob, "secret"); return err },
		"update":          func() error { _, err := w.UpdateProject(ctx, bob, "secret", hosting.ProjectUpdate{}); return err },
		"delete":          func() error { _, err := w.DeleteProject(ctx, bob, string(p.ID)); return err },
		"deployment":      func() error { _, err := w.FindDeployment(ctx, bob, d.ID); return err },
		"deployments":     func() error { _, err := w.ListDeployments(ctx, bob, string(p.ID), page("", 0)); return err },
		"deploy": func() error {
			_, _, err := w.Deploy(ctx, bob, hosting.NewDeployment{Project: string(p.ID)})
			return err
		},
		"source":   func() error { _, err := w.PutSource(ctx, bob, d.ID, strings.NewReader("x"), 1); return err },
		"cancel":   func() error { _, err := w.Cancel(ctx, bob, d.ID); return err },
		"redeploy": func() error { _, err := w.Redeploy(ctx, bob, d.ID); return err },
		"promote":  func() error { _, err := w.Promote(ctx, bob, d.ID); return err },
		"log":      func() error { _, err := w.ReadLog(ctx, bob, d.ID, 0, 0); return err },
		"watch":    func() error { _, err := w.Watch(ctx, bob, d.ID, 0); return err },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { w.refused(call(), hosting.CodeNotFound) })
	}
	if list, err := w.ListProjects(ctx, bob, page("", 0)); err != nil || len(list.Items) != 0 {
		t.Errorf("bob lists %d projects (%v)", len(list.Items), err)
	}
	_, err := w.CreateProject(ctx, bob, hosting.NewProject{Name: "x", Slug: "secret"})
	w.refused(err, hosting.CodeConflict)
}
