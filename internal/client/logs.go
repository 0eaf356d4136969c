package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ReadLog returns up to limit (1 to 1,000) lines of a deployment's log with numbers greater
// than after. An empty answer means that there are none yet.
func (c *Client) ReadLog(ctx context.Context, id hosting.DeploymentID, after int64, limit int) ([]hosting.LogLine, error) {
	var page struct {
		Lines []hosting.LogLine `json:"lines"`
	}
	q := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"deployments", string(id), "logs"}, query: q}, &page)
	return page.Lines, err
}
