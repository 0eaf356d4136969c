package client

import (
	"context"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ListMembers returns a team's members.
func (c *Client) ListMembers(ctx context.Context, team string, page Page) (List[hosting.Member], error) {
	return ask[List[hosting.Member]](ctx, c, call{method: http.MethodGet, path: teamPath(team, "members"), query: page.query()})
}

// SetRole gives a member another role. The last owner keeps theirs (CodeConflict).
func (c *Client) SetRole(ctx context.Context, team string, user hosting.UserID, role hosting.Role) (hosting.Member, error) {
	return ask[hosting.Member](ctx, c, call{
		method: http.MethodPatch, path: teamPath(team, "members", string(user)), in: map[string]hosting.Role{"role": role},
	})
}

// RemoveMember takes a member out of a team, and ends their tokens for it. The last owner
// stays (CodeConflict).
func (c *Client) RemoveMember(ctx context.Context, team string, user hosting.UserID) error {
	return c.do(ctx, call{method: http.MethodDelete, path: teamPath(team, "members", string(user))}, nil)
}

// Leave takes the caller out of a team.
func (c *Client) Leave(ctx context.Context, team string) error {
	return c.do(ctx, call{method: http.MethodPost, path: teamPath(team, "leave")}, nil)
}

// Invite asks an address into a team. Only the operator is told the link.
func (c *Client) Invite(ctx context.Context, team, email string, role hosting.Role) (hosting.Invitation, error) {
	in := struct {
		Email string       `json:"email"`
		Role  hosting.Role `json:"role"`
	}{email, role}
	return ask[hosting.Invitation](ctx, c, call{method: http.MethodPost, path: teamPath(team, "invitations"), in: in})
}

// ListInvitations returns the invitations of a team that can still be accepted.
func (c *Client) ListInvitations(ctx context.Context, team string, page Page) (List[hosting.Invitation], error) {
	return ask[List[hosting.Invitation]](ctx, c, call{method: http.MethodGet, path: teamPath(team, "invitations"), query: page.query()})
}

// WithdrawInvitation makes an invitation's link worthless.
func (c *Client) WithdrawInvitation(ctx context.Context, team string, id hosting.InvitationID) error {
	return c.do(ctx, call{method: http.MethodDelete, path: teamPath(team, "invitations", string(id))}, nil)
}
