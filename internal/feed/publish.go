package feed

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/seal"
)

// Source is where a Publisher reads what there is to publish. state.Feed is one.
type Source interface {
	// Changes returns up to limit changes after the mark, in order and without a gap;
	// complete is false when it cannot.
	Changes(ctx context.Context, after hosting.Mark, limit int) (changes []hosting.Change, complete bool, err error)
	// Snapshot calls fn with all records in pieces, and returns the mark they are true at.
	Snapshot(ctx context.Context, fn func(hosting.Change) error) (hosting.Mark, error)
}

// PublisherConfig is what a Publisher is made of.
type PublisherConfig struct {
	Source  Source
	Objects object.Store
	Bell    bell.Bell // announces changes of Source as bell.Routes, and is told of what was published as bell.Feed
	Key     seal.Key  // the edges'
	Dir     string    // where snapshots wait to be sent
	// SnapshotEvery is after how many changes another snapshot is made; default 10,000. With
	// fewer it is made after a day.
	SnapshotEvery uint64
	Log           *slog.Logger
}

const (
	// batch is how many changes become visible together, at most.
	batch = 256
	// puts is how many of them are sent at once.
	puts = 8
	// pollEvery bounds how long a change whose bell was lost stays unpublished.
	pollEvery = 2 * time.Second
	// rewriteEvery is how often the head is written although it is the same: should a
	// publisher that lost its lease write an old one late, it hides nothing for longer.
	rewriteEvery = 30 * time.Second
	// Between tries after an error.
	retryFirst = 100 * time.Millisecond
	retryMost  = 10 * time.Second

	snapshotEvery = 10_000
	snapshotAge   = 24 * time.Hour
)

// Publisher writes the feed. One runs at a time; see state.DB.Hold.
type Publisher struct {
	PublisherConfig
	head    head // as it was written last
	found   bool // head is what the store has
	made    time.Time
	written time.Time
}

// NewPublisher returns a Publisher, which does nothing before Run.
func NewPublisher(c PublisherConfig) *Publisher {
	c.SnapshotEvery = cmp.Or(c.SnapshotEvery, snapshotEvery)
	return &Publisher{PublisherConfig: c}
}

// Run publishes until ctx ends. What fails is logged and tried again: an edge then serves what
// it has.
func (p *Publisher) Run(ctx context.Context) {
	ears := p.Bell.Listen(bell.Routes) // first, so that nothing is missed between reading and waiting
	defer ears.Close()
	p.found = false // another may have published meanwhile
	retry := retryFirst
	for ctx.Err() == nil {
		moved, err := p.step(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			p.Log.Warn("routes are not published, and edges serve what they have", "err", err, "again", retry)
			_ = pause.For(ctx, retry)
			retry = min(2*retry, retryMost)
		case !moved:
			retry = retryFirst
			waiting, cancel := context.WithTimeout(ctx, pollEvery)
			if _, err := ears.Await(waiting, p.head.Mark); err != nil {
				<-waiting.Done() // a bell that fails is one that stays silent
			}
			cancel()
		}
	}
}

// step publishes what there is, up to batch changes, and reports whether there may be more.
func (p *Publisher) step(ctx context.Context) (moved bool, err error) {
	if !p.found {
		if err := p.find(ctx); err != nil {
			return false, err
		}
	}
	changes, complete, err := p.Source.Changes(ctx, p.head.Mark, batch)
	if err != nil {
		return false, err
	}
	if !complete {
		return true, p.snapshot(ctx)
	}
	if len(changes) > 0 {
		sent, err := p.send(ctx, changes)
		if err != nil {
			return false, err
		}
		next := p.head
		next.Mark = changes[sent-1].Mark
		if err := p.write(ctx, next); err != nil {
			return false, err
		}
	}
	if p.due() {
		return true, p.snapshot(ctx)
	}
	if p.head.Mark != (hosting.Mark{}) && time.Since(p.written) >= rewriteEvery {
		return len(changes) > 0, p.write(ctx, p.head)
	}
	return len(changes) > 0, nil
}

// find reads what was published before. A head that cannot be verified, as after a change of
// the key, is as good as none.
func (p *Publisher) find(ctx context.Context) error {
	h, err := readHead(ctx, p.Objects, []seal.Key{p.Key})
	switch {
	case hosting.Is(err, hosting.CodeNotFound):
	case damaged(err):
		p.Log.Warn("the head of the feed is written anew", "err", err)
	case err != nil:
		return err
	}
	p.head, p.found = h, true
	p.written = time.Time{}
	// So that one who takes over, or starts again, mends what was damaged meanwhile.
	p.made = time.Time{}
	return nil
}

// due reports whether another snapshot is to be made.
func (p *Publisher) due() bool {
	since := p.head.Seq - p.head.Snapshot.Seq
	return p.head.Epoch != p.head.Snapshot.Epoch || since >= p.SnapshotEvery || since > 0 && time.Since(p.made) >= snapshotAge
}

// send stores changes, each as an object of its own, and returns how many of the first are
// durable; at least one, if it does not fail.
func (p *Publisher) send(ctx context.Context, changes []hosting.Change) (sent int, err error) {
	sent, err = inOrder(len(changes), puts, func(i int) error {
		return write(ctx, p.Objects, p.Key, changeKey(changes[i].Mark), &changes[i])
	})
	if err != nil {
		return 0, fmt.Errorf("publish changes of routes: %w", err)
	}
	return sent, object.Flush(ctx, p.Objects)
}

// snapshot publishes all records as they are now.
func (p *Publisher) snapshot(ctx context.Context) error {
	f, s, err := pack(ctx, p.Source, p.Dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.Mark.Compare(p.head.Mark) < 0 {
		return hosting.Errorf(hosting.CodeConflict, "the state is at %v and edges were told of %v, which is later", s.Mark, p.head.Mark).
			WithHint("the state was restored without a new epoch")
	}
	if err := p.Objects.Put(ctx, snapshotKey(s.Mark), f, object.Check{Size: s.Size, Digest: s.Digest}); err != nil {
		return fmt.Errorf("publish a snapshot of routes: %w", err)
	}
	if err := object.Flush(ctx, p.Objects); err != nil {
		return err
	}
	if err := p.write(ctx, head{Mark: s.Mark, Snapshot: s}); err != nil {
		return err
	}
	p.made = time.Now()
	if err := p.clean(ctx); err != nil && ctx.Err() == nil {
		p.Log.Warn("what the feed no longer needs was not removed", "err", err)
	}
	return nil
}

func (p *Publisher) write(ctx context.Context, h head) error {
	h.Written = time.Now().UTC().Truncate(time.Second)
	if err := write(ctx, p.Objects, p.Key, headKey, &h); err != nil {
		return fmt.Errorf("publish the head of routes: %w", err)
	}
	if err := object.Flush(ctx, p.Objects); err != nil {
		return err
	}
	p.head, p.written = h, time.Now()
	// Followers that do not hear of it look by themselves.
	_ = p.Bell.Announce(ctx, bell.Feed, h.Mark)
	return nil
}
