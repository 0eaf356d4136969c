package builder

import (
	"context"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const heartbeatEvery = 5 * time.Second

// heart tells control every few seconds that the attempt lives, and at once when its phase
// changes. It ends the attempt when control says so, or is not heard of for leaseTime.
type heart struct {
	control Control
	end     context.CancelCauseFunc
	changed chan struct{}
	quit    context.CancelFunc
	done    chan struct{}

	mu   sync.Mutex
	beat hosting.Heartbeat // guarded by mu
}

func newHeart(control Control, end context.CancelCauseFunc) *heart {
	return &heart{control: control, end: end, changed: make(chan struct{}, 1), done: make(chan struct{})}
}

func (h *heart) start(ctx context.Context) {
	ctx, h.quit = context.WithCancel(ctx)
	go func() {
		defer close(h.done)
		h.run(ctx)
	}()
}

// stop ends the beating and waits for it.
func (h *heart) stop() {
	h.quit()
	<-h.done
}

// set changes what the next beat says, and sends it at once.
func (h *heart) set(change func(*hosting.Heartbeat)) {
	h.mu.Lock()
	change(&h.beat)
	h.mu.Unlock()
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

func (h *heart) run(ctx context.Context) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	heard := time.Now()
	for {
		// A call that hangs must not hide that control is silent.
		call, cancel := context.WithTimeout(ctx, heartbeatEvery)
		h.mu.Lock()
		beat := h.beat
		h.mu.Unlock()
		err := h.control.Heartbeat(call, beat)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			heard = time.Now()
		case over(err):
			h.end(err)
			return
		case time.Since(heard) >= leaseTime:
			h.end(hosting.Errorf(hosting.CodeUnavailable, "nothing was heard of control for %s", leaseTime))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-h.changed:
		}
	}
}
