package controlapi

import (
	"context"
	"errors"
	"sync"
)

// errStopping is why a stream's context ends when the process does.
var errStopping = errors.New("Fairway is stopping") //nolint:staticcheck // a name

// untilStopping returns a context that also ends, with errStopping as its cause, when the
// process stops. release waits for what it started.
func (a *API) untilStopping(ctx context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-a.cfg.Stopping:
			cancel(errStopping)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		waiting.Wait()
	}
}
