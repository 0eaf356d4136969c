package client

import (
	"context"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ListEdges returns the edges that report. This and what changes them is the operator's alone.
func (c *Client) ListEdges(ctx context.Context, page Page) (List[hosting.Edge], error) {
	return ask[List[hosting.Edge]](ctx, c, call{method: http.MethodGet, path: []string{"edges"}, query: page.query()})
}

// AddEdge makes an edge's token. It is CodeConflict where the name is taken.
func (c *Client) AddEdge(ctx context.Context, name string) (hosting.EdgeSecret, error) {
	return ask[hosting.EdgeSecret](ctx, c, call{method: http.MethodPost, path: []string{"edges"}, in: hosting.NewEdge{Name: name}})
}

// RemoveEdge ends an edge's token, and forgets what was reported with it.
func (c *Client) RemoveEdge(ctx context.Context, name string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"edges", name}}, nil)
}

// ReportEdge says how an edge is, by the edge's own token. It may be repeated: a batch is counted
// once.
func (c *Client) ReportEdge(ctx context.Context, r hosting.EdgeReport) error {
	return c.do(ctx, call{method: http.MethodPost, path: []string{"edges", "report"}, in: r, unkeyed: true}, nil)
}
