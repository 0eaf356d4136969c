package routes

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// answer is what a Lookup tells, but for its mark.
type answer struct {
	Site       hosting.Site
	Pointer    hosting.Pointer
	Production bool
}

// model answers as the table should, by looking at everything there is.
type model struct {
	sites    []hosting.Site
	pointers []hosting.Pointer
	hosts    []hosting.Host
}

// modelOf reads the model from the state itself, not from its changes.
func modelOf(t testing.TB, db state.DB) (m model) {
	t.Helper()
	err := db.View(context.Background(), func(tx state.Tx) (err error) {
		s := db.System()
		if m.sites, err = s.Sites.List(tx, "", "", 10_000); err != nil {
			return err
		}
		if m.pointers, err = s.Pointers.List(tx, "", "", 10_000); err != nil {
			return err
		}
		m.hosts, err = s.Hosts.List(tx, "", "", 10_000)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (m model) lookup(host string) (answer, bool) {
	label, name, ok := hosting.ParseSiteHost(host, domain)
	if !ok {
		i := slices.IndexFunc(m.hosts, func(h hosting.Host) bool { return h.Name == host && h.Project != "" })
		if i < 0 {
			return answer{}, false
		}
		// Sites are in the order of their names: the first one's answers.
		j := slices.IndexFunc(m.sites, func(s hosting.Site) bool {
			return s.Project == m.hosts[i].Project && s.State != hosting.SiteDeleted
		})
		if j < 0 {
			return answer{}, false
		}
		name = m.sites[j].Name
	}
	for _, s := range m.sites {
		if s.Name != name || s.State == hosting.SiteDeleted {
			continue
		}
		for _, p := range m.pointers {
			if p.Project == s.Project && p.Name == hosting.PointerOf(label) {
				return answer{s, p, label == ""}, true
			}
		}
	}
	return answer{}, false
}

// The names that random changes are about. Every host below may come to show something.
var (
	names    = []string{"alpha", "beta", "gamma", "delta"}
	pointers = []string{"production", "b/main", "pr/7", "d/" + label}
	customs  = []string{"a.example", "b.example", "c.example"}
)

func allHosts() (hosts []string) {
	for _, n := range names {
		for _, p := range pointers {
			hosts = append(hosts, hosting.SiteHost(hosting.LabelOf(p), n, domain))
		}
	}
	return append(hosts, customs...)
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

func randomChange(r *rand.Rand, n int) (c hosting.Change) {
	project := hosting.ProjectID(numbered("prj", r.IntN(3)))
	for range 1 + r.IntN(2) {
		switch r.IntN(9) {
		case 0, 1:
			s := site(pick(r, names), project)
			s.State = pick(r, []hosting.SiteState{hosting.SiteActive, hosting.SiteActive, hosting.SiteSuspended, hosting.SiteDeleted})
			c.Sites = append(c.Sites, s)
		case 2, 3, 4:
			c.Pointers = append(c.Pointers, pointer(project, pick(r, pointers), hosting.DeploymentID(numbered("dpl", n))))
		case 5:
			c.Hosts = append(c.Hosts, pick(r, []hosting.Host{{Name: pick(r, customs), Project: project}, {Name: pick(r, customs), Redirect: "https://x.example"}}))
		case 6:
			c.DeletedSites = append(c.DeletedSites, pick(r, names))
		case 7:
			c.DeletedPointers = append(c.DeletedPointers, hosting.PointerKey{Project: project, Name: pick(r, pointers)})
		case 8:
			c.DeletedHosts = append(c.DeletedHosts, pick(r, customs))
		}
	}
	return c
}

func wantModel(t *testing.T, table *Table, m model, when string) {
	t.Helper()
	for _, host := range allHosts() {
		want, ok := m.lookup(host)
		for _, from := range []string{"the file or cache", "the cache"} {
			r, found := table.Lookup(host)
			if found != ok {
				t.Fatalf("%s, %s from %s: found %t, want %t", when, host, from, found, ok)
			}
			if found && (answer{r.Site, r.Pointer, r.Production} != want || r.Host != host) {
				t.Fatalf("%s, %s from %s: %+v, want %+v", when, host, from, r, want)
			}
		}
	}
}

// After random commits the table answers as the state does: with what it has cached, with a
// file opened anew, and with a snapshot.
func TestTable_AnswersAsTheStateDoes(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t)
			path := filepath.Join(t.TempDir(), "routes.db")
			table := openTable(t, path)
			found := map[bool]int{}
			for n := range 80 {
				var changes []hosting.Change
				for range 1 + r.IntN(3) {
					changes = append(changes, randomChange(r, n))
				}
				w.commit(changes...)
				switch r.IntN(12) {
				case 0: // a restart
					if err := table.Close(); err != nil {
						t.Fatal(err)
					}
					table = openTable(t, path)
				case 1: // a snapshot
					if err := table.loadSnapshot(t.Context(), w.feed()); err != nil {
						t.Fatal(err)
					}
				}
				w.catchUp(table)
				m := modelOf(t, w.db)
				wantModel(t, table, m, fmt.Sprintf("after %d commits", n+1))
				for _, host := range allHosts() {
					_, ok := m.lookup(host)
					found[ok]++
				}
			}
			if found[true] < 100 || found[false] < 100 {
				t.Errorf("the random changes were one-sided: %v", maps.Collect(maps.All(found)))
			}
		})
	}
}

// FuzzLookup compares what the cache answers, what the file answers and what the model says.
func FuzzLookup(f *testing.F) {
	w, table := newWorld(f), newTable(f)
	w.commit(shop(), published("beta", "prj_b", "dpl_b"), hosting.Change{Sites: []hosting.Site{{Name: "held", Project: "prj_c", State: hosting.SiteDeleted}}})
	w.catchUp(table)
	m := modelOf(f, w.db)
	for _, host := range []string{
		"shop.localhost", "main--shop.localhost", "pr-7--shop.localhost:443", label + "--SHOP.localhost.", "shop.example",
		"beta.localhost", "held.localhost", "old.example", "localhost", "a--b--shop.localhost", "x\x00y", "", "127.0.0.1", "[::1]:80",
	} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		canonical, ok := hosting.CanonicalHost(host)
		if !ok {
			canonical = host // whatever gets that far must not be found, nor do harm
		}
		want, known := m.lookup(canonical)
		fresh, err := table.resolve(table.file.Load(), canonical)
		if err != nil {
			t.Fatalf("%q: %v", canonical, err)
		}
		for range 2 {
			r, found := table.Lookup(canonical)
			if found != known || found != (fresh != nil) {
				t.Fatalf("%q: found %t, want %t; in the file %t", canonical, found, known, fresh != nil)
			}
			if !found {
				continue
			}
			if (answer{r.Site, r.Pointer, r.Production}) != want || *r != *fresh {
				t.Fatalf("%q: %+v, want %+v; in the file %+v", canonical, r, want, fresh)
			}
			if !ok {
				t.Fatalf("%q is not canonical and shows %+v", host, r)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	w, table := newWorld(b), newTable(b)
	w.commit(shop())
	w.catchUp(table)
	for name, host := range map[string]string{"hit": "shop.localhost", "unknown": "nobody.localhost", "unknown domain": "nobody.example"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Lookup(host)
			}
		})
	}
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		f := table.file.Load()
		for b.Loop() {
			if r, err := table.resolve(f, "shop.localhost"); r == nil || err != nil {
				b.Fatal(r, err)
			}
		}
	})
}
