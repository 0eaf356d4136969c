package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// searchLogs prints the lines of a project's logs that are wanted, as they are found.
func (s *session) searchLogs(ctx context.Context, c *client.Client, o logFlags) error {
	search := client.LogSearch{LogFilter: o.filter}
	if o.since != "" {
		var err error
		if search.Since, err = parseSince(o.since, s.env.Now()); err != nil {
			return err
		}
	}
	p, err := findProject(ctx, c, o.project)
	if err != nil {
		return err
	}
	found := 0
	for page := (client.Page{Limit: logPage}); ; {
		l, err := c.SearchLogs(ctx, string(p.ID), search, page)
		if err != nil {
			return err
		}
		for i := range l.Items {
			if err := s.foundLine(&l.Items[i]); err != nil {
				return err
			}
		}
		if found += len(l.Items); l.Next == "" || l.Next == page.After {
			break
		}
		page.After = l.Next
	}
	if found == 0 {
		s.say("The logs of project %s have no such line. Those before %s were not looked at.", p.Slug, searchedFrom(search, s.env.Now()).Format(time.DateOnly))
	}
	return nil
}

// searchedFrom is where the search begins; the server does not go further back by itself.
func searchedFrom(search client.LogSearch, now time.Time) time.Time {
	if search.Since.IsZero() {
		return now.AddDate(0, 0, -30)
	}
	return search.Since
}

func (s *session) foundLine(m *hosting.LogMatch) error {
	if s.json {
		return s.event(m)
	}
	return s.printMatch(m.Deployment, &m.Line)
}

// printMatch prints a line with its number, and the deployment's id where there are several.
func (s *session) printMatch(d hosting.DeploymentID, l *hosting.LogLine) error {
	at := strconv.FormatInt(l.N, 10) + ":"
	if d != "" {
		at = plain(string(d)) + ":" + at
	}
	_, err := fmt.Fprintf(s.out, "%s %s\n", s.outStyle.muted(at), lineText(*l, s.outStyle))
	return err
}

// spans are what a time before now is told in.
var spans = map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

// maxSince bounds how far back a search goes: longer than logs are ever kept.
const maxSince = 10 * 366 * 24 * time.Hour

// parseSince reads how long before now something began, such as 12h, 7d or 2w, or since when: a
// date, or a time of RFC 3339.
func parseSince(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			if t.After(now) || now.Sub(t) > maxSince {
				break
			}
			return t, nil
		}
	}
	if len(s) > 1 {
		unit := spans[s[len(s)-1]]
		n, err := strconv.ParseUint(s[:len(s)-1], 10, 16)
		if err == nil && unit > 0 && n > 0 && time.Duration(n) <= maxSince/unit {
			return now.Add(-time.Duration(n) * unit), nil
		}
	}
	return time.Time{}, errorf(ExitUsage, "--since %q is no time before now", s).hint("write it as 12h, 7d or 2w, or as a date: 2026-01-31")
}
