package client

import (
	"context"
	"net/http"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Link is an address that works once, for the operator to hand over.
type Link struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func operatorPath(rest ...string) []string { return append([]string{"operator"}, rest...) }

func suspension(suspended bool) map[string]bool { return map[string]bool{"suspended": suspended} }

// OwnerLink makes the link with which the first person becomes the owner; the one before no
// longer works. It is CodeConflict once there is an owner. This and what follows is the
// operator's alone.
func (c *Client) OwnerLink(ctx context.Context) (Link, error) {
	return ask[Link](ctx, c, call{method: http.MethodPost, path: operatorPath("owner-link")})
}

// ListUsers returns all people.
func (c *Client) ListUsers(ctx context.Context, page Page) (List[hosting.User], error) {
	return ask[List[hosting.User]](ctx, c, call{method: http.MethodGet, path: operatorPath("users"), query: page.query()})
}

// SuspendUser suspends a person, whose sessions end and whose tokens rest, or lifts that.
func (c *Client) SuspendUser(ctx context.Context, id hosting.UserID, suspended bool) (hosting.User, error) {
	return ask[hosting.User](ctx, c, call{method: http.MethodPatch, path: operatorPath("users", string(id)), in: suspension(suspended)})
}

// ResetLink makes a link for a person's new password.
func (c *Client) ResetLink(ctx context.Context, id hosting.UserID) (Link, error) {
	return ask[Link](ctx, c, call{method: http.MethodPost, path: operatorPath("users", string(id), "reset-link")})
}

// InvitationLink makes an invitation's link anew; the one before no longer works.
func (c *Client) InvitationLink(ctx context.Context, id hosting.InvitationID) (Link, error) {
	return ask[Link](ctx, c, call{method: http.MethodPost, path: operatorPath("invitations", string(id), "link")})
}

// ListAllTeams returns all teams.
func (c *Client) ListAllTeams(ctx context.Context, page Page) (List[hosting.Team], error) {
	return ask[List[hosting.Team]](ctx, c, call{method: http.MethodGet, path: operatorPath("teams"), query: page.query()})
}

// SuspendTeam pauses all sites of a team, or lifts that.
func (c *Client) SuspendTeam(ctx context.Context, id hosting.TeamID, suspended bool) (hosting.Team, error) {
	return ask[hosting.Team](ctx, c, call{method: http.MethodPatch, path: operatorPath("teams", string(id)), in: suspension(suspended)})
}

// SetQuotas sets what a team may use: all of it, a zero field is the installation's own.
func (c *Client) SetQuotas(ctx context.Context, id hosting.TeamID, q hosting.Quotas) (hosting.Team, error) {
	return ask[hosting.Team](ctx, c, call{
		method: http.MethodPatch, path: operatorPath("teams", string(id)), in: map[string]hosting.Quotas{"quotas": q},
	})
}

// SuspendProject pauses a project's site, or lifts that.
func (c *Client) SuspendProject(ctx context.Context, id hosting.ProjectID, suspended bool) (hosting.Project, error) {
	return ask[hosting.Project](ctx, c, call{method: http.MethodPatch, path: operatorPath("projects", string(id)), in: suspension(suspended)})
}
