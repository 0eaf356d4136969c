package routes

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const label = "dabcdefghijklmno" // of a deployment's own host

// shop is a project with a site and one pointer of each kind; it has a custom domain.
func shop() hosting.Change {
	return hosting.Change{
		Sites: []hosting.Site{site("shop", "prj_a")},
		Pointers: []hosting.Pointer{
			pointer("prj_a", "production", "dpl_live"), pointer("prj_a", "b/main", "dpl_main"),
			pointer("prj_a", "pr/7", "dpl_pull"), pointer("prj_a", "d/"+label, "dpl_own"),
		},
		Hosts: []hosting.Host{{Name: "shop.example", Project: "prj_a"}, {Name: "old.example", Redirect: "https://shop.example"}},
	}
}

func TestLookup_FindsWhatAHostNames(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	mark := w.commit(shop())
	w.catchUp(table)
	for host, want := range map[string]hosting.DeploymentID{
		"shop.localhost":               "dpl_live",
		"main--shop.localhost":         "dpl_main",
		"pr-7--shop.localhost":         "dpl_pull",
		label + "--shop.localhost":     "dpl_own",
		"shop.example":                 "dpl_live",
		"www.shop.example":             "",
		"old.example":                  "", // a redirect shows no site
		"localhost":                    "",
		"":                             "",
		".localhost":                   "",
		"shop":                         "",
		"shop.localhost.example":       "",
		"other.localhost":              "",
		"other--shop.localhost":        "",
		"a.shop.localhost":             "",
		"main--main--shop.localhost":   "",
		"pr-8--shop.localhost":         "",
		"SHOP.localhost":               "", // not canonical, so not ours to read
		"production--shop.localhost":   "",
		"b/main--shop.localhost":       "",
		"\x00--shop.localhost":         "",
		"prj_a\x00production":          "",
		"shop.example.":                "",
		"main--shop.localhost.":        "",
		"xn--shop.localhost":           "",
		"dabcdefghijklmn1--shop.local": "",
	} {
		wantShown(t, table, host, want)
	}
	r, ok := table.Lookup("shop.example")
	want := site("shop", "prj_a")
	want.Seq = mark.Seq
	if !ok || r.Host != "shop.example" || r.Site != want || !r.Production || r.Mark != mark {
		t.Errorf("resolved to %+v", r)
	}
	if r, _ := table.Lookup("main--shop.localhost"); r.Production {
		t.Error("a branch's host counts as production")
	}
}

func TestLookup_FollowsWhatChanges(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	w.commit(shop())
	w.catchUp(table)
	step := func(c hosting.Change, want map[string]hosting.DeploymentID) {
		t.Helper()
		for host := range want { // so that there is something to drop
			table.Lookup(host)
		}
		w.commit(c)
		w.catchUp(table)
		for host, d := range want {
			wantShown(t, table, host, d)
		}
	}
	step(hosting.Change{Pointers: []hosting.Pointer{pointer("prj_a", "production", "dpl_next")}},
		map[string]hosting.DeploymentID{"shop.localhost": "dpl_next", "shop.example": "dpl_next", "main--shop.localhost": "dpl_main"})
	step(hosting.Change{DeletedPointers: []hosting.PointerKey{{Project: "prj_a", Name: "b/main"}}},
		map[string]hosting.DeploymentID{"main--shop.localhost": "", "shop.localhost": "dpl_next"})
	step(published("other", "prj_b", "dpl_other"), map[string]hosting.DeploymentID{"other.localhost": "dpl_other"})
	step(hosting.Change{Hosts: []hosting.Host{{Name: "shop.example", Project: "prj_b"}}}, // bound to another project
		map[string]hosting.DeploymentID{"shop.example": "dpl_other", "shop.localhost": "dpl_next"})
	step(hosting.Change{DeletedHosts: []string{"shop.example"}}, map[string]hosting.DeploymentID{"shop.example": ""})
	step(hosting.Change{Hosts: []hosting.Host{{Name: "shop.example", Project: "prj_a"}}}, map[string]hosting.DeploymentID{"shop.example": "dpl_next"})

	renamed := hosting.Site{Name: "shop", Project: "prj_a", State: hosting.SiteDeleted}
	step(hosting.Change{Sites: []hosting.Site{renamed, site("store", "prj_a")}}, // the name is held, the site goes on under another
		map[string]hosting.DeploymentID{"shop.localhost": "", "store.localhost": "dpl_next", "shop.example": "dpl_next"})
	step(hosting.Change{Sites: []hosting.Site{site("shop", "prj_b")}}, // and then is somebody else's
		map[string]hosting.DeploymentID{"shop.localhost": "dpl_other", "store.localhost": "dpl_next", "shop.example": "dpl_next"})
	step(hosting.Change{DeletedSites: []string{"store"}},
		map[string]hosting.DeploymentID{"store.localhost": "", "shop.example": "", "shop.localhost": "dpl_other"})
}

func TestLookup_LeavesSuspendedSitesToItsCaller(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	c := shop()
	c.Sites[0].State = hosting.SiteSuspended
	w.commit(c)
	w.catchUp(table)
	for _, host := range []string{"shop.localhost", "shop.example"} {
		if r, ok := table.Lookup(host); !ok || r.Site.State != hosting.SiteSuspended {
			t.Errorf("%s is %+v, %t", host, r, ok)
		}
	}
	c.Sites[0].State = hosting.SiteDeleted
	w.commit(hosting.Change{Sites: c.Sites})
	w.catchUp(table)
	wantShown(t, table, "shop.localhost", "")
	wantShown(t, table, "shop.example", "")
}

func TestLookup_OfAKnownHostAllocatesNothing(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	w.commit(shop())
	w.catchUp(table)
	for _, host := range []string{"shop.localhost", "shop.example"} {
		table.Lookup(host)
		if n := testing.AllocsPerRun(100, func() { table.Lookup(host) }); n != 0 {
			t.Errorf("%s: %v allocations", host, n)
		}
	}
}

func TestLookup_OfUnknownHostsLeavesNothingBehind(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	w.commit(shop())
	w.catchUp(table)
	for i := range 2000 {
		for _, host := range []string{numbered("x", i) + ".localhost", numbered("x", i) + "--shop.localhost", numbered("x", i) + ".example"} {
			if _, ok := table.Lookup(host); ok {
				t.Fatalf("%s was found", host)
			}
		}
	}
	if n := entries(table.file.Load().cache); n != 0 {
		t.Errorf("%d entries are cached", n)
	}
}

func TestApply_IgnoresWhatItHasAndRefusesAGap(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	mark := w.commit(published("shop", "prj_a", "dpl_1"))
	w.catchUp(table)
	next := func(seq uint64, d hosting.DeploymentID) hosting.Change {
		c := published("shop", "prj_a", d)
		c.Mark = hosting.Mark{Epoch: mark.Epoch, Seq: seq}
		return c
	}
	otherEpoch := next(2, "dpl_x")
	otherEpoch.Mark.Epoch++
	for _, c := range []struct {
		name    string
		changes []hosting.Change
		err     error
		seq     uint64
		shown   hosting.DeploymentID
	}{
		{"nothing", nil, nil, 1, "dpl_1"},
		{"what it has", []hosting.Change{next(0, "dpl_x"), next(1, "dpl_x")}, nil, 1, "dpl_1"},
		{"a gap", []hosting.Change{next(3, "dpl_x")}, ErrGap, 1, "dpl_1"},
		{"another epoch", []hosting.Change{otherEpoch}, ErrGap, 1, "dpl_1"},
		{"an earlier epoch", []hosting.Change{{Mark: hosting.Mark{Epoch: 1, Seq: 2}}}, nil, 1, "dpl_1"},
		{"what it has and the next", []hosting.Change{next(1, "dpl_x"), next(2, "dpl_2")}, nil, 2, "dpl_2"},
		{"the next, then a gap", []hosting.Change{next(3, "dpl_3"), next(5, "dpl_x")}, ErrGap, 3, "dpl_3"},
	} {
		err := table.Apply(c.changes)
		if !errors.Is(err, c.err) || table.Mark() != (hosting.Mark{Epoch: mark.Epoch, Seq: c.seq}) {
			t.Errorf("%s: %v, now at %v", c.name, err, table.Mark())
		}
		wantShown(t, table, "shop.localhost", c.shown)
	}
}

func TestApply_GoesOverSeveralTransactions(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	first := w.commit(published("shop", "prj_a", "dpl_0"))
	w.catchUp(table)
	var changes []hosting.Change
	for i := range 3*batchSize + 1 {
		c := published(numbered("site", i), hosting.ProjectID(numbered("prj", i)), "dpl_new")
		c.Mark = hosting.Mark{Epoch: first.Epoch, Seq: first.Seq + uint64(i) + 1}
		changes = append(changes, c)
	}
	if err := table.Apply(changes); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, batchSize - 1, batchSize, 3 * batchSize} {
		wantShown(t, table, numbered("site", i)+".localhost", "dpl_new")
	}
}

func TestOpen_FindsWhatItHadApplied(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "routes.db")
	table := openTable(t, path)
	mark := w.commit(shop())
	w.catchUp(table)
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	table = openTable(t, path)
	if table.Mark() != mark {
		t.Errorf("at %v, want %v", table.Mark(), mark)
	}
	wantShown(t, table, "shop.example", "dpl_live")
}

func TestOpen_SaysWhoHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.db")
	openTable(t, path)
	if _, err := Open(Config{Path: path, Domain: domain}); !hosting.Is(err, hosting.CodeConflict) {
		t.Errorf("a second Open: %v", err)
	}
}

func TestWait_ReturnsOnceTheMarkIsApplied(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	mark := w.commit(shop())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := table.Wait(ended, mark); !errors.Is(err, context.Canceled) {
		t.Errorf("before it is applied: %v", err)
	}
	result := make(chan error)
	go func() { result <- table.Wait(t.Context(), mark) }()
	w.catchUp(table)
	if err := <-result; err != nil {
		t.Errorf("a Wait from before: %v", err)
	}
	if err := table.Wait(ended, hosting.Mark{Epoch: mark.Epoch - 1, Seq: 1000}); err != nil {
		t.Errorf("for a mark of an earlier epoch: %v", err)
	}
}

func TestClose_EndsWaitsAndRefusesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := newTable(t)
		result := make(chan error)
		go func() { result <- table.Wait(t.Context(), hosting.Mark{Epoch: 1}) }()
		synctest.Wait()
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Errorf("Wait ended with %v", err)
		}
		if err := table.Apply(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Apply: %v", err)
		}
		if _, ok := table.Lookup("shop.localhost"); ok {
			t.Error("a closed table found something")
		}
	})
}

func entries(c *cache) (n int) {
	for i := range c.sets {
		for j := range c.sets[i].slots {
			if c.sets[i].slots[j].Load() != nil {
				n++
			}
		}
	}
	return n
}
