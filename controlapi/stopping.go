package controlapi

import (
	"context"
	"errors"
	"sync"
)

// errStopping is why a stream's context ends when the process does.
var errStopping = errors.New("the server is stopping")

type stoppingKey struct{}

// WithStopping returns a request's context whose live streams end, for their readers to
// connect again, when stopping is closed. A driver whose configuration is replaced while
// requests go on uses it; the end of the process is Config.Stopping.
func WithStopping(ctx context.Context, stopping <-chan struct{}) context.Context {
	return context.WithValue(ctx, stoppingKey{}, stopping)
}

// untilStopping returns a context that also ends, with errStopping as its cause, when the
// process stops. release waits for what it started.
func (a *API) untilStopping(ctx context.Context) (_ context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	replaced, _ := ctx.Value(stoppingKey{}).(<-chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-a.cfg.Stopping:
			cancel(errStopping)
		case <-replaced:
			cancel(errStopping)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		waiting.Wait()
	}
}
