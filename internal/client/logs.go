package client

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// LogFilter says which lines of a log are wanted: every one, where it is empty.
type LogFilter struct {
	Stream string        // out, err or sys
	Step   hosting.Phase // which printed it
	Text   string        // what it has in it, in whatever case
}

func (f LogFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"stream": f.Stream, "step": string(f.Step), "q": f.Text} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// LogPage is a part of a deployment's log. Next is the after of the part that follows: where it is
// that of this one, nothing follows yet. Where lines were asked for by a filter, a part may have
// none although others follow.
type LogPage struct {
	Lines   []hosting.LogLine `json:"lines"`
	Next    int64             `json:"next"`
	Expired bool              `json:"expired"` // the log is deleted
}

// QueryLog returns up to limit (1 to 1,000) lines of a deployment's log that the filter wants, with
// numbers greater than after.
func (c *Client) QueryLog(ctx context.Context, id hosting.DeploymentID, f LogFilter, after int64, limit int) (LogPage, error) {
	q := f.query()
	q.Set("after", strconv.FormatInt(after, 10))
	q.Set("limit", strconv.Itoa(limit))
	return ask[LogPage](ctx, c, call{method: http.MethodGet, path: []string{"deployments", string(id), "logs"}, query: q})
}

// LogSearch asks for lines of the logs of deployments that were made since then, 30 days ago when
// it is zero.
type LogSearch struct {
	LogFilter
	Since time.Time
}

// SearchLogs returns lines of a project's logs, the newest deployment's first. A part may have none
// although others follow.
func (c *Client) SearchLogs(ctx context.Context, project string, s LogSearch, page Page) (List[hosting.LogMatch], error) {
	q := s.query()
	maps.Copy(q, page.query())
	if !s.Since.IsZero() {
		q.Set("since", s.Since.UTC().Format(time.RFC3339))
	}
	return ask[List[hosting.LogMatch]](ctx, c, call{method: http.MethodGet, path: []string{"projects", project, "logs"}, query: q})
}

// ReadLog returns up to limit (1 to 1,000) lines of a deployment's log with numbers greater
// than after. An empty answer means that there are none yet.
func (c *Client) ReadLog(ctx context.Context, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error) {
	page, err := c.QueryLog(ctx, id, LogFilter{}, after, limit)
	return page.Lines, err
}
