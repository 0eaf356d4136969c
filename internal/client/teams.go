package client

import (
	"context"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// NewTeam is the input of a team's making.
type NewTeam struct {
	Name string `json:"name"`
	Slug string `json:"slug,omitempty"` // made from the name where empty
}

func teamPath(team string, rest ...string) []string { return append([]string{"teams", team}, rest...) }

// ListTeams returns the caller's teams, all at once.
func (c *Client) ListTeams(ctx context.Context) (List[hosting.TeamOf], error) {
	return ask[List[hosting.TeamOf]](ctx, c, call{method: http.MethodGet, path: []string{"teams"}})
}

// CreateTeam makes a team whose owner is the caller, who has to be a signed-in person.
func (c *Client) CreateTeam(ctx context.Context, in NewTeam) (hosting.Team, error) {
	return ask[hosting.Team](ctx, c, call{method: http.MethodPost, path: []string{"teams"}, in: in})
}

// FindTeam returns the team that has the id or slug.
func (c *Client) FindTeam(ctx context.Context, team string) (hosting.Team, error) {
	return ask[hosting.Team](ctx, c, call{method: http.MethodGet, path: teamPath(team)})
}

// UpdateTeam gives a team another name.
func (c *Client) UpdateTeam(ctx context.Context, team, name string) (hosting.Team, error) {
	return ask[hosting.Team](ctx, c, call{method: http.MethodPatch, path: teamPath(team), in: map[string]string{"name": name}})
}

// DeleteTeam deletes a team that has no projects, and returns what goes when.
func (c *Client) DeleteTeam(ctx context.Context, team string) (hosting.Deletion, error) {
	return ask[hosting.Deletion](ctx, c, call{method: http.MethodDelete, path: teamPath(team)})
}

// Usage returns what a team uses, against what it may.
func (c *Client) Usage(ctx context.Context, team string) (hosting.Usage, error) {
	return ask[hosting.Usage](ctx, c, call{method: http.MethodGet, path: teamPath(team, "usage")})
}

// ListAudit returns who did what in a team, the newest first.
func (c *Client) ListAudit(ctx context.Context, team string, page Page) (List[hosting.AuditEntry], error) {
	return ask[List[hosting.AuditEntry]](ctx, c, call{method: http.MethodGet, path: teamPath(team, "audit"), query: page.query()})
}
