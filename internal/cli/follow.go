package cli

import (
	"context"
	"io"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// follower shows a deployment's log and states as they come, until it ends.
type follower struct {
	s      *session
	log    logPrinter
	status *status
	last   hosting.Deployment // as it was last seen
}

// newFollower prints the log to w: standard error where the log accompanies a result,
// standard output where it is one.
func (s *session) newFollower(w io.Writer, st style) *follower {
	return &follower{s: s, log: logPrinter{w: w, style: st}, status: newStatus(s.output)}
}

// run returns the deployment once it has ended. The log is given from the line after.
func (f *follower) run(ctx context.Context, c *client.Client, id hosting.DeploymentID, after int64) (hosting.Deployment, error) {
	defer f.status.stop()
	for ev, err := range c.Watch(ctx, id, after) {
		if err != nil {
			return f.last, err
		}
		if ev.End {
			break
		}
		if err := f.take(ev); err != nil {
			return f.last, err
		}
	}
	return f.last, ctx.Err()
}

func (f *follower) take(ev client.Event) error {
	switch {
	case ev.Line != nil && f.s.json:
		return f.s.event(event{Type: "log", Line: ev.Line})
	case ev.Line != nil:
		return f.status.print(func() error { return f.log.print(*ev.Line) })
	case ev.Gap != nil && f.s.json:
		return f.s.event(event{Type: "gap", Gap: ev.Gap})
	case ev.Gap != nil:
		return f.status.print(func() error { return f.log.printGap(*ev.Gap) })
	case ev.Deployment != nil:
		f.last = *ev.Deployment
		f.status.set(waitingFor(f.last))
		if f.s.json && !f.last.Status.Terminal() {
			return f.s.event(event{Type: "state", Deployment: ev.Deployment})
		}
	}
	return nil
}

// follow follows a deployment that this command made to its end, and prints its outcome.
func (s *session) follow(ctx context.Context, c *client.Client, id hosting.DeploymentID, began time.Time) error {
	f := s.newFollower(s.err, s.errStyle)
	d, err := f.run(ctx, c, id, 0)
	if f.log.lines > 0 {
		s.say("")
	}
	if ctx.Err() != nil {
		return errorf(ExitFailed, "stopped following, the build goes on").
			hint("follow it with fairway logs -f %s, or stop it with fairway cancel %s", id, id)
	}
	if err != nil {
		return err
	}
	return s.outcome(d, began)
}
