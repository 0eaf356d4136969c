package feed_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/feed"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/routes"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// world is a control plane's state and the store that edges read.
type world struct {
	t       *testing.T
	db      state.DB
	bell    *local.Bell
	objects object.Store
	key     seal.Key
	running sync.WaitGroup
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	objects, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = objects.Close() })
	return &world{t: t, db: state.DB{Store: s}, bell: local.New(), objects: objects, key: newKey(t)}
}

func newKey(t testing.TB) seal.Key {
	t.Helper()
	k, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (w *world) state() state.Feed { return state.Feed{DB: w.db} }

// commit commits one change of each, and rings.
func (w *world) commit(changes ...hosting.Change) (mark hosting.Mark) {
	w.t.Helper()
	err := w.db.Update(context.Background(), func(tx state.Tx) (err error) {
		for i := range changes {
			if mark, err = w.db.System().Commit(tx, &changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("commit: %v", err)
	}
	_ = w.bell.Announce(context.Background(), bell.Routes, mark)
	return mark
}

// goes runs fn until stop is called, which waits for it.
func (w *world) goes(fn func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.running.Go(func() {
		defer close(done)
		fn(ctx)
	})
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// publish runs a publisher into a store.
func (w *world) publish(to object.Store) (stop func()) {
	p := feed.NewPublisher(feed.PublisherConfig{
		Source: w.state(), Objects: to, Bell: w.bell, Key: w.key, Dir: w.t.TempDir(), SnapshotEvery: 100, Log: discard,
	})
	return w.goes(p.Run)
}

var discard = slog.New(slog.DiscardHandler)

// edge is the table of an edge that follows a store.
type edge struct {
	*routes.Table
	follower *feed.Follower
}

func (w *world) edge(from object.Store) (e edge, stop func()) {
	w.t.Helper()
	table, err := routes.Open(routes.Config{Path: filepath.Join(w.t.TempDir(), "routes.db"), Domain: "localhost"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = table.Close() })
	f := feed.NewFollower(feed.FollowerConfig{Objects: from, Keys: []seal.Key{w.key}, Dir: w.t.TempDir(), Log: discard})
	return edge{table, f}, w.goes(func(ctx context.Context) { _ = table.Follow(ctx, f, local.New()) })
}

func (w *world) wait(e edge, mark hosting.Mark, most time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if err := e.Wait(ctx, mark); err != nil {
		w.t.Fatalf("after %v the edge is at %v, want %v", most, e.Mark(), mark)
	}
}

// published is a change that puts a deployment on a site.
func published(name string, d int) hosting.Change {
	project := hosting.ProjectID("prj_" + name)
	return hosting.Change{
		Sites: []hosting.Site{{Name: name, Project: project, Team: "team_a", State: hosting.SiteActive}},
		Pointers: []hosting.Pointer{{
			Project: project, Name: hosting.PointerProduction, Deployment: deployment(d), Manifest: hosting.DigestOf(fmt.Append(nil, d)),
		}},
	}
}

func deployment(d int) hosting.DeploymentID { return hosting.DeploymentID(fmt.Sprintf("dpl_%d", d)) }

// some changes a few of a hundred sites: publishes, deletions, domains.
func some(r *rand.Rand, d int) hosting.Change {
	name := fmt.Sprintf("site%d", r.IntN(100))
	c := published(name, d)
	switch r.IntN(10) {
	case 0:
		c = hosting.Change{DeletedSites: []string{name}}
	case 1:
		c = hosting.Change{DeletedPointers: []hosting.PointerKey{{Project: c.Sites[0].Project, Name: hosting.PointerProduction}}}
	case 2:
		c.Hosts = []hosting.Host{{Name: name + ".example", Project: c.Sites[0].Project}}
	case 3:
		c = hosting.Change{DeletedHosts: []string{name + ".example"}}
	}
	return c
}

// shown is what the hosts of some show, on a table.
func shown(t *routes.Table) map[string]hosting.DeploymentID {
	all := map[string]hosting.DeploymentID{}
	for i := range 100 {
		for _, host := range []string{fmt.Sprintf("site%d.localhost", i), fmt.Sprintf("site%d.example", i)} {
			if r, ok := t.Lookup(host); ok {
				all[host] = r.Pointer.Deployment
			}
		}
	}
	return all
}
