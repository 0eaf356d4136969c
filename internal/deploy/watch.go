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
	// watchedLines is how many a Watch tells of at once.
	watchedLines = 1000
	// watchEvery bounds how long a lost ring of the bell can go unnoticed.
	watchEvery = 2 * time.Second
)

// Event is what a Watch has to tell, in this order: new lines, lines that are left out, a changed
// deployment, or that nothing more will come.
type Event struct {
	Lines      []hosting.LogLine
	Gap        *hosting.LogGap
	Deployment *hosting.Deployment
	End        bool
}

// Watch follows one deployment's log and state. It belongs to one goroutine, but for Close,
// which may be called from any.
type Watch struct {
	s        *Service
	caller   hosting.Caller
	id       hosting.DeploymentID
	after    int64 // number of the last line that was read
	revision uint64

	behind bool            // there were more lines than are read at once
	caught bool            // it was at the log's end: what comes now is printed now
	live   live            // which of these lines are shown
	gap    *hosting.LogGap // lines that are not shown, as long as none came that is
	events []Event         // that were not told of yet

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
		s: s, caller: c, id: id, after: after, live: live{rate: int64(s.cfg.LogRate)},
		lines: s.cfg.Bell.Listen(bell.Log(id)), states: s.cfg.Bell.Listen(bell.Deployment(id)),
	}, nil
}

// Close ends the watch, and a Next that waits.
func (w *Watch) Close() {
	w.lines.Close()
	w.states.Close()
}

// Next waits for the next event: lines in order, with a Gap where some are left out, the deployment
// whenever its Revision has grown (its end only after all lines), then End, and End again.
// Lines that were there before are all told of.
func (w *Watch) Next(ctx context.Context) (Event, error) {
	for len(w.events) == 0 {
		if err := w.look(ctx); err != nil {
			return Event{}, err
		}
		if len(w.events) > 0 || w.behind {
			continue
		}
		if err := w.wait(ctx); err != nil {
			return Event{}, err
		}
	}
	e := w.events[0]
	w.events = w.events[1:]
	return e, nil
}

// look reads what is new. The state is read first: lines that belong before an end are then
// there, since the lock that look takes in between is held by whoever ends a deployment until
// its last line is stored.
func (w *Watch) look(ctx context.Context) error {
	d, err := w.s.FindDeployment(ctx, w.caller, w.id)
	if err != nil {
		return err
	}
	over := d.Status.Terminal()
	if over {
		w.s.logs.lock(w.id)()
	}
	var lines []hosting.LogLine
	if d.LogDeletedAt.IsZero() {
		if lines, err = w.s.readLines(ctx, w.id, w.after, watchedLines); err != nil {
			return err
		}
	}
	w.events = nil
	w.behind = len(lines) == watchedLines
	w.take(lines)
	if len(lines) == 0 || over && !w.behind {
		w.endGap()
	}
	if d.Revision > w.revision && (!over || !w.behind) {
		if len(w.events) == 0 {
			w.events = append(w.events, Event{})
		}
		w.events[len(w.events)-1].Deployment, w.revision = &d, d.Revision
	}
	if over && len(lines) == 0 && len(w.events) == 0 {
		w.events = append(w.events, Event{End: true})
	}
	return nil
}

// take adds the events of lines that were read.
func (w *Watch) take(lines []hosting.LogLine) {
	if len(lines) > 0 {
		w.after = lines[len(lines)-1].N
	}
	begin := 0 // of lines that are shown together
	for i := 0; w.caught && i < len(lines); i++ {
		n := lines[i].N
		switch shown := w.live.shows(&lines[i]); {
		case !shown && w.gap == nil:
			w.tell(lines[begin:i])
			w.gap = &hosting.LogGap{First: n, Last: n}
		case !shown:
			w.gap.Last = n
		case w.gap != nil:
			w.endGap()
			begin = i
		}
	}
	if w.gap == nil {
		w.tell(lines[begin:])
	}
	w.caught = w.caught || !w.behind
}

func (w *Watch) tell(lines []hosting.LogLine) {
	if len(lines) > 0 {
		w.events = append(w.events, Event{Lines: lines})
	}
}

func (w *Watch) endGap() {
	if w.gap != nil {
		w.events = append(w.events, Event{Gap: w.gap})
		w.gap = nil
	}
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
