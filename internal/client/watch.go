package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
)

// Event is one thing that happened to a watched deployment; exactly one field is set.
type Event struct {
	Line       *hosting.LogLine    // the log's next line
	Gap        *hosting.LogGap     // lines in its place that are not shown, but in the log
	Deployment *hosting.Deployment // the deployment as it became
	End        bool                // it has ended, and every line was given
}

const (
	// watchSilence ends a connection over which not even a ping came: it is dead, and
	// TCP would take many minutes to notice.
	watchSilence = 45 * time.Second
	// watchPatience is how long a watch that worked tries to connect again.
	watchPatience = 2 * time.Minute
	watchPause    = time.Second
	watchPauseMax = 10 * time.Second
)

// Watch follows a deployment: the lines of its log that are numbered above after, in order
// and each once or within a Gap, and every state that it is seen in, until End. It connects again by itself
// where the connection is lost, from where it was. The last pair carries an error where it
// gives up: because ctx ended, the API refuses, or it cannot be reached (at once if it never
// was, else after two minutes).
func (c *Client) Watch(ctx context.Context, id hosting.DeploymentID, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := &watch{c: c, id: id, last: after, pause: watchPause, yield: yield}
		for {
			err := w.connect(ctx)
			if errors.Is(err, errWatchOver) {
				return
			}
			if err = w.wait(ctx, err); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// errWatchOver ends a watch without an error: its end was seen, or nobody looks any more.
var errWatchOver = errors.New("the watch is over")

type watch struct {
	c        *Client
	id       hosting.DeploymentID
	last     int64  // number of the last line that was given, or left out
	revision uint64 // of the last state that was given
	stated   bool
	yield    func(Event, error) bool

	pause  time.Duration
	worked bool      // it was connected once
	since  time.Time // when it was last connected
}

// connect follows one connection to its end. A nil error means that the server ended it
// and asks to come back.
func (w *watch) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q := url.Values{"follow": {"true"}, "after": {strconv.FormatInt(w.last, 10)}}
	resp, err := w.c.send(ctx, call{
		method: http.MethodGet, path: []string{"deployments", string(w.id), "logs"}, query: q, accept: "text/event-stream",
		lastEvent: strconv.FormatInt(w.last, 10),
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // a stream is not drained, and read errors were seen
	if resp.StatusCode != http.StatusOK {
		return readProblem(resp)
	}
	silence := time.AfterFunc(watchSilence, cancel)
	defer silence.Stop()
	stream := newMessageReader(resp.Body)
	stream.alive = func() { silence.Reset(watchSilence) }
	return w.follow(stream)
}

func (w *watch) follow(stream *messageReader) error {
	for {
		m, err := stream.Next()
		w.worked, w.since, w.pause = true, time.Now(), cmp.Or(stream.retry, watchPause)
		if errors.Is(err, errMessageTooLong) {
			return fmt.Errorf("follow the log: %w", err)
		}
		if err != nil {
			return nil // lost or ended: which of the two makes no difference
		}
		if err := w.take(m); err != nil {
			return err
		}
	}
}

func (w *watch) take(m message) error {
	switch m.kind {
	case "log":
		return w.takeLine(m.data)
	case "gap":
		return w.takeGap(m.data)
	case "state":
		return w.takeState(m.data)
	case "end":
		w.yield(Event{End: true}, nil)
		return errWatchOver
	}
	return nil // a kind of a later version
}

func (w *watch) takeLine(data []byte) error {
	line, err := hosting.ParseLogLine(data)
	if err != nil {
		return fmt.Errorf("read a line of the log: %w", err)
	}
	if line.N <= w.last {
		return nil // sent again
	}
	w.last = line.N
	return w.give(Event{Line: &line})
}

func (w *watch) takeGap(data []byte) error {
	var g hosting.LogGap
	if err := json.Unmarshal(data, &g); err != nil {
		return fmt.Errorf("read a gap of the log: %w", err)
	}
	if g.First = max(g.First, w.last+1); g.Last < g.First {
		return nil
	}
	w.last = g.Last
	return w.give(Event{Gap: &g})
}

func (w *watch) takeState(data []byte) error {
	var d hosting.Deployment
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("read a deployment's state: %w", err)
	}
	if w.stated && d.Revision <= w.revision {
		return nil // each connection begins with the state as it is
	}
	w.stated, w.revision = true, d.Revision
	return w.give(Event{Deployment: &d})
}

func (w *watch) give(e Event) error {
	if !w.yield(e, nil) {
		return errWatchOver
	}
	return nil
}

// wait pauses before the next connection, or returns the error that forbids one.
func (w *watch) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		if !w.worked || !hosting.Is(err, hosting.CodeUnavailable) || time.Since(w.since) > watchPatience {
			return err
		}
		w.pause = min(2*max(w.pause, watchPause/2), watchPauseMax)
	}
	return pause.For(ctx, w.pause)
}
