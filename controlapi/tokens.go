package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// Exchange is what a CLI shows for the token that was granted to it (RFC 7636).
type Exchange struct {
	Code     string `json:"code" minLength:"1" maxLength:"200" doc:"What the browser was sent back with"`
	Verifier string `json:"verifier" minLength:"43" maxLength:"128" doc:"What the challenge was the SHA-256 of"`
}

type (
	listTokensInput struct {
		TeamPath
		PageQuery
	}
	createTokenInput struct {
		TeamPath
		Body hosting.NewToken
	}
	tokenInput struct {
		TeamPath
		Token string `path:"token" maxLength:"64" doc:"Identifier of the token"`
	}
	exchangeInput     struct{ Body Exchange }
	tokenSecretOutput struct{ Body account.TokenSecret }
	tokensOutput      struct {
		Body state.List[hosting.Token]
	}
)

func (a *API) registerTokens() {
	tags := []string{"tokens"}
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "listTokens", Method: http.MethodGet, Path: "/api/teams/{team}/tokens", Tags: tags,
		Summary: "List a team's tokens", Description: "An owner sees all of them, others their own. The secrets are not stored, so nobody sees them.",
	}, a.listTokens)
	handle(a, rule{may: hosting.PermitMint, class: classSensitive}, huma.Operation{
		OperationID: "createToken", Method: http.MethodPost, Path: "/api/teams/{team}/tokens", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a token", Description: "The answer holds its secret, this once. It can do no more than its maker can at that moment, and no more than its scope.",
	}, a.createToken)
	handle(a, rule{may: hosting.PermitMint, class: classSensitive}, huma.Operation{
		OperationID: "revokeToken", Method: http.MethodDelete, Path: "/api/teams/{team}/tokens/{token}", Tags: tags,
		Summary: "End a token", Description: "An owner ends any, others their own. It is refused from its next request on.",
	}, a.revokeToken)
	handle(a, rule{open: true, class: classAuth}, huma.Operation{
		OperationID: "exchangeCode", Method: http.MethodPost, Path: "/api/cli/token", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Redeem what the browser approved",
		Description: "The last step of fairway login: the code works once, within a minute, and only with the verifier of its challenge.",
	}, a.exchangeCode)
}

func (a *API) listTokens(ctx context.Context, in *listTokensInput) (*tokensOutput, error) {
	l, err := a.cfg.Account.ListTokens(ctx, callerOf(ctx), in.page())
	return &tokensOutput{filledList(l)}, err
}

func (a *API) createToken(ctx context.Context, in *createTokenInput) (*tokenSecretOutput, error) {
	t, err := a.cfg.Account.CreateToken(ctx, callerOf(ctx), in.Body)
	return &tokenSecretOutput{t}, err
}

func (a *API) revokeToken(ctx context.Context, in *tokenInput) (*struct{}, error) {
	return nil, a.cfg.Account.RevokeToken(ctx, callerOf(ctx), hosting.TokenID(in.Token))
}

func (a *API) exchangeCode(ctx context.Context, in *exchangeInput) (*tokenSecretOutput, error) {
	t, err := a.cfg.Account.Exchange(ctx, in.Body.Code, in.Body.Verifier)
	return &tokenSecretOutput{t}, err
}
