package builder

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
)

const (
	// leaseTime is how long an attempt of which nothing is heard counts as alive. Control
	// starts another one afterwards, so that going on would only be waste.
	leaseTime = 60 * time.Second
	// maxFaults is how often an internal error is tried again: it may be a passing one,
	// but most are not.
	maxFaults = 5

	firstPause = 200 * time.Millisecond
	maxPause   = 5 * time.Second
)

// retry calls fn until it succeeds, answers something that no repetition changes, or has
// been unavailable for as long as the lease could live. fn must be safe to repeat.
func retry(ctx context.Context, fn func(context.Context) error) error {
	var pause backoff
	var since time.Time
	for faults := 0; ; {
		err := fn(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch hosting.CodeOf(err) {
		case hosting.CodeUnavailable:
		case hosting.CodeInternal:
			if faults++; faults >= maxFaults {
				return err
			}
		default:
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) >= leaseTime {
			return err
		}
		if err := pause.wait(ctx); err != nil {
			return err
		}
	}
}

// backoff waits longer every time, up to maxPause, with jitter so that many jobs that lost
// the same control do not come back at the same moment.
type backoff struct{ next time.Duration }

func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(b.next*2, firstPause), maxPause)
	return pause.For(ctx, b.next/2+rand.N(b.next/2+1))
}
