package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) edges() *cobra.Command {
	cmd := a.command(spec{
		use:   "edges",
		short: "List, add and remove edges that report, for the operator",
		example: `
fairway edges
fairway edges add fra-1                   prints the token for its setting edge_token
fairway edges remove fra-1                ends the token; the edge serves on`,
		long: `An edge serves with a token or without. With one it says once a minute how it is. Each
line is how it was then: BEHIND are the changes that it had not, and for how long; HITS
what its caches had of what was asked of them; REQUESTS and SENT since it first reported.`,
		run: func(ctx context.Context, s *session, _ []string) error { return s.listEdges(ctx) },
	})
	cmd.AddCommand(a.addEdge(), a.removeEdge())
	return cmd
}

func (s *session) listEdges(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := all(func(p client.Page) (client.List[hosting.Edge], error) { return c.ListEdges(ctx, p) })
	if err != nil {
		return err
	}
	if s.json {
		return s.document(l)
	}
	if len(l.Items) == 0 {
		s.say("No edge reports here. To have one do so: fairway edges add NAME")
		return nil
	}
	t := &table{
		heads:    []string{"EDGE", "HOST", "REPORTED", "BEHIND", "EPOCH", "SEQ", "HITS", "CACHED", "REQUESTS", "SENT", "CLOCK", "VERSION"},
		flexible: 1, optional: []int{4, 11, 7, 5},
	}
	for _, e := range l.Items {
		if len(e.Processes) == 0 {
			t.row(cell{text: plain(e.Name)}, cell{}, cell{"never", s.outStyle.muted})
		}
		for _, p := range e.Processes {
			t.row(s.edgeRow(e.Name, p)...)
		}
	}
	return t.write(s.out, s.outStyle, s.width())
}

func (s *session) edgeRow(name string, p hosting.EdgeProcess) []cell {
	reported := cell{text: ago(p.ReportedAt, s.env.Now())}
	if p.Silent {
		reported = cell{"silent, " + reported.text, s.outStyle.red}
	}
	return []cell{
		{text: plain(name)},
		{text: plain(p.Host)},
		reported,
		s.behind(p.Lag),
		{text: strconv.FormatUint(p.Mark.Epoch, 10)},
		{text: strconv.FormatUint(p.Mark.Seq, 10)},
		{text: share(p.Traffic.Hits, p.Traffic.Misses)},
		{text: size(p.Held)},
		{text: digits(int(p.Traffic.Requests))},
		{text: size(p.Traffic.Bytes)},
		s.clock(p.Ahead),
		{text: plain(p.Release)},
	}
}

func (s *session) behind(l hosting.Lag) cell {
	switch {
	case l.Epoch:
		return cell{"another epoch", s.outStyle.red}
	case l.Changes == 0:
		return cell{"no", s.outStyle.green}
	case l.Seconds == 0:
		return cell{text: count(int(l.Changes), "change")} //nolint:gosec // of people, who count no 2^63
	}
	return cell{text: count(int(l.Changes), "change") + ", " + took(time.Duration(l.Seconds)*time.Second)} //nolint:gosec // as above
}

// wrongClock is from where on a clock is worth a word: sessions of protected sites allow for
// as many seconds.
const wrongClock = 30

// clock says how far the edge's clock is off, where that matters.
func (s *session) clock(ahead int64) cell {
	switch {
	case ahead >= wrongClock:
		return cell{took(time.Duration(ahead)*time.Second) + " fast", s.outStyle.red}
	case ahead <= -wrongClock:
		return cell{took(time.Duration(-ahead)*time.Second) + " slow", s.outStyle.red}
	}
	return cell{}
}

// share is how many of all were hits.
func share(hits, misses int64) string {
	if hits+misses == 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", 100*hits/(hits+misses))
}

func (a *app) addEdge() *cobra.Command {
	return a.command(spec{
		use:   "add NAME",
		short: "Make an edge's token, and print it this once",
		example: `
fairway edges add fra-1
fairway edges add eu >edge-token          the token is all that goes to stdout`,
		long: `The edge is told where to report by its settings control and edge_token (FAIRWAY_CONTROL
and FAIRWAY_EDGE_TOKEN). The token is good for that alone. Several edges may share one.`,
		min: 1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			e, err := c.AddEdge(ctx, args[0])
			if err != nil {
				return err
			}
			if s.json {
				return s.document(e)
			}
			s.say("Added edge %s. Its token is shown this once:", plain(e.Name))
			return s.result(e.Secret)
		},
	})
}

func (a *app) removeEdge() *cobra.Command {
	return a.command(spec{
		use:     "remove NAME",
		short:   "End an edge's token",
		example: "fairway edges remove fra-1",
		long:    `What was reported with it is forgotten. The edge serves on, and is heard of no more.`,
		min:     1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if err := c.RemoveEdge(ctx, args[0]); err != nil {
				return err
			}
			if s.json {
				return s.document(map[string]string{"removed": args[0]})
			}
			s.say("Removed edge %s. It serves on, and is heard of no more.", plain(args[0]))
			return nil
		},
	})
}
