package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/pause"
)

const (
	// leaseTTL is how long a holder that no longer shows itself keeps a lease.
	leaseTTL = 15 * time.Second
	// leaseBeat is how often a holder shows itself, and how often others look.
	leaseBeat = 5 * time.Second
)

// Lease is a role that one process at a time has. Fence grows with each holder, Beat with each
// sign of life. No time of a clock is in it: others wait for leaseTTL of their own while it
// stays the same.
type Lease struct {
	Name   string `json:"name"`
	Holder string `json:"holder,omitempty"` // "" once it was given back
	Fence  uint64 `json:"fence"`
	Beat   uint64 `json:"beat"`
}

var leases = &Table[Lease]{Name: "lease", Version: 1, Key: func(l *Lease) Key { return K(l.Name) }}

// errLost says that somebody else has the lease.
var errLost = errors.New("the lease has another holder")

// Hold runs fn whenever this process has the named lease, until ctx ends, and returns ctx's
// error. The context of fn ends when the lease is lost, or may be, since the store cannot be
// reached; fn must return then. When fn returns by itself the lease is given back, and taken
// again after a beat at the earliest.
//
// The holder is this process's name, which outlives it: a process that was killed gets its own
// lease back at once. Two that run at a time must not have the same.
func (db DB) Hold(ctx context.Context, name, holder string, fn func(ctx context.Context)) error {
	var seen Lease
	since := time.Now()
	for ctx.Err() == nil {
		l, err := db.takeLease(ctx, name, holder, seen, time.Since(since) >= leaseTTL)
		switch {
		case err == nil:
			db.holdLease(ctx, l, fn)
			seen, since = Lease{}, time.Now()
		case errors.Is(err, errLost) && l != seen:
			seen, since = l, time.Now()
		}
		_ = pause.For(ctx, leaseBeat)
	}
	return ctx.Err()
}

// takeLease makes this process the holder, if nobody else is, or stale says that seen, which
// is still there, was there long enough. It returns the lease that there is now.
func (db DB) takeLease(ctx context.Context, name, holder string, seen Lease, stale bool) (l Lease, err error) {
	err = db.Update(ctx, func(tx Tx) error {
		var found bool
		if l, found, err = db.System().leases.Find(tx, K(name)); err != nil {
			return err
		}
		if found && l.Holder != "" && l.Holder != holder && !(stale && l == seen) {
			return errLost
		}
		l = Lease{Name: name, Holder: holder, Fence: l.Fence + 1}
		return db.System().leases.Put(tx, &l)
	})
	if err != nil && !errors.Is(err, errLost) {
		err = fmt.Errorf("take the lease %s: %w", name, err)
	}
	return l, err
}

// holdLease runs fn under a lease that this process has, and gives it back.
func (db DB) holdLease(ctx context.Context, l Lease, fn func(context.Context)) {
	held, lose := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(held)
	}()
	db.keepLease(held, &l, done)
	lose()
	<-done
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseBeat)
	defer cancel()
	// Should it fail, whoever comes next waits for leaseTTL.
	_ = db.writeLease(back, l, Lease{Name: l.Name, Fence: l.Fence})
}

// keepLease shows signs of life until the lease is lost, done is closed, or ctx ends.
func (db DB) keepLease(ctx context.Context, l *Lease, done <-chan struct{}) {
	beat := time.NewTicker(leaseBeat)
	defer beat.Stop()
	shown := time.Now()
	for {
		select {
		case <-beat.C:
		case <-done:
			return
		case <-ctx.Done():
			return
		}
		next := *l
		next.Beat++
		try, cancel := context.WithTimeout(ctx, leaseBeat)
		err := db.writeLease(try, *l, next)
		cancel()
		switch {
		case err == nil:
			*l, shown = next, time.Now()
		case errors.Is(err, errLost), time.Since(shown) >= leaseTTL-leaseBeat:
			return
		}
	}
}

// writeLease replaces the lease, if it is still the holder's.
func (db DB) writeLease(ctx context.Context, from, to Lease) error {
	return db.Update(ctx, func(tx Tx) error {
		l, _, err := db.System().leases.Find(tx, K(from.Name))
		if err != nil {
			return err
		}
		if l.Holder != from.Holder || l.Fence != from.Fence {
			return errLost
		}
		return db.System().leases.Put(tx, &to)
	})
}
