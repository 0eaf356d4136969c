package routes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestFollow_AppliesWhatWasCommittedBeforeAndAfter(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	before := w.commit(published("before", "prj_a", "dpl_1"))
	follow(t, table, w.feed(), w.bell)
	waitFor(t, table, before)
	wantShown(t, table, "before.localhost", "dpl_1")
	for i := range 20 {
		d := hosting.DeploymentID(numbered("dpl", i))
		waitFor(t, table, w.commit(published("after", "prj_b", d)))
		wantShown(t, table, "after.localhost", d)
	}
}

func TestFollow_BeginsWithAnEmptyState(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	follow(t, table, w.feed(), w.bell)
	waitFor(t, table, w.commit(published("shop", "prj_a", "dpl_1")))
	wantShown(t, table, "shop.localhost", "dpl_1")
}

// A follower that was away for longer than changes are kept loads a snapshot.
func TestFollow_LoadsASnapshotWhenChangesAreGone(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	w.commit(published("shop", "prj_a", "dpl_1"), published("gone", "prj_b", "dpl_1"))
	w.catchUp(table)
	former := table.file.Load()
	many := make([]hosting.Change, 10_010)
	many[0] = hosting.Change{DeletedSites: []string{"gone"}}
	many[1] = published("shop", "prj_a", "dpl_2")
	mark := w.commit(many...)
	w.catchUp(table)
	if table.Mark() != mark || table.file.Load() == former {
		t.Errorf("at %v, want %v by a snapshot", table.Mark(), mark)
	}
	wantShown(t, table, "shop.localhost", "dpl_2")
	wantShown(t, table, "gone.localhost", "")
	if _, err := os.Stat(table.path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the snapshot's temporary file: %v", err)
	}
}

func TestFollow_RefusesToGoBack(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	w.commit(published("shop", "prj_a", "dpl_1"))
	w.catchUp(table)
	ahead := published("shop", "prj_a", "dpl_2")
	ahead.Mark = hosting.Mark{Epoch: table.Mark().Epoch, Seq: 2}
	if err := table.Apply([]hosting.Change{ahead}); err != nil {
		t.Fatal(err)
	}
	if err := table.catchUp(t.Context(), w.feed()); !hosting.Is(err, hosting.CodeConflict) {
		t.Errorf("a state that is behind: %v", err)
	}
	wantShown(t, table, "shop.localhost", "dpl_2")
}

func TestFollow_TakesANewEpochBySnapshot(t *testing.T) {
	w, table := newWorld(t), newTable(t)
	w.commit(published("shop", "prj_a", "dpl_1"), published("lost", "prj_b", "dpl_1"))
	w.catchUp(table)
	restored := &epochs{Source: w.feed(), add: 1}
	if err := table.catchUp(t.Context(), restored); err != nil {
		t.Fatal(err)
	}
	if m, _ := restored.Snapshot(t.Context(), func(hosting.Change) error { return nil }); table.Mark() != m {
		t.Errorf("at %v, want %v", table.Mark(), m)
	}
	wantShown(t, table, "shop.localhost", "dpl_1")
}

// epochs is a Source whose epoch is add greater.
type epochs struct {
	Source
	add uint64
}

func (e *epochs) Changes(ctx context.Context, after hosting.Mark, limit int) ([]hosting.Change, bool, error) {
	after.Epoch -= e.add
	cs, complete, err := e.Source.Changes(ctx, after, limit)
	return cs, complete, err
}

func (e *epochs) Snapshot(ctx context.Context, fn func(hosting.Change) error) (hosting.Mark, error) {
	m, err := e.Source.Snapshot(ctx, fn)
	m.Epoch += e.add
	return m, err
}

// silent is a bell that loses everything; broken one that fails at once.
type (
	silent struct{ bell.Bell }
	broken struct{ bell.Bell }
)

func (silent) Listen(bell.Topic) bell.Listener { return deaf{} }
func (broken) Listen(bell.Topic) bell.Listener { return deaf{err: errTest} }

type deaf struct{ err error }

func (d deaf) Await(ctx context.Context, _ hosting.Mark) (hosting.Mark, error) {
	if d.err != nil {
		return hosting.Mark{}, d.err
	}
	<-ctx.Done()
	return hosting.Mark{}, ctx.Err()
}

func (deaf) Close() {}

var errTest = errors.New("the test's own error")

func TestFollow_SeesALostBellsChangeWithinTwoSeconds(t *testing.T) {
	for name, b := range map[string]bell.Bell{"silent": silent{}, "broken": broken{}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, table := newWorld(t), newTable(t)
				src := &counting{Source: w.feed()}
				follow(t, table, src, b)
				synctest.Wait()
				start := time.Now()
				waitFor(t, table, w.commit(published("shop", "prj_a", "dpl_1")))
				if d := time.Since(start); d > pollEvery {
					t.Errorf("it took %v", d)
				}
				<-time.After(10 * pollEvery) // of the bubble's clock
				if n := src.asked.Load(); n > 20 {
					t.Errorf("the source was asked %d times in 11 polls", n)
				}
			})
		})
	}
}

// counting counts what it is asked, and fails as long as failing is set.
type counting struct {
	Source
	asked   atomic.Int64
	failing atomic.Bool
}

func (c *counting) Changes(ctx context.Context, after hosting.Mark, limit int) ([]hosting.Change, bool, error) {
	c.asked.Add(1)
	if c.failing.Load() {
		return nil, false, errTest
	}
	return c.Source.Changes(ctx, after, limit)
}

func TestFollow_TriesAgainWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newWorld(t), newTable(t)
		w.commit(published("shop", "prj_a", "dpl_1"))
		w.catchUp(table)
		src := &counting{Source: w.feed()}
		src.failing.Store(true)
		follow(t, table, src, w.bell)
		mark := w.commit(published("shop", "prj_a", "dpl_2"))
		<-time.After(time.Hour) // of the bubble's clock
		if n := src.asked.Load(); n < 300 || n > 400 {
			t.Errorf("asked %d times in an hour, want about one in ten seconds", n)
		}
		wantShown(t, table, "shop.localhost", "dpl_1")
		src.failing.Store(false)
		waitFor(t, table, mark)
		wantShown(t, table, "shop.localhost", "dpl_2")
	})
}

// tireless says at every turn that a snapshot is needed.
type tireless struct{ counting }

func (s *tireless) Changes(context.Context, hosting.Mark, int) ([]hosting.Change, bool, error) {
	s.asked.Add(1)
	return nil, false, nil
}

func TestFollow_DoesNotLoadSnapshotsWithoutAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newWorld(t), newTable(t)
		w.commit(published("shop", "prj_a", "dpl_1"))
		src := &tireless{counting{Source: w.feed()}}
		follow(t, table, src, w.bell)
		<-time.After(time.Minute) // of the bubble's clock
		if n := src.asked.Load(); n > 40 {
			t.Errorf("asked %d times in a minute", n)
		}
		wantShown(t, table, "shop.localhost", "dpl_1")
	})
}

func TestFollow_EndsWithTheTable(t *testing.T) {
	w := newWorld(t)
	table := openTable(t, filepath.Join(t.TempDir(), "routes.db"))
	result := make(chan error)
	go func() { result <- table.Follow(t.Context(), w.feed(), w.bell) }()
	waitFor(t, table, w.commit(published("shop", "prj_a", "dpl_1")))
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	w.commit(published("shop", "prj_a", "dpl_2"))
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("Follow ended with %v", err)
	}
}

// Readers look at hosts while changes are applied and snapshots replace the file. Within one
// reader a host's mark, and the order of what it shows, never go back.
func TestLookup_NeverGoesBackBesideChanges(t *testing.T) {
	const readers, rounds, sites = 4, 60, 3
	w, table := newWorld(t), newTable(t)
	publish := func(n int) hosting.Mark {
		c := hosting.Change{}
		for i := range sites {
			project := hosting.ProjectID(numbered("prj", i))
			c.Sites = append(c.Sites, site(numbered("site", i), project))
			if i == 0 || n%(i+1) == 0 { // some projects change with every commit, some do not
				p := pointer(project, hosting.PointerProduction, "dpl_x")
				p.Order = uint64(n)
				c.Pointers = append(c.Pointers, p)
			}
		}
		return w.commit(c)
	}
	publish(0)
	w.catchUp(table)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range readers {
		all.Go(func() { watchHosts(t, table, sites, stop) })
	}
	for n := 1; n <= rounds; n++ {
		mark := publish(n)
		if n%20 == 0 {
			table.file.Load().faulty.Store(true) // have a snapshot loaded
		}
		w.catchUp(table)
		if table.Mark() != mark {
			t.Fatalf("at %v, want %v", table.Mark(), mark)
		}
	}
	close(stop)
	all.Wait()
}

func watchHosts(t *testing.T, table *Table, sites int, stop <-chan struct{}) {
	marks, orders := make([]hosting.Mark, sites), make([]uint64, sites)
	for {
		select {
		case <-stop:
			return
		default:
		}
		for i := range sites {
			before := table.Mark()
			r, ok := table.Lookup(numbered("site", i) + ".localhost")
			if !ok {
				t.Errorf("site %d is gone", i)
				return
			}
			if r.Mark.Compare(marks[i]) < 0 || r.Pointer.Order < orders[i] {
				t.Errorf("site %d went from %v (order %d) back to %v (order %d)", i, marks[i], orders[i], r.Mark, r.Pointer.Order)
			}
			if i == 0 && r.Pointer.Order+1 < before.Seq { // change n+1 sets order n
				t.Errorf("at %v site 0 still shows order %d", before, r.Pointer.Order)
			}
			marks[i], orders[i] = r.Mark, r.Pointer.Order
		}
	}
}

// Refresh shows at once what a bell has not told of.
func TestRefresh_AsksWithoutWaitingForThePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newWorld(t), newTable(t)
		table.poll = time.Hour
		follow(t, table, w.feed(), silent{w.bell})
		synctest.Wait()
		mark := w.commit(published("shop", "prj_a", "dpl_1"))
		time.Sleep(time.Minute)
		if table.Mark() == mark {
			t.Fatal("the table knows by itself: the test shows nothing")
		}
		began := time.Now()
		if err := table.Refresh(t.Context()); err != nil || table.Mark() != mark {
			t.Errorf("the table is at %v (%v), want %v", table.Mark(), err, mark)
		}
		if d := time.Since(began); d > 100*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

// Who asks while the source is away is told at once, and is not one more question to it.
func TestRefresh_FailsWhileTheSourceIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newWorld(t), newTable(t)
		src := &counting{Source: w.feed()}
		src.failing.Store(true)
		follow(t, table, src, silent{w.bell})
		time.Sleep(time.Minute)
		before := src.asked.Load()
		for range 1000 {
			if err := table.Refresh(t.Context()); !errors.Is(err, errTest) {
				t.Fatalf("got %v", err)
			}
		}
		if n := src.asked.Load() - before; n > 1 {
			t.Errorf("the source was asked %d times", n)
		}
		src.failing.Store(false)
		time.Sleep(time.Minute)
		if err := table.Refresh(t.Context()); err != nil {
			t.Errorf("the source is back: %v", err)
		}
	})
}

func TestRefresh_EndsWithTheFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, table := newWorld(t), newTable(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = table.Follow(ctx, w.feed(), w.bell) }()
		synctest.Wait()
		cancel()
		<-done
		if err := table.Refresh(t.Context()); !errors.Is(err, errIdle) {
			t.Errorf("got %v", err)
		}
	})
}
