package account

import (
	"cmp"
	"context"
	"runtime"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// gate is the one way to argon2id. Each hash takes a processor for some tens of milliseconds
// and 19 MiB, so few run at once and few may wait: a flood of logins takes a share of the
// machine that the sites do not miss.
type gate struct {
	slots  chan struct{} // holds one for each hash that runs; nil: no bound
	seats  chan struct{} // holds one for each caller that hashes or waits
	params argon.Params
	derive func(password string, salt []byte, p argon.Params) []byte
}

func newGate(c Config) *gate {
	g := &gate{params: argon.Recommended, derive: argon.Key}
	if c.Hashes.Off {
		return g
	}
	g.slots = make(chan struct{}, cmp.Or(max(c.Hashes.Parallel, 0), max(1, runtime.GOMAXPROCS(0)/4)))
	g.seats = make(chan struct{}, cap(g.slots)+cmp.Or(max(c.Hashes.Waiting, 0), 500))
	if c.Derive != nil {
		g.derive = c.Derive
	}
	return g
}

var errBusy = hosting.Errorf(hosting.CodeLimited, "too many people are signing in at once").WithHint("try again in a few seconds")

// enter waits for its turn to hash, for as long as ctx allows, or fails with errBusy at once
// where too many wait already. Who waits has cost next to nothing, not even a write. leave lets
// the next one in.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil || g.slots == nil {
		return func() {}, err
	}
	select {
	case g.seats <- struct{}{}:
	default:
		return nil, errBusy
	}
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots; <-g.seats }, nil
	case <-ctx.Done():
		<-g.seats
		return nil, ctx.Err()
	}
}

// hash returns the PHC string of a password, with a fresh salt.
func (g *gate) hash(ctx context.Context, password string) (string, error) {
	leave, err := g.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	h := argon.Hash{Params: g.params, Salt: argon.NewSalt()}
	h.Key = g.derive(password, h.Salt, h.Params)
	return h.String(), nil
}

// HashPassword returns the PHC string of a password that is none of a person: a site's. It
// waits for its turn as logins do, and fails with CodeLimited where too many wait.
func (s *Service) HashPassword(ctx context.Context, password string) (string, error) {
	return s.gate.hash(ctx, password)
}

// verify compares a password with its stored PHC string, for one hash, for a caller who has
// entered. Where there is none ("") it costs the same, and the answer is no. stale tells that
// the hash should be made anew, with today's parameters.
func (g *gate) verify(stored, password string) (ok, stale bool, err error) {
	h := g.params.Dummy()
	if stored != "" {
		if h, err = argon.Parse(stored); err != nil {
			return false, false, err
		}
	}
	ok = h.Is(g.derive(password, h.Salt, h.Params)) && stored != ""
	return ok, ok && h.Params != g.params, nil
}
