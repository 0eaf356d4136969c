package deploy

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// LogQuery asks for up to Limit lines (1 to 1,000, 500 when 0) of a log, those behind the line
// After.
type LogQuery struct {
	LogFilter
	After int64
	Limit int
}

// LogPart is a part of a log. Next is the After of the part that follows: where it is that of
// this one, nothing follows yet. With a filter a part may have no lines although others follow.
type LogPart struct {
	Lines   []hosting.LogLine
	Next    int64
	Expired bool // the log was kept for as long as logs are, and is deleted
}

// LogSearch asks for lines of a project's logs: of the deployments made from Since (30 days ago
// when zero) until before Until (now when zero).
type LogSearch struct {
	LogFilter
	Since, Until time.Time
	After        string // Next of the part before
	Limit        int    // 1 to 1,000, 500 when 0
}

// ReadLog returns up to limit lines (1 to 1,000, 500 when 0) of a deployment's log, those
// with numbers greater than after.
func (s *Service) ReadLog(ctx context.Context, c hosting.Caller, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error) {
	part, err := s.QueryLog(ctx, c, id, LogQuery{After: after, Limit: limit})
	return part.Lines, err
}

// QueryLog returns a part of a deployment's log. What it looks at for one is bounded.
func (s *Service) QueryLog(ctx context.Context, c hosting.Caller, id hosting.DeploymentID, q LogQuery) (LogPart, error) {
	look, err := newSearch(q.LogFilter, q.Limit)
	if err == nil && q.After < 0 {
		err = hosting.Errorf(hosting.CodeInvalid, "after must be 0 or greater")
	}
	if err != nil {
		return LogPart{}, err
	}
	var d hosting.Deployment
	err = s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		d, _, err = s.deployment(tx, c, id)
		return err
	})
	part := LogPart{Lines: []hosting.LogLine{}, Next: q.After, Expired: !d.LogDeletedAt.IsZero()}
	switch {
	case err != nil || part.Expired:
		return part, err
	case q.LogFilter != (LogFilter{}):
		part.Next, _, err = s.look(ctx, id, q.After, look)
		for _, m := range look.found {
			part.Lines = append(part.Lines, m.Line)
		}
		return part, err
	}
	lines, err := s.readLines(ctx, id, q.After, look.limit)
	if len(lines) > 0 {
		part.Lines, part.Next = lines, lines[len(lines)-1].N
	}
	return part, err
}

func (s *Service) readLines(ctx context.Context, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error) {
	lines, err := s.cfg.Logs.Read(ctx, id, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read log of %s: %w", id, err)
	}
	return lines, nil
}

// SearchLogs returns lines of a project's logs, the newest deployment's first, and each one's in
// their order. What it looks at for one part is bounded: a part may have no lines, and a Next
// nevertheless.
func (s *Service) SearchLogs(ctx context.Context, c hosting.Caller, project string, q LogSearch) (state.List[hosting.LogMatch], error) {
	none := state.List[hosting.LogMatch]{}
	look, err := newSearch(q.LogFilter, q.Limit)
	if err != nil {
		return none, err
	}
	look.since, look.until = q.Since, q.Until
	if look.since.IsZero() {
		look.since = s.now().Add(-searchedSpan)
	}
	if !look.until.IsZero() && !look.since.Before(look.until) {
		return none, hosting.Errorf(hosting.CodeInvalid, "since must be before until")
	}
	from, err := parseCursor(q.After)
	if err != nil {
		return none, err
	}
	rows, err := s.deploymentsFrom(ctx, c, project, from)
	if err != nil {
		return none, err
	}
	next, err := s.lookThrough(ctx, rows, from, look)
	if err != nil {
		return none, err
	}
	return state.List[hosting.LogMatch]{Items: look.found, Next: next.String()}, nil
}

// deploymentsFrom lists some deployments of a project, from the cursor on.
func (s *Service) deploymentsFrom(ctx context.Context, c hosting.Caller, project string, from logCursor) (rows []hosting.Deployment, err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		p, err := s.project(tx, c, project)
		if err != nil {
			return err
		}
		after := state.Key("")
		if from.order > 0 {
			// Keys of the index have the deployment's id behind this, so this is before its own.
			after = state.K(string(p.ID), state.Desc(from.order))
		}
		rows, _, err = s.team(p.Team).Deployments.ListBy(tx, "project", state.K(string(p.ID), ""), after, fewRows)
		return err
	})
	return rows, err
}

// lookThrough looks through the logs of deployments, and returns where to go on.
func (s *Service) lookThrough(ctx context.Context, rows []hosting.Deployment, from logCursor, look *search) (logCursor, error) {
	logs := 0
	for i := range rows {
		d := &rows[i]
		if d.CreatedAt.Before(look.since) {
			return logCursor{}, nil // those behind it are older
		}
		if !d.LogDeletedAt.IsZero() || !look.until.IsZero() && !d.CreatedAt.Before(look.until) {
			continue
		}
		at := logCursor{order: d.Order}
		if d.Order == from.order {
			at.line = from.line
		}
		if logs == searchedLogs || look.over() {
			return at, nil
		}
		logs++
		var end bool
		var err error
		if at.line, end, err = s.look(ctx, d.ID, at.line, look); err != nil || !end {
			return at, err
		}
	}
	if len(rows) < fewRows {
		return logCursor{}, nil
	}
	return logCursor{order: rows[len(rows)-1].Order - 1}, nil // they count from 1: before that is the end
}

// logCursor is where a search of a project goes on: in the log of the deployment with the order,
// behind the line. The zero one is its beginning, or its end.
type logCursor struct {
	order uint64
	line  int64
}

// String writes the cursor as people pass it on: they need not know what is in it.
func (c logCursor) String() string {
	if c.order == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d-%d", c.order, c.line))
}

// parseCursor reads what String writes, and nothing else.
func parseCursor(s string) (c logCursor, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil && s != "" {
		_, err = fmt.Sscanf(string(b), "%d-%d", &c.order, &c.line)
	}
	if err != nil || c.line < 0 || c.String() != s {
		return logCursor{}, hosting.Errorf(hosting.CodeInvalid, "after is no cursor of this search").WithHint("use the value of next in the part before")
	}
	return c, nil
}
