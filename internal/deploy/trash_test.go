package deploy_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestDeleteProject_WhileItBuildsEndsAllOfIt(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p, other := w.project("site"), w.project("other")
	live := w.ship(p, "live")
	kept := w.ship(other, "kept")
	w.ok(w.StopEnded(ctx))
	building, waiting := w.push(p), w.push(p)
	w.admit()
	a := w.job(building)
	_, err := a.AppendLog(ctx, batch(1, "line"))
	w.ok(err)
	watch, err := w.Watch(ctx, ann, building.ID, 0)
	w.ok(err)
	defer watch.Close()
	w.deleted(ctx, ann, "site")
	if w.shows("site.localhost") != "" || w.shows("other.localhost") != kept.ID {
		t.Error("the site is still shown, or another one is not")
	}
	allRefuse(t, w, a, hosting.CodeGone)
	if _, err := watch.Next(ctx); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("its watcher was told %v", err)
	}
	for _, d := range []hosting.Deployment{live, building, waiting} {
		_, err := w.FindDeployment(ctx, ann, d.ID)
		w.refused(err, hosting.CodeNotFound)
	}
	w.admit()
	w.ok(w.StopEnded(ctx))
	if got := w.runner.running(); len(got) != 0 {
		t.Errorf("running: %v", got)
	}
	w.restart() // the trash is emptied by the next process
	w.ok(w.EmptyTrash(ctx))
	for _, prefix := range []string{"blobs/", "manifests/", "sources/"} {
		for _, key := range w.objects.keys(t, prefix) {
			if strings.Contains(key, string(p.ID)) {
				t.Errorf("left: %s", key)
			}
		}
	}
	if next, err := w.logs.Next(ctx, building.ID); err != nil || next != 1 {
		t.Errorf("a log is left (%v)", err)
	}
	w.ok(w.db.View(ctx, func(tx state.Tx) error {
		ds, _, err := w.db.Team(ann.Team.ID).Deployments.ListBy(tx, "project", state.K(string(p.ID), ""), "", 10)
		w.ok(err)
		ps, err := w.db.System().Pointers.List(tx, state.K(string(p.ID), ""), "", 10)
		w.ok(err)
		trash, err := w.db.System().Trash.List(tx, "", "", 10)
		if len(ds)+len(ps)+len(trash) != 0 {
			t.Errorf("left: %d deployments, %d pointers, %d in the trash", len(ds), len(ps), len(trash))
		}
		return err
	}))
	w.build(w.pushAdmitted(other), "still works")
	_, err = w.FindProject(ctx, ann, "site")
	w.refused(err, hosting.CodeNotFound)
}

func TestDeleteProject_SaysWhatGoesAndWhen(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	w.ship(p, "live")
	w.push(p)
	w.set("A", "a", true)
	w.set("B", "b", false, hosting.TargetPreview)
	gone, err := w.DeleteProject(ctx, ann, "site")
	w.ok(err)
	want := hosting.Deletion{
		What: "the project site",
		Gone: []string{"the site https://site.localhost", "the addresses of its deployments", "builds that ran or waited: 1", "variables: 3"},
		Later: []string{
			"files, archives and logs of its deployments: in the background, within minutes",
			"the name site: only your team can take it again before 2026-02-01",
		},
		At: w.clock.Now(),
	}
	if !reflect.DeepEqual(gone, want) {
		t.Errorf("it answers\n%+v, want\n%+v", gone, want)
	}
	w.ok(w.db.View(ctx, func(tx state.Tx) error {
		vs, err := w.db.Team(ann.Team.ID).Variables.List(tx, "", "", 10)
		w.ok(err)
		rows, err := w.db.Team(ann.Team.ID).Stored.List(tx, "", "", 10)
		if len(vs)+len(rows) != 0 {
			t.Errorf("left: %v, %v", vs, rows)
		}
		return err
	}))
}

func (w *world) pushAdmitted(p hosting.Project) hosting.Deployment {
	w.t.Helper()
	d := w.push(p)
	w.admit()
	return d
}

func TestTrash_OfManyDeploymentsIsEmptiedInParts(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.project("site")
	d, up, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	a, err := w.Attempt(ctx, d.ID, up.Token)
	w.ok(err)
	_, err = publish(ctx, a, map[string]string{"x": "x"})
	w.ok(err)
	for range 120 {
		_, err := w.Redeploy(ctx, ann, d.ID)
		w.ok(err)
	}
	w.deleted(ctx, ann, "site")
	w.ok(w.EmptyTrash(ctx))
	w.ok(w.db.View(ctx, func(tx state.Tx) error {
		ds, err := w.db.Team(ann.Team.ID).Deployments.List(tx, "", "", 10)
		w.ok(err)
		ps, err := w.db.System().Pointers.List(tx, "", "", 10)
		if len(ds)+len(ps) != 0 {
			t.Errorf("left: %d deployments, %d pointers", len(ds), len(ps))
		}
		return err
	}))
}

func TestBlob_ThatArrivesWhileItsProjectIsDeletedIsRemoved(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	d := w.pushAdmitted(w.project("site"))
	w.objects.onPut(func(string) error { // between the check and the write
		w.deleted(ctx, ann, "site")
		w.ok(w.EmptyTrash(ctx))
		return nil
	})
	err := w.job(d).PutBlob(ctx, hosting.DigestOf([]byte("x")), 1, strings.NewReader("x"))
	w.refused(err, hosting.CodeGone)
	if len(w.objects.keys(t, "blobs/")) != 1 {
		t.Fatal("the blob did not arrive late")
	}
	w.ok(w.EmptyTrash(ctx))
	if keys := w.objects.keys(t, "blobs/"); len(keys) != 0 {
		t.Errorf("left: %v", keys)
	}
}

func TestSiteName_IsHeldForItsTeam(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	bob := ann
	bob.Team.ID = "team_bob"
	w.project("site")
	take := func(c hosting.NewProject, team hosting.TeamID) error {
		who := ann
		who.Team.ID = team
		_, err := w.CreateProject(ctx, who, c)
		return err
	}
	n := hosting.NewProject{Name: "any", Slug: "site"}
	w.refused(take(n, ann.Team.ID), hosting.CodeConflict)
	w.deleted(ctx, ann, "site")
	w.clock.pass(30*24*time.Hour - time.Second)
	w.refused(take(n, bob.Team.ID), hosting.CodeConflict)
	w.ok(take(n, ann.Team.ID))
	w.ok(w.EmptyTrash(ctx)) // of the first project, not of the second
	d := w.ship(w.mustFind("site"), "second")
	if w.shows("site.localhost") != d.ID {
		t.Error("the name does not show its second project")
	}
	w.deleted(ctx, ann, "site")
	w.clock.pass(30*24*time.Hour + time.Second)
	w.ok(take(n, bob.Team.ID))
	w.refused(take(hosting.NewProject{Name: "x", Slug: "admin"}, ann.Team.ID), hosting.CodeInvalid)
}

func (w *world) mustFind(slug string) hosting.Project {
	w.t.Helper()
	p, err := w.FindProject(w.t.Context(), ann, slug)
	w.ok(err)
	name := "https://git.test/x"
	p, err = w.UpdateProject(w.t.Context(), ann, string(p.ID), hosting.ProjectUpdate{GitURL: &name})
	w.ok(err)
	return p
}
