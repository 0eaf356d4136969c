package client

import (
	"context"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// TokenSecret is a new API token with its secret, which the API shows this once.
type TokenSecret struct {
	hosting.Token
	Secret string `json:"secret"`
}

// Identity returns who the API takes the caller for.
func (c *Client) Identity(ctx context.Context) (hosting.Identity, error) {
	return ask[hosting.Identity](ctx, c, call{method: http.MethodGet, path: []string{"user"}})
}

// Exchange redeems the code that a browser brought back, by the verifier of its challenge
// (RFC 7636). It needs no token, and works once.
func (c *Client) Exchange(ctx context.Context, code, verifier string) (TokenSecret, error) {
	return ask[TokenSecret](ctx, c, call{
		method: http.MethodPost, path: []string{"cli", "token"}, in: map[string]string{"code": code, "verifier": verifier},
	})
}
