package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// SetVariable is the input of a variable's setting.
type SetVariable struct {
	Value   string           `json:"value"`
	Targets []hosting.Target `json:"targets,omitempty"` // both where empty
	Secret  bool             `json:"secret,omitempty"`  // never shown again, and masked in logs
}

// ListVariables returns a project's variables by name, secret ones without their value.
func (c *Client) ListVariables(ctx context.Context, project string) (List[hosting.Variable], error) {
	return ask[List[hosting.Variable]](ctx, c, call{method: http.MethodGet, path: []string{"projects", project, "variables"}})
}

// SetVariable sets a project's variable, and returns what it is for each target. Where many
// are set in a row, the API's limit is waited for as a read's is: the same value set twice is
// the same.
func (c *Client) SetVariable(ctx context.Context, project, name string, in SetVariable) (List[hosting.Variable], error) {
	return ask[List[hosting.Variable]](ctx, c, call{
		method: http.MethodPut, path: []string{"projects", project, "variables", name}, in: in, patient: true,
	})
}

// DeleteVariable removes a project's variable, of one target or ("") of both.
func (c *Client) DeleteVariable(ctx context.Context, project, name string, target hosting.Target) error {
	q := url.Values{}
	if target != "" {
		q.Set("target", string(target))
	}
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"projects", project, "variables", name}, query: q}, nil)
}
