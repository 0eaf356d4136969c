package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/seal"
)

// lockLook is how often who waits for a lock looks whether it is free.
const lockLook = time.Second

// Lock is a lease on one piece of work, which its holder has until Unlock. Its row is gone when
// nobody has it, so that names may be as many as there is work.
type Lock struct {
	db    DB
	lease Lease // written by the goroutine that keeps it, until that has ended
	stop  context.CancelFunc
	kept  chan struct{} // closed when that goroutine has ended
}

// Lock waits until nobody has the lock of that name, and takes it: one that was not given back
// is taken once its holder showed no sign of life for leaseTTL. It fails at once when the store
// does, and when ctx ends. The holder learns by Unlock alone that it lost the lock meanwhile,
// since it could not reach the store.
func (db DB) Lock(ctx context.Context, name string) (*Lock, error) {
	// One holder for each call: also two of one process exclude each other.
	name, holder := "lock/"+name, seal.NewToken()
	var seen Lease
	since := time.Now()
	for {
		l, err := db.takeLease(ctx, name, holder, seen, time.Since(since) >= leaseTTL)
		if err == nil {
			return db.keepLock(l), nil
		}
		if !errors.Is(err, errLost) {
			return nil, err
		}
		if l != seen {
			seen, since = l, time.Now()
		}
		_ = pause.For(ctx, lockLook)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for the lock %s: %w", name, err)
		}
	}
}

// keepLock shows signs of life until Unlock.
func (db DB) keepLock(lease Lease) *Lock {
	ctx, stop := context.WithCancel(context.Background())
	l := &Lock{db: db, lease: lease, stop: stop, kept: make(chan struct{})}
	go func() {
		defer close(l.kept)
		db.keepLease(ctx, &l.lease, nil)
	}()
	return l
}

// Unlock gives the lock back, once. It fails when somebody else took it meanwhile, and when the
// store cannot be reached: then others have it after leaseTTL.
func (l *Lock) Unlock(ctx context.Context) error {
	l.stop()
	<-l.kept
	ctx, cancel := context.WithTimeout(ctx, leaseBeat)
	defer cancel()
	err := l.db.Update(ctx, func(tx Tx) error {
		leases := l.db.System().leases
		now, _, err := leases.Find(tx, K(l.lease.Name))
		if err != nil {
			return err
		}
		if now.Holder != l.lease.Holder {
			return errLost
		}
		return leases.Delete(tx, K(l.lease.Name))
	})
	if err != nil {
		return fmt.Errorf("give back the lock %s: %w", l.lease.Name, err)
	}
	return nil
}
