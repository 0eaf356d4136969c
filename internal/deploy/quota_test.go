package deploy_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func quotas(q hosting.Quotas) func(*world) {
	return func(w *world) { w.config = deploy.Config{Quotas: q}; w.builds = 100 }
}

func (w *world) usage(c hosting.Caller) hosting.Usage {
	w.t.Helper()
	u, err := w.Usage(w.t.Context(), c)
	w.ok(err)
	return u
}

// grow makes the next deployment of p READY, with files of the given texts.
func (w *world) grow(p hosting.Project, texts ...string) hosting.Deployment {
	w.t.Helper()
	d := w.pushAdmitted(p)
	files := map[string]string{}
	for i, text := range texts {
		files[fmt.Sprintf("%d.txt", i)] = text
	}
	d, err := publish(w.t.Context(), w.job(d), files)
	w.ok(err)
	return d
}

func kB(c string) string { return strings.Repeat(c, 1000) }

func TestQuota_OfProjectsHoldsAgainstAThousandAtOnce(t *testing.T) {
	const limit = 20
	w := open(t, quotas(hosting.Quotas{Projects: limit}))
	var made, refused atomic.Int64
	var g sync.WaitGroup
	for i := range 1000 {
		g.Go(func() {
			_, err := w.CreateProject(t.Context(), ann, hosting.NewProject{Name: fmt.Sprintf("site %d", i)})
			switch {
			case err == nil:
				made.Add(1)
			case hosting.Is(err, hosting.CodeQuota) && strings.Contains(err.Error(), "20 projects, its limit is 20"):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	g.Wait()
	if made.Load() != limit || refused.Load() != 1000-limit {
		t.Errorf("%d were made and %d refused", made.Load(), refused.Load())
	}
	if u := w.usage(ann); u.Projects != limit || u.Quotas.Projects != limit {
		t.Errorf("usage: %+v", u)
	}
	_, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{GitURL: "https://git.test/new"}) // makes one, too
	w.refused(err, hosting.CodeQuota)
	w.projectOf(in("team_bob"), "bobs") // each team has its own
	list, err := w.ListProjects(t.Context(), ann, page("", 1))
	w.ok(err)
	w.deleted(t.Context(), ann, list.Items[0].Slug)
	w.project("again")
}

func TestSetQuotas_OverridesTheDefaultsOfOneTeam(t *testing.T) {
	w := open(t, quotas(hosting.Quotas{Projects: 1, Files: 50}))
	ctx := t.Context()
	w.teams(hosting.DefaultTeam, "team_bob")
	w.project("site")
	w.projectOf(in("team_bob"), "bobs")
	tm, err := w.SetQuotas(ctx, root, ann.Team.ID, hosting.Quotas{Projects: 2})
	w.ok(err)
	if tm.Quotas != (hosting.Quotas{Projects: 2}) || tm.Slug != "default" {
		t.Errorf("the team is %+v", tm)
	}
	w.project("second")
	if got := w.usage(ann).Quotas; got != (hosting.Quotas{Projects: 2, Files: 50}) {
		t.Errorf("what holds is %+v", got)
	}
	_, err = w.CreateProject(ctx, in("team_bob"), hosting.NewProject{Name: "second of bob"})
	w.refused(err, hosting.CodeQuota)
	_, err = w.SetQuotas(ctx, root, ann.Team.ID, hosting.Quotas{Builds: -1})
	w.refused(err, hosting.CodeInvalid)
	_, err = w.SetQuotas(ctx, root, "team_nobody", hosting.Quotas{})
	w.refused(err, hosting.CodeNotFound)
	_, err = w.SetQuotas(ctx, root, ann.Team.ID, hosting.Quotas{}) // back to the defaults; what is there stays
	w.ok(err)
	w.mustFind("second")
}

func TestQuota_OfBuildsSkipsTheTeamAndNotTheOthers(t *testing.T) {
	w := open(t, func(w *world) { w.config = deploy.Config{Quotas: hosting.Quotas{Builds: 1}}; w.builds = 3 })
	w.teams(hosting.DefaultTeam)
	bob, eve := in("team_bob"), in("team_eve")
	p, q, r := w.project("anns"), w.projectOf(bob, "bobs"), w.projectOf(eve, "eves")
	push := func(c hosting.Caller, p hosting.Project) hosting.Deployment {
		d, _, err := w.Deploy(t.Context(), c, hosting.NewDeployment{Project: string(p.ID)})
		w.ok(err)
		return d
	}
	a1, a2, a3 := push(ann, p), push(ann, p), push(ann, p)
	b1, e1, b2 := push(bob, q), push(eve, r), push(bob, q)
	expect := func(want ...hosting.Deployment) {
		t.Helper()
		w.ok(w.StopEnded(t.Context()))
		w.admit()
		got, names := w.runner.running(), []string{}
		for _, d := range want {
			names = append(names, string(d.ID)+"-1")
		}
		if fmt.Sprint(got) != fmt.Sprint(names) {
			t.Fatalf("running: %v, want %v", got, names)
		}
	}
	expect(a1, b1, e1)
	if u := w.usage(ann); u.Builds != 1 {
		t.Errorf("usage: %+v", u)
	}
	w.build(a1, "x")
	expect(b1, e1, a2) // the first that waits
	_, err := w.Cancel(t.Context(), eve, e1.ID)
	w.ok(err)
	expect(b1, a2) // a3 and b2 wait for their own teams
	_, err = w.SetQuotas(t.Context(), root, ann.Team.ID, hosting.Quotas{Builds: 5})
	w.ok(err)
	expect(b1, a2, a3) // b2 waits for bob's team, and now for a place at all
	_, err = w.Cancel(t.Context(), bob, b1.ID)
	w.ok(err)
	expect(a2, a3, b2)
}

func TestQuota_OfFilesIsInTheJobAndHoldsAtTheFinish(t *testing.T) {
	w := open(t, quotas(hosting.Quotas{Files: 2}))
	p := w.project("site")
	d := w.pushAdmitted(p)
	a := w.job(d)
	if job, err := a.Job(t.Context()); err != nil || job.Limits.Files != 2 || job.Limits.SiteBytes != hosting.DefaultLimits().SiteBytes {
		t.Errorf("the job's limits are %+v, %v", job.Limits, err)
	}
	_, err := publish(t.Context(), a, map[string]string{"1": "", "2": "", "3": ""})
	w.refused(err, hosting.CodeTooLarge)
	_, err = publish(t.Context(), a, map[string]string{"1": "", "2": ""})
	w.ok(err)
}

func TestQuota_OfBytesFailsTheDeploymentAndSaysHowMuch(t *testing.T) {
	w := open(t, quotas(hosting.Quotas{Bytes: 3500}))
	w.teams(hosting.DefaultTeam)
	p, q := w.project("site"), w.project("other")
	live := w.grow(p, kB("a"), kB("b"))
	w.grow(q, kB("a")) // blobs are stored, and count, for each project
	if u := w.usage(ann); u.Bytes != 3000 || u.Quotas.Bytes != 3500 {
		t.Errorf("usage: %+v", u)
	}
	d := w.grow(p, kB("a"), kB("c"))
	if d.Status != hosting.StatusFail || d.Code != hosting.FailQuota || d.Files != 0 || !d.Manifest.IsZero() {
		t.Fatalf("too much: %+v", d)
	}
	for _, part := range []string{"stores 3 kB", "may store 3.5 kB", "add 1 kB", "Delete projects"} {
		if !strings.Contains(d.Reason, part) {
			t.Errorf("%q does not say %q", d.Reason, part)
		}
	}
	if text := w.logText(d); len(text) != 1 || text[0] != d.Reason {
		t.Errorf("the log ends with %q", text)
	}
	if again := w.finishAgain(d, "x"); again.Revision != d.Revision {
		t.Errorf("repeated, the finish answers %+v", again)
	}
	if w.shows("site.localhost") != live.ID || w.usage(ann).Bytes != 3000 {
		t.Error("the refused deployment is shown, or counted")
	}
	if d := w.grow(p, kB("a"), strings.Repeat("d", 500)); d.Status != hosting.StatusReady { // as much as there is room for
		t.Errorf("it is %s: %s", d.Status, d.Reason)
	}
	if d := w.grow(p, kB("b"), kB("a")); d.Status != hosting.StatusReady { // nothing new
		t.Errorf("it is %s: %s", d.Status, d.Reason)
	}
	_, err := w.SetQuotas(t.Context(), root, ann.Team.ID, hosting.Quotas{Bytes: 10}) // far below what is there
	w.ok(err)
	if d := w.grow(p, kB("a")); d.Status != hosting.StatusReady {
		t.Errorf("what adds nothing is %s: %s", d.Status, d.Reason)
	}
	_, err = w.SetQuotas(t.Context(), root, ann.Team.ID, hosting.Quotas{})
	w.ok(err)
	w.deleted(t.Context(), ann, "other")
	if d := w.grow(p, kB("c")); d.Status != hosting.StatusReady {
		t.Errorf("after a deletion it is %s: %s", d.Status, d.Reason)
	}
}

// alternate ships so that the sum of what was added is far above what is stored: content
// comes back that is not in the newest manifests any more.
func (w *world) alternate(p hosting.Project) {
	w.t.Helper()
	for _, c := range "abcdefabcdef" {
		w.grow(p, kB(string(c)))
	}
}

func TestQuota_OfBytesIsCountedBeforeAnythingIsRefused(t *testing.T) {
	w := open(t, quotas(hosting.Quotas{Bytes: 20_000}))
	p, q := w.project("site"), w.project("other")
	w.alternate(p)
	w.alternate(q)
	w.teams(hosting.DefaultTeam)
	_, err := w.SetQuotas(t.Context(), root, ann.Team.ID, hosting.Quotas{Bytes: 13_000})
	w.ok(err)
	before := w.usage(ann).Bytes
	if before <= 13_000 {
		t.Fatalf("the sum of what was added, %d, is no over-count: the test shows nothing", before)
	}
	if d := w.grow(p, kB("g")); d.Status != hosting.StatusReady {
		t.Fatalf("13 kB of 13 kB: it is %s: %s", d.Status, d.Reason)
	}
	if got := w.usage(ann).Bytes; got != 13_000 {
		t.Errorf("usage is %d, was %d", got, before)
	}
	if d := w.grow(q, kB("a")); d.Status != hosting.StatusReady { // stored long ago, in no manifest of late
		t.Errorf("content that is there already: it is %s: %s", d.Status, d.Reason)
	}
	if d := w.grow(q, kB("h")); d.Code != hosting.FailQuota {
		t.Errorf("14 kB of 13 kB: it is %s: %s", d.Status, d.Reason)
	}
}

func TestQuota_OfBytesIsNotPassedByManyAtOnce(t *testing.T) {
	w := open(t, quotas(hosting.Quotas{Bytes: 5000}))
	p, q := w.project("site"), w.project("other")
	var ready, failed atomic.Int64
	var g sync.WaitGroup
	for i := range 20 {
		d := w.push([]hosting.Project{p, q}[i%2])
		w.admit()
		a := w.job(d)
		g.Go(func() {
			d, err := publish(t.Context(), a, map[string]string{"x": kB(string(rune('a' + i)))})
			switch {
			case err != nil:
				t.Error(err)
			case d.Status == hosting.StatusReady:
				ready.Add(1)
			case d.Code == hosting.FailQuota:
				failed.Add(1)
			}
		})
	}
	g.Wait()
	if ready.Load() != 5 || failed.Load() != 15 || w.usage(ann).Bytes != 5000 {
		t.Errorf("%d are READY, %d failed, %d bytes are stored", ready.Load(), failed.Load(), w.usage(ann).Bytes)
	}
}
