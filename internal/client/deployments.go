package client

import (
	"context"
	"io"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// DeployAnswer is the answer of Deploy.
type DeployAnswer struct {
	ID         hosting.DeploymentID `json:"id"`
	Status     hosting.Status       `json:"status"`
	URL        string               `json:"url"` // where the site shows it, for target production
	Deployment hosting.Deployment   `json:"deployment"`
	Upload     *hosting.Upload      `json:"upload"` // for sources that wait for their files
}

// Deploy begins a deployment. One of kind archive then waits for PutSource, one of kind
// files for the job protocol with the answer's token (see [Client.Job]).
func (c *Client) Deploy(ctx context.Context, in hosting.NewDeployment) (DeployAnswer, error) {
	var a DeployAnswer
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"deploy"}, in: in}, &a)
	return a, err
}

// PutSource brings the tar.gz of size bytes that a deployment of kind archive waits for.
func (c *Client) PutSource(ctx context.Context, id hosting.DeploymentID, archive io.Reader, size int64) (hosting.Deployment, error) {
	var d hosting.Deployment
	err := c.do(ctx, call{
		method: http.MethodPut, path: []string{"deployments", string(id), "source"},
		raw: &rawBody{r: archive, size: size, kind: "application/gzip"},
	}, &d)
	return d, err
}

// FindDeployment returns a deployment.
func (c *Client) FindDeployment(ctx context.Context, id hosting.DeploymentID) (hosting.Deployment, error) {
	var d hosting.Deployment
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"deployments", string(id)}}, &d)
	return d, err
}

// ListDeployments returns a project's deployments, the newest first.
func (c *Client) ListDeployments(ctx context.Context, project string, page Page) (List[hosting.Deployment], error) {
	var l List[hosting.Deployment]
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"projects", project, "deployments"}, query: page.query()}, &l)
	return l, err
}

// Cancel ends a deployment that has not ended.
func (c *Client) Cancel(ctx context.Context, id hosting.DeploymentID) (hosting.Deployment, error) {
	return c.act(ctx, id, "cancel")
}

// Redeploy makes a new deployment of the same source.
func (c *Client) Redeploy(ctx context.Context, id hosting.DeploymentID) (hosting.Deployment, error) {
	return c.act(ctx, id, "redeploy")
}

// Promote makes a READY deployment the one that the site shows.
func (c *Client) Promote(ctx context.Context, id hosting.DeploymentID) (hosting.Deployment, error) {
	return c.act(ctx, id, "promote")
}

func (c *Client) act(ctx context.Context, id hosting.DeploymentID, verb string) (hosting.Deployment, error) {
	var d hosting.Deployment
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"deployments", string(id), verb}}, &d)
	return d, err
}
