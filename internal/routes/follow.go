package routes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
)

// Source is where the routing records come from. state.Feed is one.
type Source interface {
	// Changes returns up to limit changes after the mark, in order and without a gap;
	// complete is false when it cannot, and a Snapshot is needed.
	Changes(ctx context.Context, after hosting.Mark, limit int) (changes []hosting.Change, complete bool, err error)
	// Snapshot calls fn with all records in pieces, and returns the mark they are true at.
	Snapshot(ctx context.Context, fn func(hosting.Change) error) (hosting.Mark, error)
}

const (
	pollEvery = 2 * time.Second
	// Between tries after an error.
	retryFirst = 100 * time.Millisecond
	retryMost  = 10 * time.Second
)

// Follow keeps the table up with the source until ctx ends, and returns ctx's error; or
// ErrClosed, if the table is closed first. Whatever else fails is logged and tried again,
// while the table goes on answering with what it has. One Follow runs at a time.
func (t *Table) Follow(ctx context.Context, src Source, b bell.Bell) error {
	ears := b.Listen(t.topic) // first, so that nothing is missed between reading and waiting
	defer ears.Close()
	var verifying sync.WaitGroup
	defer verifying.Wait()
	verifying.Go(func() { t.verify(ctx, t.file.Load()) })
	var heard hosting.Mark
	retry := retryFirst
	t.asks.failing(nil)
	defer t.asks.end()
	for ctx.Err() == nil {
		asked := t.asks.take()
		err := t.catchUp(ctx, src)
		asked.answer(err)
		switch {
		case err == nil:
			retry = retryFirst
			heard = t.await(ctx, ears, later(heard, t.Mark()))
		case errors.Is(err, ErrClosed):
			return err
		case ctx.Err() == nil:
			t.log.Warn("the routing table cannot follow, and serves what it has", "err", err, "again", retry)
			t.asks.failing(err)
			_ = pause.For(ctx, retry)
			t.asks.failing(nil)
			retry = min(2*retry, retryMost)
		}
	}
	return ctx.Err()
}

// catchUp applies whatever the source has.
func (t *Table) catchUp(ctx context.Context, src Source) error {
	loaded := false
	for {
		if t.isClosed() {
			return ErrClosed
		}
		n, err := t.applyNext(ctx, src)
		switch {
		case err == nil && n == 0:
			return nil
		case err == nil:
			continue
		case !errors.Is(err, ErrGap) && !errors.Is(err, errDamaged):
			return err
		case loaded:
			return fmt.Errorf("after a snapshot: %w", err) // not again without a pause
		}
		if err := t.loadSnapshot(ctx, src); err != nil {
			return err
		}
		loaded = true
	}
}

// applyNext applies one batch of the source's changes and says how many it had.
func (t *Table) applyNext(ctx context.Context, src Source) (n int, err error) {
	if t.file.Load().faulty.Load() {
		return 0, errDamaged
	}
	before := t.Mark()
	changes, complete, err := src.Changes(ctx, before, batchSize)
	if err != nil || (complete && len(changes) == 0) {
		return 0, err
	}
	if !complete {
		return 0, ErrGap
	}
	err = t.Apply(changes)
	if err == nil && t.Mark() == before {
		err = fmt.Errorf("%w: the source repeats itself", ErrGap)
	}
	return len(changes), err
}

// await waits for a greater mark than after, or for somebody who asks, and returns the newest
// it has heard of. A bell that fails is one that stays silent: the time to poll comes all the same.
func (t *Table) await(ctx context.Context, ears bell.Listener, after hosting.Mark) hosting.Mark {
	ctx, cancel := context.WithTimeout(ctx, t.poll)
	defer cancel()
	if !t.asks.wake(cancel) {
		return after
	}
	defer t.asks.wake(nil)
	mark, err := ears.Await(ctx, after)
	if err != nil {
		<-ctx.Done()
		return after
	}
	return mark
}

func later(a, b hosting.Mark) hosting.Mark {
	if a.Compare(b) > 0 {
		return a
	}
	return b
}
