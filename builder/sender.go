package builder

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// maxBatchLines is what control takes at once, and maxBatchBytes a quarter of it.
	maxBatchLines = 1000
	maxBatchBytes = 256 << 10
	batchEvery    = 100 * time.Millisecond
)

// sender brings the spool's lines to control: one batch at a time, in order, for as long as
// the attempt lives. Where control goes back (its store lost a tail), so does the sender.
type sender struct {
	logs  Logs
	spool *spool
	end   context.CancelCauseFunc
	full  atomic.Bool // control takes no more lines: some are missing for good

	woken chan struct{}      // lines were added
	asked chan chan struct{} // flush: to be closed once all is acknowledged
	quit  context.CancelFunc
	done  chan struct{}
}

func newSender(logs Logs, s *spool, end context.CancelCauseFunc) *sender {
	return &sender{
		logs: logs, spool: s, end: end,
		woken: make(chan struct{}, 1), asked: make(chan chan struct{}), done: make(chan struct{}),
	}
}

func (s *sender) start(ctx context.Context) {
	ctx, s.quit = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		s.run(ctx)
	}()
}

func (s *sender) stop() {
	s.quit()
	<-s.done
}

func (s *sender) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// flush returns nil when every line that was added before is acknowledged, and is there still.
func (s *sender) flush(ctx context.Context) error {
	all := make(chan struct{})
	select {
	case s.asked <- all:
	case <-ctx.Done():
		return fmt.Errorf("bring the log to control: %w", context.Cause(ctx))
	case <-s.done:
		return errors.New("bring the log to control: the sender has stopped")
	}
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("bring the log to control: %w", context.Cause(ctx))
	case <-s.done:
		return errors.New("bring the log to control: the sender has stopped")
	}
}

func (s *sender) run(ctx context.Context) {
	next := s.spool.first
	var flushing []chan struct{}
	for {
		if next >= s.spool.awaited() && len(flushing) > 0 {
			there, err := s.confirm(ctx, next)
			if err != nil {
				s.end(err)
				return
			}
			if next = there; next < s.spool.awaited() {
				continue
			}
			for _, f := range flushing {
				close(f)
			}
			flushing = nil
		}
		if next >= s.spool.awaited() {
			select {
			case <-ctx.Done():
				return
			case f := <-s.asked:
				flushing = append(flushing, f)
				continue
			case <-s.woken:
			}
		}
		// Lines come in bursts: what arrives within a moment makes one batch.
		if len(flushing) == 0 && s.spool.awaited()-next < maxBatchLines {
			t := time.NewTimer(batchEvery)
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case f := <-s.asked:
				t.Stop()
				flushing = append(flushing, f)
			case <-t.C:
			}
		}
		var err error
		if next, err = s.send(ctx, next); err != nil {
			s.end(err)
			return
		}
	}
}

// confirm asks once more which line is awaited: of what was acknowledged, control's store may
// have lost some.
func (s *sender) confirm(ctx context.Context, next int64) (int64, error) {
	if s.full.Load() {
		return next, nil
	}
	var pause backoff
	for {
		ack, err := s.logs.AppendLog(ctx, hosting.LogBatch{First: next})
		switch {
		case ctx.Err() != nil:
			return next, context.Cause(ctx)
		case err == nil:
			return min(max(ack.Next, 1), next), nil
		case over(err):
			return next, err
		}
		if err := pause.wait(ctx); err != nil {
			return next, err
		}
	}
}

// send brings the lines from number next on until one batch is taken, and returns the number
// to go on with. Its error ends the attempt.
func (s *sender) send(ctx context.Context, next int64) (int64, error) {
	var pause backoff
	for {
		batch, err := s.batch(next)
		if err != nil || len(batch.Lines) == 0 {
			return next, err
		}
		ack, err := s.logs.AppendLog(ctx, batch)
		switch {
		case ctx.Err() != nil:
			return next, context.Cause(ctx)
		case err == nil && ack.Next > next && ack.Next <= s.spool.awaited():
			return ack.Next, nil
		case err == nil && ack.Next > next:
			return next, fmt.Errorf("control awaits log line %d of %d", ack.Next, s.spool.awaited()-1)
		case err == nil:
			next = max(ack.Next, 1) // it lost lines, or took none: go back, but do not spin
		case over(err):
			return next, err
		case hosting.Is(err, hosting.CodeTooLarge):
			s.full.Store(true)
			return s.spool.awaited(), nil // the log is full: the attempt goes on without it
		}
		if err := pause.wait(ctx); err != nil {
			return next, err
		}
	}
}

// batch returns the lines from number next on. Those before the spool's first were an
// earlier attempt's and are gone; a log has no gaps, so something has to stand for them.
func (s *sender) batch(next int64) (hosting.LogBatch, error) {
	b := hosting.LogBatch{First: next}
	if next >= s.spool.first {
		lines, err := s.spool.read(next)
		b.Lines = lines
		return b, err
	}
	for n := next; n < s.spool.first && len(b.Lines) < maxBatchLines; n++ {
		b.Lines = append(b.Lines, hosting.LogLine{N: n, Stream: streamSys, Text: "(a line of an earlier attempt was lost)"})
	}
	return b, nil
}
