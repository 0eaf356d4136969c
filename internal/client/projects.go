package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Page selects a part of a list.
type Page struct {
	After string // Next of the page before, "" for the first
	Limit int    // 1 to 100; 0 leaves it to the API
}

// List is a part of a list; Next, where not empty, is the After of the page that follows.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.After != "" {
		q.Set("after", p.After)
	}
	if p.Limit != 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return q
}

// CreateProject makes a project.
func (c *Client) CreateProject(ctx context.Context, in hosting.NewProject) (hosting.Project, error) {
	var p hosting.Project
	err := c.do(ctx, call{method: http.MethodPost, path: []string{"projects"}, in: in}, &p)
	return p, err
}

// FindProject returns the project that has the id or slug.
func (c *Client) FindProject(ctx context.Context, idOrSlug string) (hosting.Project, error) {
	var p hosting.Project
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"projects", idOrSlug}}, &p)
	return p, err
}

// ListProjects returns projects, the newest first.
func (c *Client) ListProjects(ctx context.Context, page Page) (List[hosting.Project], error) {
	var l List[hosting.Project]
	err := c.do(ctx, call{method: http.MethodGet, path: []string{"projects"}, query: page.query()}, &l)
	return l, err
}

// UpdateProject changes the settings that the update holds.
func (c *Client) UpdateProject(ctx context.Context, idOrSlug string, u hosting.ProjectUpdate) (hosting.Project, error) {
	var p hosting.Project
	err := c.do(ctx, call{method: http.MethodPatch, path: []string{"projects", idOrSlug}, in: u}, &p)
	return p, err
}

// SetAccess says who may see a project's site.
func (c *Client) SetAccess(ctx context.Context, idOrSlug string, u hosting.AccessUpdate) (hosting.Project, error) {
	return ask[hosting.Project](ctx, c, call{method: http.MethodPut, path: []string{"projects", idOrSlug, "access"}, in: u})
}

// DeleteProject ends a project, its deployments and its site, and returns what goes when.
func (c *Client) DeleteProject(ctx context.Context, idOrSlug string) (hosting.Deletion, error) {
	return ask[hosting.Deletion](ctx, c, call{method: http.MethodDelete, path: []string{"projects", idOrSlug}})
}
