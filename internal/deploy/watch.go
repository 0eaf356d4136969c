package deploy

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	pageOfLines = 500
	// watchEvery bounds how long a lost ring of the bell can go unnoticed.
	watchEvery = 2 * time.Second
)

// Event is what a Watch has to tell: new lines, a changed deployment, or that nothing more
// will come.
type Event struct {
	Lines      []hosting.LogLine
	Deployment *hosting.Deployment
	End        bool
}

// Watch follows one deployment's log and state. It belongs to one goroutine, but for Close,
// which may be called from any.
type Watch struct {
	s        *Service
	caller   hosting.Caller
	id       hosting.DeploymentID
	after    int64
	revision uint64

	lines, states           bell.Listener
	heardLines, heardStates hosting.Mark
}

// Watch begins to follow a deployment: its log behind the line after, and its state. The
// caller closes it.
func (s *Service) Watch(ctx context.Context, c hosting.Caller, id hosting.DeploymentID, after int64) (*Watch, error) {
	if _, err := s.FindDeployment(ctx, c, id); err != nil {
		return nil, err
	}
	if after < 0 {
		return nil, hosting.Errorf(hosting.CodeInvalid, "after must be 0 or greater")
	}
	return &Watch{
		s: s, caller: c, id: id, after: after,
		lines: s.cfg.Bell.Listen(bell.Log(id)), states: s.cfg.Bell.Listen(bell.Deployment(id)),
	}, nil
}

// Close ends the watch, and a Next that waits.
func (w *Watch) Close() {
	w.lines.Close()
	w.states.Close()
}

// Next waits for the next event: lines in order and without gaps, the deployment whenever
// its Revision has grown (its end only after all lines), then End, and End again.
func (w *Watch) Next(ctx context.Context) (Event, error) {
	for {
		e, err := w.look(ctx)
		if err != nil || e.End || len(e.Lines) > 0 || e.Deployment != nil {
			return e, err
		}
		if err := w.wait(ctx); err != nil {
			return Event{}, err
		}
	}
}

// look reads what is new. The state is read first: lines that belong before an end are then
// there, since the lock that look takes in between is held by whoever ends a deployment until
// its last line is stored.
func (w *Watch) look(ctx context.Context) (Event, error) {
	d, err := w.s.FindDeployment(ctx, w.caller, w.id)
	if err != nil {
		return Event{}, err
	}
	over := d.Status.Terminal()
	if over {
		w.s.logs.lock(w.id)()
	}
	lines, err := w.s.ReadLog(ctx, w.caller, w.id, w.after, pageOfLines)
	if err != nil {
		return Event{}, err
	}
	var e Event
	if len(lines) > 0 {
		e.Lines, w.after = lines, lines[len(lines)-1].N
	}
	if d.Revision > w.revision && (!over || len(lines) < pageOfLines) {
		e.Deployment, w.revision = &d, d.Revision
	}
	e.End = over && len(lines) == 0 && e.Deployment == nil
	return e, nil
}

// wait returns when one of the bells rings, or after a while without. Only a closed listener
// is an error: whatever else ails the bell, the store is looked at again.
func (w *Watch) wait(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	w.heardLines.Seq = max(w.heardLines.Seq, uint64(w.after))
	w.heardStates.Seq = max(w.heardStates.Seq, w.revision)
	var wg sync.WaitGroup
	var errLines, errStates error
	wg.Go(func() { errLines = await(short, cancel, w.lines, &w.heardLines) })
	wg.Go(func() { errStates = await(short, cancel, w.states, &w.heardStates) })
	wg.Wait()
	return cmp.Or(ctx.Err(), errLines, errStates)
}

// await waits for one bell and then has the other await end too.
func await(ctx context.Context, cancel func(), l bell.Listener, heard *hosting.Mark) error {
	defer cancel()
	mark, err := l.Await(ctx, *heard)
	switch {
	case err == nil:
		*heard = mark
	case errors.Is(err, bell.ErrClosed):
		return err
	case ctx.Err() == nil:
		<-ctx.Done() // a broken bell must not make Next a busy loop
	}
	return nil
}
