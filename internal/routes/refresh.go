package routes

import (
	"context"
	"errors"
	"sync"
)

// errIdle says that nobody follows the source now.
var errIdle = errors.New("routes: the table follows no source now")

// Refresh has Follow ask its source once more, without waiting for a bell or for the time to
// poll, and returns when the table has what the source had. All who ask meanwhile share the
// next question. It fails at once with what went wrong while Follow waits after an error, and
// with ctx's error.
func (t *Table) Refresh(ctx context.Context) error {
	answer, err := t.asks.ask()
	if err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-t.closed:
		return ErrClosed
	}
}

// asks are the callers of Refresh that the next round of Follow answers.
type asks struct {
	mu      sync.Mutex
	waiting askers
	down    error  // why no round comes soon
	rouse   func() // ends Follow's wait; nil while it does not wait
}

type askers []chan error

func (a askers) answer(err error) {
	for _, c := range a {
		c <- err // each has room for it
	}
}

func (a *asks) ask() (<-chan error, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down != nil {
		return nil, a.down
	}
	c := make(chan error, 1)
	a.waiting = append(a.waiting, c)
	if a.rouse != nil {
		a.rouse()
	}
	return c, nil
}

// take returns those who asked before a round began.
func (a *asks) take() askers {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting := a.waiting
	a.waiting = nil
	return waiting
}

// wake says what ends Follow's wait from now on. It reports whether to wait at all: not where
// somebody has asked already.
func (a *asks) wake(rouse func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rouse = rouse
	return len(a.waiting) == 0
}

// failing says why there is no round for a while, and nil that there is one again.
func (a *asks) failing(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = err
	if err != nil {
		a.waiting.answer(err)
		a.waiting = nil
	}
}

// end answers whoever still waits when Follow ends.
func (a *asks) end() { a.failing(errIdle) }
