package routes

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// filled returns the bytes of a table's file with some hundred sites in it, and the world
// they come from.
func filled(t *testing.T) (*world, []byte) {
	t.Helper()
	w := newWorld(t)
	var c hosting.Change
	for i := range 300 {
		project := hosting.ProjectID(numbered("prj", i))
		c.Sites = append(c.Sites, site(numbered("site", i), project))
		c.Pointers = append(c.Pointers, pointer(project, hosting.PointerProduction, hosting.DeploymentID(numbered("dpl", i))))
		c.Hosts = append(c.Hosts, hosting.Host{Name: numbered("host", i) + ".example", Project: project})
	}
	w.commit(c)
	path := filepath.Join(t.TempDir(), "routes.db")
	table := openTable(t, path)
	w.catchUp(table)
	w.commit(published("site-0", "prj-0", "dpl-0"))
	w.catchUp(table)
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return w, whole
}

// wantTruth looks at every tenth site: after Open it may be unknown, but never be another's.
func wantTruth(t *testing.T, table *Table, mayBeAbsent bool) {
	t.Helper()
	for i := 0; i < 300; i += 10 {
		want := hosting.DeploymentID(numbered("dpl", i))
		for _, host := range []string{numbered("site", i) + ".localhost", numbered("host", i) + ".example"} {
			if got := deployment(table, host); got != want && (got != "" || !mayBeAbsent) {
				t.Fatalf("%s shows %q, want %q", host, got, want)
			}
		}
	}
}

func TestOpen_SetsADamagedFileAsideAndBuildsAnew(t *testing.T) {
	w, whole := filled(t)
	for name, content := range map[string][]byte{
		"cut off":          whole[:20*4096],
		"cut in its metas": whole[:5000],
		"one byte":         whole[:1],
		"other content":    bytes.Repeat([]byte("not a database. "), 4096),
		"zeroes":           make([]byte, len(whole)),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "routes.db")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			log := &lines{}
			table := openLogging(t, path, log.handler())
			if table.Mark() != (hosting.Mark{}) || log.count("set aside") != 1 {
				t.Errorf("at %v with %d lines in the log", table.Mark(), log.count("set aside"))
			}
			if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("the damaged file was not kept: %v", err)
			}
			w.catchUp(table)
			wantTruth(t, table, false)
		})
	}
}

// Whatever bytes of the file are changed, opening it ends, and nobody is shown what is another's.
func TestOpen_NeverServesFromADamagedFile(t *testing.T) {
	w, whole := filled(t)
	r := rand.New(rand.NewPCG(5, 6))
	path := filepath.Join(t.TempDir(), "routes.db")
	const rounds = 40
	noticed := 0
	for range rounds {
		content := bytes.Clone(whole)
		damage(r, content)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		table := openTable(t, path)
		wantTruth(t, table, true)
		table.verify(t.Context(), table.file.Load()) // as Follow does
		if table.file.Load().faulty.Load() || table.Mark() == (hosting.Mark{}) {
			noticed++
		} else {
			wantTruth(t, table, false)
		}
		w.catchUp(table)
		wantTruth(t, table, false)
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The rest fell on pages that are free, or on one of the two metas, of which one is enough.
	if noticed < rounds/2 {
		t.Errorf("of %d damaged files %d were noticed", rounds, noticed)
	}
}

// damage changes content as a disk might: flips a few bytes, most of them where the pages
// say what is in them, or swaps two pages, or zeroes one.
func damage(r *rand.Rand, content []byte) {
	const page = 4096
	pages := len(content) / page
	at := func(n int) []byte { return content[n*page : (n+1)*page] }
	switch r.IntN(4) {
	case 0:
		for range 1 + r.IntN(4) {
			content[r.IntN(len(content))] ^= byte(1 << r.IntN(8))
		}
	case 1: // headers and elements
		for range 1 + r.IntN(3) {
			at(r.IntN(min(pages, 60)))[r.IntN(80)] = byte(r.IntN(256))
		}
	case 2:
		a, b := r.IntN(min(pages, 60)), r.IntN(min(pages, 60))
		former := bytes.Clone(at(a))
		copy(at(a), at(b))
		copy(at(b), former)
	case 3:
		clear(at(r.IntN(min(pages, 60))))
	}
}

// What stands there is not the table's to move: a folder, say, or a file that may not be read.
func TestOpen_FailsWhereTheMachineRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Path: path, Domain: domain}); err == nil {
		t.Error("it was opened")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("what stood there is gone: %v", err)
	}
}

// A record that went bad while the table is open is noticed when it is read. Its host is
// unknown for as long as it takes to load a snapshot.
func TestLookup_HasADamagedFileBuiltAnew(t *testing.T) {
	w := newWorld(t)
	log := &lines{}
	table := openLogging(t, filepath.Join(t.TempDir(), "routes.db"), log.handler())
	w.commit(shop())
	w.catchUp(table)
	former := table.file.Load()
	err := former.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(sitesBucket)
		return b.Put([]byte("shop"), append(bytes.Clone(b.Get([]byte("shop"))), ' '))
	})
	if err != nil {
		t.Fatal(err)
	}
	wantShown(t, table, "shop.localhost", "")
	if log.count("will be built anew") != 1 {
		t.Errorf("the log has %d lines about it, want 1", log.count("will be built anew"))
	}
	w.catchUp(table)
	wantShown(t, table, "shop.localhost", "dpl_live")
	if table.file.Load() == former {
		t.Error("the damaged file is still there")
	}
}

func TestApply_LeavesABadRecordOutAndKeepsTheLastGoodOne(t *testing.T) {
	w := newWorld(t)
	log := &lines{}
	table := openLogging(t, filepath.Join(t.TempDir(), "routes.db"), log.handler())
	w.commit(shop())
	w.catchUp(table)
	bad := hosting.Change{
		Sites: []hosting.Site{{Name: "shop", Project: "prj_a", State: "sold"}, {Name: "UPPER", Project: "prj_a", State: hosting.SiteActive}, {Name: "nobody", State: hosting.SiteActive}, site("good", "prj_g")},
		Pointers: []hosting.Pointer{
			{Project: "prj_a", Name: "production", Deployment: "dpl_bad"}, pointer("prj_a", "production/x", "dpl_bad"), pointer("prj_a", "b/main", ""),
			pointer("", "production", "dpl_bad"), pointer("prj_a\x00x", "production", "dpl_bad"), pointer("prj_g", "production", "dpl_good"),
		},
		Hosts: []hosting.Host{{Name: "shop.example"}, {Name: "Shop.Example", Project: "prj_g"}, {Name: "good.example", Project: "prj_g"}},
	}
	w.commit(bad)
	look := func(way string) {
		t.Helper()
		for host, want := range map[string]hosting.DeploymentID{
			"shop.localhost": "dpl_live", "main--shop.localhost": "dpl_main", "shop.example": "dpl_live",
			"good.localhost": "dpl_good", "good.example": "dpl_good", "nobody.localhost": "",
		} {
			if got := deployment(table, host); got != want {
				t.Errorf("%s, %s shows %q, want %q", way, host, got, want)
			}
		}
	}
	w.catchUp(table)
	look("by changes")
	if n := log.count("last good version"); n != 10 {
		t.Errorf("%d records were left out, want 10", n)
	}
	if err := table.loadSnapshot(t.Context(), w.feed()); err != nil {
		t.Fatal(err)
	}
	look("by a snapshot")
	if _, err := checkAgain(table); err != nil {
		t.Errorf("the snapshot's file: %v", err)
	}
}

// checkAgain runs the checks that Open and Follow make over the table's file.
func checkAgain(table *Table) (m meta, err error) {
	f := table.file.Load()
	err = f.view(func(tx *bbolt.Tx) (err error) {
		m, err = checkHead(tx)
		return err
	})
	for _, b := range [][]byte{sitesBucket, pointersBucket, hostsBucket, namesBucket} {
		if err == nil {
			err = verifyBucket(context.Background(), f, b)
		}
	}
	return m, err
}

// A record that went bad while nobody had the file open is found by Follow, before anybody asks
// for its host.
func TestFollow_FindsWhatWentBadMeanwhile(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(t.TempDir(), "routes.db")
	table := openTable(t, path)
	w.commit(shop())
	w.catchUp(table)
	err := table.file.Load().db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(sitesBucket)
		return b.Put([]byte("shop"), append(bytes.Clone(b.Get([]byte("shop"))), ' '))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	table = openLogging(t, path, log.handler())
	former := table.file.Load()
	follow(t, table, w.feed(), w.bell)
	for tick := time.NewTicker(time.Millisecond); table.file.Load() == former; <-tick.C {
		if t.Context().Err() != nil {
			t.Fatal("the file was not built anew")
		}
	}
	wantShown(t, table, "shop.localhost", "dpl_live")
	if log.count("will be built anew") != 1 {
		t.Errorf("the log has %d lines about it, want 1", log.count("will be built anew"))
	}
}
