package state_test

import (
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestCopy_TakesEverythingAndBeginsAnew(t *testing.T) {
	from, to := openDB(t), openDB(t)
	const many = 2500
	var before hosting.Mark
	err := from.Update(t.Context(), func(tx state.Tx) (err error) {
		for i := range many {
			p := hosting.Pointer{Project: "prj_a", Name: string(state.K("d/" + state.Asc(uint64(i)))), Deployment: "dpl_a"}
			if before, err = from.System().Commit(tx, &hosting.Change{Pointers: []hosting.Pointer{p}}); err != nil {
				return err
			}
		}
		return from.Team("team_a").Projects.Put(tx, &hosting.Project{ID: "prj_a", Slug: "shop"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Join(t.Context(), state.Node{Name: "a", Alone: "x"}); err != nil {
		t.Fatal(err)
	}
	if n, err := state.Copy(t.Context(), from, to); err != nil || n < many {
		t.Fatalf("%d rows, %v", n, err)
	}
	head, err := state.Feed{DB: to}.Head(t.Context())
	if err != nil || head.Epoch <= before.Epoch || head.Seq <= before.Seq {
		t.Errorf("the head is %v (%v), before it was %v", head, err, before)
	}
	// Who followed the one takes a snapshot of the other, and then its changes.
	if _, complete, err := (state.Feed{DB: to}).Changes(t.Context(), before, 10); complete || err != nil {
		t.Errorf("changes after %v are complete: %v, %v", before, complete, err)
	}
	pointers := 0
	mark, err := state.Feed{DB: to}.Snapshot(t.Context(), func(c hosting.Change) error {
		pointers += len(c.Pointers)
		return nil
	})
	if err != nil || mark != head || pointers != many {
		t.Errorf("the snapshot has %d pointers at %v, %v", pointers, mark, err)
	}
	var next hosting.Mark
	err = to.Update(t.Context(), func(tx state.Tx) (err error) {
		if p, err := to.Team("team_a").Projects.Get(tx, "prj_a"); err != nil || p.Slug != "shop" {
			t.Errorf("the project is %+v, %v", p, err)
		}
		next, err = to.System().Commit(tx, &hosting.Change{Sites: []hosting.Site{{Name: "shop"}}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if cs, complete, err := (state.Feed{DB: to}).Changes(t.Context(), head, 10); err != nil || !complete || len(cs) != 1 || cs[0].Mark != next {
		t.Errorf("after it: %v, %v, %v", cs, complete, err)
	}
	if err := to.Join(t.Context(), state.Node{Name: "b"}); err != nil {
		t.Errorf("control planes were copied: %v", err)
	}
	if _, err := state.Copy(t.Context(), from, to); !hosting.Is(err, hosting.CodeConflict) {
		t.Errorf("over what is there: %v", err)
	}
}
