package account

import (
	"cmp"
	"context"
	"runtime"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// gate is the one way to argon2id. Each hash takes a processor for some tens of milliseconds
// and 19 MiB, so few run at once and few may wait: a flood of logins takes a share of the
// machine that the sites do not miss.
type gate struct {
	slots   chan struct{} // holds one for each hash that runs; nil: no bound
	waiting chan struct{} // holds one for each caller that waits
	params  params
	derive  func(password string, salt []byte, p params) []byte
}

func newGate(l HashLimits) *gate {
	g := &gate{params: current, derive: derive}
	if !l.Off {
		g.slots = make(chan struct{}, cmp.Or(max(l.Parallel, 0), max(1, runtime.GOMAXPROCS(0)/4)))
		g.waiting = make(chan struct{}, cmp.Or(max(l.Waiting, 0), 50))
	}
	return g
}

var errBusy = hosting.Errorf(hosting.CodeLimited, "too many people are signing in at once").WithHint("try again in a few seconds")

// rest is how long a slot rests after a hash, as a multiple of what that took. A hash costs
// more than its processor: its memory makes the collector run for everybody. So that a flood of
// logins is not felt by one request in a hundred, it may fill a fifth of the time. A login that
// comes alone never waits.
const rest = 4

// enter waits for a slot, for as long as ctx allows, or fails with errBusy at once where too
// many wait already.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil || g.slots == nil {
		return err
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return errBusy
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the slot back once it has rested from a hash that began then.
func (g *gate) leave(began time.Time) {
	if g.slots != nil {
		time.AfterFunc(rest*time.Since(began), func() { <-g.slots })
	}
}

// hash returns the PHC string of a password, with a fresh salt.
func (g *gate) hash(ctx context.Context, password string) (string, error) {
	if err := g.enter(ctx); err != nil {
		return "", err
	}
	defer g.leave(time.Now())
	h := phc{params: g.params, salt: newSalt()}
	h.key = g.derive(password, h.salt, h.params)
	return h.String(), nil
}

// verify compares a password with its stored PHC string, for one hash. Where there is none
// ("") it costs the same, and the answer is no. stale tells that the hash should be made anew,
// with today's parameters.
func (g *gate) verify(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	h := g.params.dummy()
	if stored != "" {
		if h, err = parsePHC(stored); err != nil {
			return false, false, err
		}
	}
	if err := g.enter(ctx); err != nil {
		return false, false, err
	}
	defer g.leave(time.Now())
	ok = h.is(g.derive(password, h.salt, h.params)) && stored != ""
	return ok, ok && h.params != g.params, nil
}
