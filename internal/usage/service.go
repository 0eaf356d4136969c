package usage

import (
	"context"
	"log/slog"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	// gatherTime is how long a report waits for others, to be written together.
	gatherTime = 500 * time.Millisecond
	// maxTogether bounds the reports of one transaction, so that other writers are not kept waiting.
	maxTogether = 100
)

// Config is what a Service works with. DB is needed.
type Config struct {
	DB  state.DB
	Now func() time.Time // time.Now when nil
	Log *slog.Logger
}

// Service knows the edges by their tokens, and adds up what they report. Its methods may be
// called concurrently.
type Service struct {
	db  state.DB
	sys state.System
	now func() time.Time
	log *slog.Logger
	in  chan *incoming
	// ended is closed when Run returns: nobody takes reports any more.
	ended chan struct{}
}

// incoming is a report that waits to be written. Its caller may have gone.
type incoming struct {
	hash   string
	report hosting.EdgeReport
	done   chan error // buffered
}

// New returns a Service. It takes reports while Run runs.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{db: c.DB, sys: c.DB.System(), now: c.Now, log: c.Log, in: make(chan *incoming), ended: make(chan struct{})}
}

// Report adds up what the edge with the token has done, once for each batch, however often it
// comes. It returns when that is durable. CodeUnauthenticated where the token was removed.
func (s *Service) Report(ctx context.Context, e EdgeToken, r hosting.EdgeReport) error {
	if err := r.Check(); err != nil {
		return err
	}
	w := &incoming{hash: e.hash, report: r, done: make(chan error, 1)}
	select {
	case s.in <- w:
	case <-s.ended:
		return hosting.Errorf(hosting.CodeUnavailable, "this control plane stops").WithHint("try again")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run writes what is reported until ctx ends: what comes within half a second in one
// transaction, since all writers of the state wait for each other. It runs once.
func (s *Service) Run(ctx context.Context) error {
	defer close(s.ended)
	for {
		select {
		case w := <-s.in:
			all := s.gather(ctx, w)
			s.write(context.WithoutCancel(ctx), all)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Service) gather(ctx context.Context, first *incoming) []*incoming {
	all := []*incoming{first}
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	for len(all) < maxTogether {
		select {
		case w := <-s.in:
			all = append(all, w)
		case <-ctx.Done():
			return all
		}
	}
	return all
}

// writeTime bounds one transaction.
const writeTime = 10 * time.Second

func (s *Service) write(ctx context.Context, all []*incoming) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	results := make([]error, len(all))
	err := s.db.Update(ctx, func(tx state.Tx) error {
		for i, w := range all {
			if results[i] = s.add(tx, w); results[i] != nil && !hosting.Is(results[i], hosting.CodeUnauthenticated) {
				return results[i]
			}
		}
		return nil
	})
	for i, w := range all {
		if err != nil {
			results[i] = err
		}
		w.done <- results[i]
	}
}
