package client

import (
	"context"
	"net/http"
)

// Health is what an installation says of itself.
type Health struct {
	Status  string            `json:"status"` // "ok" or "degraded"
	Version string            `json:"version"`
	Checks  map[string]string `json:"checks"` // part -> "ok" or what is wrong with it
}

// Health asks how the installation is. A degraded one is an answer, not an error.
func (c *Client) Health(ctx context.Context) (Health, error) {
	resp, err := c.send(ctx, call{method: http.MethodGet, path: []string{"health"}})
	if err != nil {
		return Health{}, err
	}
	defer drain(resp.Body)
	isHealth := resp.Header.Get("Content-Type") == "application/json"
	if resp.StatusCode != http.StatusOK && !(resp.StatusCode == http.StatusServiceUnavailable && isHealth) {
		return Health{}, readProblem(resp)
	}
	var h Health
	err = decodeAnswer(resp, &h)
	return h, err
}
