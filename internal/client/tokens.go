package client

import (
	"context"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// ListTokens returns a team's tokens: all of them to an owner, their own to others.
func (c *Client) ListTokens(ctx context.Context, team string, page Page) (List[hosting.Token], error) {
	return ask[List[hosting.Token]](ctx, c, call{method: http.MethodGet, path: teamPath(team, "tokens"), query: page.query()})
}

// CreateToken makes an API token for a team. Tokens cannot make tokens (CodeForbidden).
func (c *Client) CreateToken(ctx context.Context, team string, in hosting.NewToken) (TokenSecret, error) {
	return ask[TokenSecret](ctx, c, call{method: http.MethodPost, path: teamPath(team, "tokens"), in: in})
}

// RevokeToken ends a token. Tokens cannot end tokens (CodeForbidden).
func (c *Client) RevokeToken(ctx context.Context, team string, id hosting.TokenID) error {
	return c.do(ctx, call{method: http.MethodDelete, path: teamPath(team, "tokens", string(id))}, nil)
}
