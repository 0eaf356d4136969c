package account

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// crowd counts how many hashes run at once; each waits until it is let go.
type crowd struct {
	now, peak atomic.Int64
	let       chan struct{}
}

func (c *crowd) derive(string, []byte, argon.Params) []byte {
	n := c.now.Add(1)
	for p := c.peak.Load(); n > p && !c.peak.CompareAndSwap(p, n); p = c.peak.Load() {
	}
	<-c.let
	c.now.Add(-1)
	return make([]byte, argon.KeySize)
}

func TestGate_BoundsHowManyHashAtOnceAndHowManyWait(t *testing.T) {
	for name, tc := range map[string]struct {
		limits     HashLimits
		peak, busy int
	}{
		"bounded":              {HashLimits{Parallel: 3, Waiting: 20}, 3, 77},
		"off":                  {HashLimits{Off: true}, 100, 0},
		"by default":           {HashLimits{}, max(1, runtime.GOMAXPROCS(0)/4), 0},
		"with room for all":    {HashLimits{Parallel: 2, Waiting: 98}, 2, 0},
		"with room but of one": {HashLimits{Parallel: 2, Waiting: 97}, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &crowd{let: make(chan struct{})}
				g := newGate(Config{Hashes: tc.limits})
				g.derive = c.derive
				var busy, done atomic.Int64
				for range 100 {
					go func() {
						_, err := g.hash(t.Context(), good)
						switch {
						case hosting.Is(err, hosting.CodeLimited):
							busy.Add(1)
						case err == nil:
							done.Add(1)
						default:
							t.Error(err)
						}
					}()
				}
				synctest.Wait()
				if int(c.peak.Load()) != tc.peak || int(busy.Load()) != tc.busy {
					t.Errorf("%d at once and %d sent away, want %d and %d", c.peak.Load(), busy.Load(), tc.peak, tc.busy)
				}
				close(c.let)
				synctest.Wait()
				if int(done.Load()) != 100-tc.busy || int(c.peak.Load()) != tc.peak {
					t.Errorf("%d were hashed, %d at once", done.Load(), c.peak.Load())
				}
			})
		})
	}
}

func TestGate_LetsGoOfWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{let: make(chan struct{})}
		g := newGate(Config{Hashes: HashLimits{Parallel: 1, Waiting: 1}})
		g.derive = c.derive
		hash := func(ctx context.Context) chan error {
			out := make(chan error, 1)
			go func() { _, err := g.hash(ctx, good); out <- err }()
			synctest.Wait()
			return out
		}
		runs := hash(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		waits := hash(ctx)
		if err := <-hash(t.Context()); !hosting.Is(err, hosting.CodeLimited) {
			t.Errorf("a third is answered %v", err)
		}
		cancel()
		if err := <-waits; err != context.Canceled {
			t.Errorf("who gave up is told %v", err)
		}
		next := hash(t.Context())
		close(c.let)
		if err := <-runs; err != nil {
			t.Error(err)
		}
		if err := <-next; err != nil {
			t.Errorf("the place of who gave up stays taken: %v", err)
		}
		if err := <-hash(ctx); err != context.Canceled {
			t.Errorf("a request that has ended is hashed: %v", err)
		}
	})
}

func TestLogIn_AFullGateCostsNoTry(t *testing.T) {
	w := newWorld(t)
	w.owner()
	full := w.another()
	full.gate = newGate(Config{Hashes: HashLimits{Parallel: 1, Waiting: 1}})
	full.gate.seats <- struct{}{}
	full.gate.seats <- struct{}{}
	for range 20 {
		_, err := full.LogIn(t.Context(), "owner@site.test", good, here)
		w.is(err, hosting.CodeLimited)
		if err.Error() != errBusy.Error() {
			t.Fatalf("the person is told %v", err)
		}
	}
	written := func() (found bool) {
		err := w.cfg.DB.View(t.Context(), func(tx state.Tx) (err error) {
			_, found, err = w.sys.Tries.Find(tx, state.K(loginTries.account("owner@site.test")))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if written() {
		t.Error("who was sent away cost a write")
	}
	w.logIn("owner@site.test")
	if !written() {
		t.Error("a login is not counted: what was looked for is not there at all")
	}
}
