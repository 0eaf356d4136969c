package state_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// kept is how many changes the feed promises to keep.
const kept = 10_000

func site(name string, project hosting.ProjectID) hosting.Site {
	return hosting.Site{Name: name, Project: project, Team: "team_a", State: hosting.SiteActive}
}

// commit commits n changes in one transaction and returns the last mark.
func commit(t *testing.T, db state.DB, n int) (mark hosting.Mark) {
	t.Helper()
	update(t, db, func(tx state.Tx) (err error) {
		for i := range n {
			c := hosting.Change{Sites: []hosting.Site{site(fmt.Sprintf("site-%d", i%7), "prj_a")}}
			if mark, err = db.System().Commit(tx, &c); err != nil {
				return err
			}
		}
		return nil
	})
	return mark
}

func TestCommit_NumbersWithoutGaps(t *testing.T) {
	db := openDB(t)
	feed := state.Feed{DB: db}
	if m, err := feed.Head(t.Context()); err != nil || m != (hosting.Mark{}) {
		t.Fatalf("a new state is at %v (%v)", m, err)
	}
	first := commit(t, db, 1)
	if first.Seq != 1 || first.Epoch == 0 {
		t.Fatalf("the first change is %v", first)
	}
	failed := db.Update(t.Context(), func(tx state.Tx) error {
		if _, err := db.System().Commit(tx, &hosting.Change{}); err != nil {
			return err
		}
		return errTest
	})
	if failed == nil {
		t.Fatal("the transaction did not fail")
	}
	next := commit(t, db, 1)
	if next != (hosting.Mark{Epoch: first.Epoch, Seq: 2}) {
		t.Errorf("after a failed transaction comes %v", next)
	}
	if m, err := feed.Head(t.Context()); err != nil || m != next {
		t.Errorf("the head is %v (%v), want %v", m, err, next)
	}
}

func TestChanges_GoOnWhereTheFollowerIs(t *testing.T) {
	db := openDB(t)
	feed := state.Feed{DB: db}
	if cs, complete, err := feed.Changes(t.Context(), hosting.Mark{}, 10); err != nil || !complete || len(cs) != 0 {
		t.Fatalf("a new state has %d changes (complete %t, %v)", len(cs), complete, err)
	}
	head := commit(t, db, 25)
	seq := func(n uint64) hosting.Mark { return hosting.Mark{Epoch: head.Epoch, Seq: n} }
	for _, c := range []struct {
		name     string
		after    hosting.Mark
		complete bool
		want     int
	}{
		{"from the beginning", seq(0), true, 10},
		{"from the middle", seq(20), true, 5},
		{"at the head", head, true, 0},
		{"who has nothing", hosting.Mark{}, false, 0},
		{"of an earlier epoch", hosting.Mark{Epoch: head.Epoch - 1, Seq: 20}, false, 0},
		{"of a later epoch", hosting.Mark{Epoch: head.Epoch + 1, Seq: 20}, false, 0},
		{"ahead of the head", seq(26), false, 0},
	} {
		cs, complete, err := feed.Changes(t.Context(), c.after, 10)
		if err != nil || complete != c.complete || len(cs) != c.want {
			t.Errorf("%s: %d changes (complete %t, %v)", c.name, len(cs), complete, err)
		}
		for i, change := range cs {
			if change.Mark != seq(c.after.Seq+uint64(i)+1) {
				t.Errorf("%s: change %d is %v", c.name, i, change.Mark)
			}
		}
	}
}

func TestChanges_AreIncompleteOnceTheyWereTrimmed(t *testing.T) {
	db := openDB(t)
	feed := state.Feed{DB: db}
	const extra = 5
	head := commit(t, db, kept+extra)
	for after, want := range map[uint64]bool{0: false, extra - 1: false, extra: true, extra + 1: true} {
		cs, complete, err := feed.Changes(t.Context(), hosting.Mark{Epoch: head.Epoch, Seq: after}, 1)
		if err != nil || complete != want || (want && cs[0].Mark.Seq != after+1) {
			t.Errorf("after %d: %v (complete %t, %v), want complete %t", after, cs, complete, err, want)
		}
	}
}

func TestNext_CountsEachNameFromOne(t *testing.T) {
	db := openDB(t)
	for round := uint64(1); round <= 3; round++ {
		update(t, db, func(tx state.Tx) error {
			for _, name := range []string{"queue", "other"} {
				if n, err := db.System().Next(tx, name); err != nil || n != round {
					t.Errorf("%s: %d (%v), want %d", name, n, err, round)
				}
			}
			return nil
		})
	}
}

func TestSnapshot_StopsAtTheCallersError(t *testing.T) {
	db := openDB(t)
	commit(t, db, 1)
	m, err := state.Feed{DB: db}.Snapshot(t.Context(), func(hosting.Change) error { return errTest })
	if err == nil || m != (hosting.Mark{}) {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestSnapshot_GivesMoreThanOnePiece(t *testing.T) {
	const n = 2500
	db := openDB(t)
	update(t, db, func(tx state.Tx) error {
		c := hosting.Change{}
		for i := range n {
			c.Sites = append(c.Sites, site(fmt.Sprintf("site-%04d", i), "prj_a"))
		}
		_, err := db.System().Commit(tx, &c)
		return err
	})
	if got := snapshot(t, db); len(got.sites) != n {
		t.Errorf("the snapshot has %d of %d sites", len(got.sites), n)
	}
}

// records are the routing records by key, as a follower would keep them.
type records struct {
	sites    map[string]hosting.Site
	pointers map[hosting.PointerKey]hosting.Pointer
	hosts    map[string]hosting.Host
}

func newRecords() records {
	return records{map[string]hosting.Site{}, map[hosting.PointerKey]hosting.Pointer{}, map[string]hosting.Host{}}
}

func (r records) apply(c hosting.Change) {
	for _, s := range c.Sites {
		r.sites[s.Name] = s
	}
	for _, p := range c.Pointers {
		r.pointers[hosting.PointerKey{Project: p.Project, Name: p.Name}] = p
	}
	for _, h := range c.Hosts {
		r.hosts[h.Name] = h
	}
	for _, name := range c.DeletedSites {
		delete(r.sites, name)
	}
	for _, k := range c.DeletedPointers {
		delete(r.pointers, k)
	}
	for _, name := range c.DeletedHosts {
		delete(r.hosts, name)
	}
}

func (r records) equal(o records) bool {
	return maps.Equal(r.sites, o.sites) && maps.Equal(r.pointers, o.pointers) && maps.Equal(r.hosts, o.hosts)
}

func snapshot(t *testing.T, db state.DB) records {
	t.Helper()
	got := newRecords()
	feed := state.Feed{DB: db}
	m, err := feed.Snapshot(t.Context(), func(c hosting.Change) error {
		got.apply(c)
		return nil
	})
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	if head, err := feed.Head(t.Context()); err != nil || m != head {
		t.Fatalf("the snapshot is at %v, the head at %v (%v)", m, head, err)
	}
	return got
}

// The snapshot, the sum of all changes, and a model that never saw the store are the same.
func TestSnapshot_IsTheSumOfItsChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	db := openDB(t)
	model, followed := newRecords(), newRecords()
	var at hosting.Mark
	for range 60 {
		update(t, db, func(tx state.Tx) error {
			for range 1 + r.IntN(3) {
				c := randomChange(r)
				m, err := db.System().Commit(tx, &c)
				if err != nil {
					return err
				}
				for _, s := range c.Sites {
					if s.Seq != m.Seq {
						t.Errorf("the site was written by %v and says %d", m, s.Seq)
					}
				}
				model.apply(c) // after it, since a Commit numbers the sites
				if at == (hosting.Mark{}) {
					at.Epoch = m.Epoch
				}
			}
			return nil
		})
		at = follow(t, db, followed, at)
		if !followed.equal(model) {
			t.Fatalf("at %v the sum of the changes is not what was committed", at)
		}
		if !snapshot(t, db).equal(model) {
			t.Fatalf("at %v the snapshot is not what was committed", at)
		}
	}
}

// follow applies the changes after the mark and returns the last one's.
func follow(t *testing.T, db state.DB, to records, at hosting.Mark) hosting.Mark {
	t.Helper()
	for {
		cs, complete, err := state.Feed{DB: db}.Changes(t.Context(), at, 2)
		if err != nil || !complete {
			t.Fatalf("changes after %v: complete %t, %v", at, complete, err)
		}
		if len(cs) == 0 {
			return at
		}
		for _, c := range cs {
			if c.Mark.Seq != at.Seq+1 {
				t.Fatalf("after %v comes %v", at, c.Mark)
			}
			to.apply(c)
			at = c.Mark
		}
	}
}

func randomChange(r *rand.Rand) (c hosting.Change) {
	project := hosting.ProjectID(fmt.Sprint("prj_", r.IntN(4)))
	name := fmt.Sprint("site-", r.IntN(5))
	pointer := []string{"production", "b/main", "pr/7"}[r.IntN(3)]
	host := fmt.Sprint("host-", r.IntN(4), ".test")
	switch r.IntN(6) {
	case 0:
		c.Sites = append(c.Sites, site(name, project))
	case 1:
		c.DeletedSites = append(c.DeletedSites, name)
	case 2:
		c.DeletedPointers = append(c.DeletedPointers, hosting.PointerKey{Project: project, Name: pointer})
	case 3:
		c.Hosts = append(c.Hosts, hosting.Host{Name: host, Project: project})
	case 4:
		c.DeletedHosts = append(c.DeletedHosts, host)
	}
	if r.IntN(2) == 0 {
		c.Pointers = append(c.Pointers, hosting.Pointer{Project: project, Name: pointer, Order: r.Uint64()})
	}
	return c
}
