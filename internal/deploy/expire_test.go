package deploy_test

import (
	"errors"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// month has logs kept for 30 days.
func month(w *world) { w.config.LogLife = 30 * 24 * time.Hour }

// gone tells whether the deployment's log is said to be deleted, and is.
func (w *world) gone(id hosting.DeploymentID) bool {
	w.t.Helper()
	part, err := w.QueryLog(w.t.Context(), ann, id, deploy.LogQuery{})
	w.ok(err)
	d, err := w.FindDeployment(w.t.Context(), ann, id)
	w.ok(err)
	next, err := w.store().Next(w.t.Context(), id)
	w.ok(err)
	if part.Expired != !d.LogDeletedAt.IsZero() || part.Expired != (len(part.Lines) == 0) || part.Expired && next != 1 {
		w.t.Errorf("%d lines, expired %v, deleted at %v; the store has %d", len(part.Lines), part.Expired, d.LogDeletedAt, next-1)
	}
	return part.Expired
}

func TestLogs_AreDeletedWhenTheirTimeIsOver(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p := w.project("site")
		s := w.watching()
		building := w.pushAdmitted(p)
		_, err := w.job(building).AppendLog(ctx, batch(1, "it goes on"))
		w.ok(err)
		old := w.built(ann, p, said("an old line"))[0]
		w.clock.pass(time.Hour)
		young := w.built(ann, p, said("a young line"))[0]
		w.clock.pass(30*24*time.Hour - time.Hour)
		w.ok(w.ExpireLogs(ctx))
		if w.gone(old) {
			t.Fatal("a log was deleted too early")
		}
		w.clock.pass(time.Second)
		w.broken.Store(true) // the process dies between the deletion and its note
		if err := w.ExpireLogs(ctx); !errors.Is(err, errBroken) || s.deleted[old] != 1 {
			t.Fatalf("it ended with %v, and deleted %v", err, s.deleted)
		}
		w.restart()
		s.reopened(w)
		before := w.find(hosting.Deployment{ID: old}).Revision
		for range 3 {
			w.ok(w.ExpireLogs(ctx))
			w.restart()
			s.reopened(w)
		}
		if !w.gone(old) || w.gone(young) || w.gone(building.ID) {
			t.Error("not the old log alone is deleted")
		}
		if len(s.deleted) != 1 || s.deleted[old] != 2 {
			t.Errorf("it deletes again what is deleted: %v", s.deleted)
		}
		if d := w.find(hosting.Deployment{ID: old}); d.Revision != before+1 || d.Status != hosting.StatusReady || !d.LogDeletedAt.Equal(w.clock.Now()) {
			t.Errorf("the deployment is %+v", d)
		}
		if part, err := w.QueryLog(ctx, ann, old, deploy.LogQuery{LogFilter: deploy.LogFilter{Text: "line"}, After: 1}); err != nil || !part.Expired || part.Next != 1 {
			t.Errorf("a search of it answers %v, %v", part, err)
		}
		found, _ := w.pages(ann, "site", deploy.LogSearch{LogFilter: deploy.LogFilter{Text: "line"}, Since: w.clock.Now().AddDate(-1, 0, 0)})
		if len(found) != 1 || found[0].Deployment != young {
			t.Errorf("a search of the project finds %v", found)
		}
		watch, err := w.Watch(ctx, ann, old, 0)
		w.ok(err)
		defer watch.Close()
		for _, want := range []bool{false, true} {
			if e, err := watch.Next(ctx); err != nil || len(e.Lines) != 0 || e.End != want {
				t.Errorf("who follows it is told %v, %v", e, err)
			}
		}
	}, month)
}

func TestLogs_ThatAreManyAreDeletedOfAllTeams(t *testing.T) {
	w := open(t, month)
	s := w.watching()
	ctx := t.Context()
	w.teams("team_bob")
	bob := in("team_bob")
	logs := make([][]hosting.LogLine, 130)
	for i := range logs {
		logs[i] = said("x")
	}
	w.built(ann, w.project("site"), logs...)
	w.built(bob, w.projectOf(bob, "bobs"), logs...)
	w.clock.pass(31 * 24 * time.Hour)
	w.ok(w.ExpireLogs(ctx))
	if len(s.deleted) != 2*len(logs) {
		t.Errorf("%d logs are deleted", len(s.deleted))
	}
}

func TestLogs_ThatCannotBeDeletedAreTriedAgain(t *testing.T) {
	w := open(t, month)
	s := w.watching()
	ctx := t.Context()
	ids := w.built(ann, w.project("site"), said("x"), said("y"), said("z"))
	w.clock.pass(31 * 24 * time.Hour)
	broken, away := errors.New("the disk is broken"), hosting.Errorf(hosting.CodeUnavailable, "the store is away")
	tries := 0
	s.fail = func(hosting.DeploymentID) error { tries++; return away }
	if err := w.ExpireLogs(ctx); !hosting.Is(err, hosting.CodeUnavailable) || tries != 1 {
		t.Errorf("a store that is away is asked %d times: %v", tries, err)
	}
	s.fail = func(id hosting.DeploymentID) error {
		if id == ids[1] {
			return broken
		}
		return nil
	}
	if err := w.ExpireLogs(ctx); !errors.Is(err, broken) {
		t.Errorf("it ended with %v", err)
	}
	if !w.gone(ids[0]) || w.gone(ids[1]) || !w.gone(ids[2]) {
		t.Error("not all but the broken log are deleted")
	}
	s.fail = nil
	w.ok(w.ExpireLogs(ctx))
	if !w.gone(ids[1]) {
		t.Error("it was not tried again")
	}
}

func TestLogs_AreKeptForEverWhereThatIsSaid(t *testing.T) {
	w := open(t)
	id := w.built(ann, w.project("site"), said("x"))[0]
	w.clock.pass(3650 * 24 * time.Hour)
	w.ok(w.ExpireLogs(t.Context()))
	if w.gone(id) {
		t.Error("it is deleted")
	}
}
