package feed_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/feed"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/object/objecttest"
	"github.com/scale-mesh/fairway/internal/routes"
	"github.com/scale-mesh/fairway/internal/seal"
)

func TestFeed_CarriesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publish(w.objects)
		e, _ := w.edge(w.objects)
		for d := range 300 {
			mark := w.commit(published("shop", d))
			w.wait(e, mark, 5*time.Second) // by polling alone
			if r, ok := e.Lookup("shop.localhost"); !ok || r.Pointer.Deployment != deployment(d) {
				t.Fatalf("the edge shows %v, want %s", r, deployment(d))
			}
		}
	})
}

// Whatever the store does, edges that began at different times, stopped and began again end
// with what the state has, and none ever went back.
func TestFeed_EdgesEndEqualOverAStoreThatFailsAndLies(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			faulty := objecttest.NewFaulty(w.objects, objecttest.Faults{
				Seed: seed, Delay: time.Second, Fail: 0.15, Lose: 0.05, Short: 0.03, Long: 0.03, Wrong: 0.03, Stale: 0.03,
			})
			r := rand.New(rand.NewPCG(seed, 1))
			stopPublisher := w.publish(faulty)
			var edges []edge
			var mark hosting.Mark
			for d := range 400 {
				mark = w.commit(some(r, d))
				time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
				if d%100 == 50 {
					e, _ := w.edge(faulty)
					edges = append(edges, e)
					w.neverBack(e)
				}
				if d == 200 {
					stopPublisher()
					stopPublisher = w.publish(faulty)
				}
			}
			want := w.direct(mark)
			for i, e := range edges {
				w.wait(e, mark, 10*time.Minute)
				if got := shown(e.Table); !maps.Equal(got, want) {
					t.Errorf("seed %d: edge %d shows %d hosts, want %d, or other deployments", seed, i, len(got), len(want))
				}
			}
			if calls := faulty.Calls(); calls.Failed == 0 || calls.Lies() < 10 {
				t.Errorf("the store misbehaved too little: %+v", calls)
			}
		})
	}
}

// direct is what a table shows that follows the state itself.
func (w *world) direct(mark hosting.Mark) map[string]hosting.DeploymentID {
	w.t.Helper()
	table, err := routes.Open(routes.Config{Path: w.t.TempDir() + "/routes.db", Domain: "localhost"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = table.Close() })
	stop := w.goes(func(ctx context.Context) { _ = table.Follow(ctx, w.state(), local.New()) })
	w.wait(edge{table, nil}, mark, time.Minute)
	stop()
	return shown(table)
}

// neverBack watches the marks of an edge.
func (w *world) neverBack(e edge) {
	w.goes(func(ctx context.Context) {
		for last := (hosting.Mark{}); ctx.Err() == nil; {
			now := e.Mark()
			if now.Compare(last) < 0 {
				w.t.Errorf("an edge went back from %v to %v", last, now)
			}
			last = now
			pause(ctx, 50*time.Millisecond)
		}
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func TestFeed_KeepsTwoSnapshotsAndWhatFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publish(w.objects)
		behind, stop := w.edge(w.objects)
		w.wait(behind, w.commit(published("shop", 0)), time.Minute)
		stop()
		var mark hosting.Mark
		for d := range 1000 {
			mark = w.commit(published("shop", d))
		}
		late, _ := w.edge(w.objects)
		w.wait(late, mark, time.Minute)
		synctest.Wait()
		changes, snapshots := 0, 0
		all, err := w.objects.List(t.Context(), "feed/", "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			if strings.Contains(o.Key, "snapshot") {
				snapshots++
			} else {
				changes++
			}
		}
		if snapshots > 2 || changes > 2*256+100 {
			t.Errorf("%d snapshots and %d changes are left of 1,000", snapshots, changes)
		}
		// One that is behind what is left comes along by a snapshot.
		f := feed.NewFollower(feed.FollowerConfig{Objects: w.objects, Keys: []seal.Key{w.key}, Dir: t.TempDir(), Log: discard})
		if _, complete, err := f.Changes(t.Context(), behind.Mark(), 256); complete || err != nil {
			t.Errorf("changes after %v: complete %v, %v", behind.Mark(), complete, err)
		}
	})
}

// A head that a former publisher writes late takes no edge back, and is gone within a minute.
func TestFeed_AnOldHeadHidesNothingForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publish(w.objects)
		e, _ := w.edge(w.objects)
		w.wait(e, w.commit(published("shop", 1)), time.Minute)
		old := w.body("feed/head")
		second := w.commit(published("shop", 2))
		w.wait(e, second, time.Minute)

		w.put("feed/head", old)
		fresh, _ := w.edge(w.objects)
		time.Sleep(10 * time.Second)
		if e.Mark() != second {
			t.Errorf("the edge went from %v to %v", second, e.Mark())
		}
		if fresh.Mark() == second {
			t.Error("the old head is not there: the test shows nothing")
		}
		w.wait(fresh, second, time.Minute)
	})
}

func (w *world) body(key string) []byte {
	w.t.Helper()
	r, _, err := w.objects.Get(context.Background(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) put(key string, b []byte) {
	w.t.Helper()
	if err := w.objects.Put(context.Background(), key, bytes.NewReader(b), object.Check{Size: int64(len(b))}); err != nil {
		w.t.Fatal(err)
	}
}

// A state that is behind what edges were told publishes nothing.
func TestPublisher_NeverGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, restored := newWorld(t), newWorld(t)
		first := w.commit(published("shop", 1))
		restored.objects, restored.key = w.objects, w.key
		restored.commit(published("shop", 3)) // in an epoch that began at the same time
		stop := w.publish(w.objects)
		e, _ := w.edge(w.objects)
		w.wait(e, first, time.Minute)
		second := w.commit(published("shop", 2))
		w.wait(e, second, time.Minute)
		stop()
		restored.publish(w.objects)
		time.Sleep(5 * time.Minute)
		if r, _ := e.Lookup("shop.localhost"); e.Mark() != second || r.Pointer.Deployment != deployment(2) {
			t.Errorf("the edge is at %v and shows %s", e.Mark(), r.Pointer.Deployment)
		}
	})
}

// Who can write to the store and has not the key changes nothing that an edge shows.
func TestFollower_BelievesOnlyWhatIsSigned(t *testing.T) {
	other := newKey(t)
	for name, forge := range map[string]func(w *world){
		"another key": func(w *world) { w.key = other },
		"a flipped bit": func(w *world) {
			w.each(func(_ string, b []byte) []byte { b[len(b)-2] ^= 1; return b })
		},
		"a change under another number": func(w *world) {
			var last []byte
			w.each(func(key string, b []byte) []byte {
				if strings.HasSuffix(key, "1") && !strings.Contains(key, "snapshot") {
					last = b
				}
				return b
			})
			w.each(func(key string, b []byte) []byte {
				if strings.Contains(key, "snapshot") || key == "feed/head" {
					return b
				}
				return last
			})
		},
		"empty":         func(w *world) { w.each(func(string, []byte) []byte { return nil }) },
		"an error page": func(w *world) { w.each(func(string, []byte) []byte { return []byte("<html>502</html>") }) },
		"no signature": func(w *world) {
			w.each(func(_ string, b []byte) []byte { _, p, _ := bytes.Cut(b, []byte("\n")); return p })
		},
		"not forged (control)": func(*world) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				stop := w.publish(w.objects)
				e, halt := w.edge(w.objects)
				seen := w.commit(published("shop", 1))
				w.wait(e, seen, time.Minute)
				halt()
				mark := w.commit(published("shop", 2), published("shop", 3))
				time.Sleep(time.Minute)
				stop()
				forge(w)
				w.goes(func(ctx context.Context) {
					f := feed.NewFollower(feed.FollowerConfig{Objects: w.objects, Keys: []seal.Key{w.key}, Dir: t.TempDir(), Log: discard})
					_ = e.Follow(ctx, f, local.New())
				})
				time.Sleep(time.Minute)
				want := seen
				if strings.Contains(name, "control") {
					want = mark
				}
				if e.Mark() != want {
					t.Errorf("the edge is at %v, want %v", e.Mark(), want)
				}
			})
		})
	}
}

// each replaces every object of the feed.
func (w *world) each(fn func(key string, b []byte) []byte) {
	w.t.Helper()
	all, err := w.objects.List(context.Background(), "feed/", "", 10_000)
	if err != nil || len(all) == 0 {
		w.t.Fatalf("%d objects, %v", len(all), err)
	}
	for _, o := range all {
		w.put(o.Key, fn(o.Key, w.body(o.Key)))
	}
}

// An edge takes what either of two keys signed, so that a key can be changed.
func TestFollower_TakesTheKeyBeforeARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.publish(w.objects)
		mark := w.commit(published("shop", 1))
		time.Sleep(10 * time.Second)
		stop()
		f := feed.NewFollower(feed.FollowerConfig{Objects: w.objects, Keys: []seal.Key{newKey(t), w.key}, Dir: t.TempDir(), Log: discard})
		if head, err := f.Head(t.Context()); err != nil || head != mark {
			t.Errorf("the head is %v (%v), want %v", head, err, mark)
		}
		// The new key's publisher finds a head that it cannot verify, and begins anew.
		w.key = newKey(t)
		w.publish(w.objects)
		e, _ := w.edge(w.objects)
		w.wait(e, mark, time.Minute)
	})
}
