package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Explain returns how a site's address is answered for an Accept-Encoding, and from what.
func (c *Client) Explain(ctx context.Context, address, encodings string) (hosting.Explanation, error) {
	q := url.Values{"url": {address}}
	if encodings != "" {
		q.Set("encodings", encodings)
	}
	return ask[hosting.Explanation](ctx, c, call{method: http.MethodGet, path: []string{"explain"}, query: q})
}
