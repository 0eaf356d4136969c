package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// PasswordChange is the input of a password's change.
type PasswordChange struct {
	Current string `json:"current" minLength:"1" maxLength:"256" doc:"The password so far"`
	New     string `json:"new" minLength:"12" maxLength:"256" doc:"12 to 256 characters; none of the common ones"`
}

// Address is the address of an account.
type Address struct {
	Email string `json:"email" minLength:"3" maxLength:"254"`
}

// PasswordReset is a new password, by a link that was mailed or handed over.
type PasswordReset struct {
	Link     string `json:"link" minLength:"1" maxLength:"200" doc:"The secret of the link"`
	Password string `json:"password" minLength:"12" maxLength:"256" doc:"12 to 256 characters; none of the common ones"`
}

// LinkSecret is what a link holds.
type LinkSecret struct {
	Link string `json:"link" minLength:"1" maxLength:"200" doc:"The secret of the link"`
}

type (
	changePasswordInput struct{ Body PasswordChange }
	addressInput        struct{ Body Address }
	resetInput          struct{ Body PasswordReset }
	linkSecretInput     struct{ Body LinkSecret }
	setCookieOutput     struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
	}
)

func (a *API) registerPassword() {
	tags := []string{"user"}
	handle(a, rule{may: hosting.PermitSelf, class: classSensitive}, huma.Operation{
		OperationID: "changePassword", Method: http.MethodPut, Path: "/api/user/password", Tags: tags,
		Summary: "Change your password", Description: "Ends all your sessions and begins a new one, whose cookie the answer sets.",
	}, a.changePassword)
	handle(a, rule{open: true, class: classAuth}, huma.Operation{
		OperationID: "forgotPassword", Method: http.MethodPost, Path: "/api/user/forgot", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Ask for a link to a new password",
		Description: "Answers the same whether or not the address has an account. Where no mail is configured, the operator makes such links.",
	}, a.forgotPassword)
	handle(a, rule{open: true, class: classAuth}, huma.Operation{
		OperationID: "resetPassword", Method: http.MethodPost, Path: "/api/user/reset", Tags: tags,
		Summary: "Set a new password by a link", Description: "The link works once, for an hour. All sessions of the account end.",
	}, a.resetPassword)
	handle(a, rule{open: true, class: classAuth}, huma.Operation{
		OperationID: "confirmAddress", Method: http.MethodPost, Path: "/api/user/confirm", Tags: tags,
		Summary: "Confirm an address by a link", Description: "The link was mailed to the address; it works once, for an hour.",
	}, a.confirmAddress)
}

func (a *API) changePassword(ctx context.Context, in *changePasswordInput) (*setCookieOutput, error) {
	s, err := a.cfg.Account.ChangePassword(ctx, callerOf(ctx), in.Body.Current, in.Body.New, fromOf(ctx))
	return &setCookieOutput{sessionCookie(s)}, err
}

func (a *API) forgotPassword(ctx context.Context, in *addressInput) (*struct{}, error) {
	return nil, a.cfg.Account.Forgot(ctx, in.Body.Email, fromOf(ctx))
}

func (a *API) resetPassword(ctx context.Context, in *resetInput) (*struct{}, error) {
	return nil, a.cfg.Account.Reset(ctx, in.Body.Link, in.Body.Password, fromOf(ctx))
}

func (a *API) confirmAddress(ctx context.Context, in *linkSecretInput) (*struct{}, error) {
	return nil, a.cfg.Account.Confirm(ctx, in.Body.Link)
}
