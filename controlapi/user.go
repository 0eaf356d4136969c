package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Login is the input of a signing-in.
type Login struct {
	Email    string `json:"email" minLength:"3" maxLength:"254" doc:"The address of the account"`
	Password string `json:"password" minLength:"1" maxLength:"256"`
}

// UserUpdate is what a person changes of their account.
type UserUpdate struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"How you are called"`
}

// Confirmation is the password, asked for again before something that cannot be undone.
type Confirmation struct {
	Password string `json:"password" minLength:"1" maxLength:"256"`
}

type (
	signUpInput     struct{ Body account.SignUp }
	logInInput      struct{ Body Login }
	updateUserInput struct{ Body UserUpdate }
	deleteUserInput struct{ Body Confirmation }
	identityOutput  struct{ Body hosting.Identity }
	userOutput      struct{ Body hosting.User }
	// signedInOutput begins a session: its cookie is set with the answer.
	signedInOutput struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
		Body      hosting.Identity
	}
	// deletedUserOutput ends the browser's session.
	deletedUserOutput struct {
		SetCookie http.Cookie `header:"Set-Cookie"`
		Body      hosting.Deletion
	}
)

func (a *API) registerUser() {
	tags := []string{"user"}
	handle(a, rule{open: true, setup: true, class: classAuth}, huma.Operation{
		OperationID: "signUp", Method: http.MethodPost, Path: "/api/user/signup", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Make an account, and sign in",
		Description: "With the owner link, with an invitation's link, or with neither where sign-up is open. The answer sets the session's cookie.",
	}, a.signUp)
	handle(a, rule{open: true, class: classAuth}, huma.Operation{
		OperationID: "logIn", Method: http.MethodPost, Path: "/api/user/login", Tags: tags,
		Summary:     "Sign in",
		Description: "Sets the session's cookie. An unknown address and a wrong password cannot be told apart. At most 10 failures a minute of one address, from wherever they come.",
	}, a.logIn)
	handle(a, rule{may: hosting.PermitSelf}, huma.Operation{
		OperationID: "logOut", Method: http.MethodPost, Path: "/api/user/logout", Tags: tags,
		Summary: "Sign out", Description: "Ends the session that the request came with, and takes its cookie away.",
	}, a.logOut)
	handle(a, rule{may: hosting.PermitKnown}, huma.Operation{
		OperationID: "getUser", Method: http.MethodGet, Path: "/api/user", Tags: tags,
		Summary: "Who am I", Description: "By what the caller is known, their account, their teams, and the team that the request acts in.",
	}, a.getUser)
	handle(a, rule{may: hosting.PermitSelf}, huma.Operation{
		OperationID: "updateUser", Method: http.MethodPatch, Path: "/api/user", Tags: tags,
		Summary: "Change your name", Description: "What the audit log said before stays as it was.",
	}, a.updateUser)
	handle(a, rule{may: hosting.PermitSelf, class: classSensitive}, huma.Operation{
		OperationID: "deleteUser", Method: http.MethodDelete, Path: "/api/user", Tags: tags,
		Summary:     "Delete your account",
		Description: "Asks for the password again. Refused while your own team has projects, or while you are the only owner of another team. The answer says what goes, and when.",
	}, a.deleteUser)
}

func (a *API) signUp(ctx context.Context, in *signUpInput) (*signedInOutput, error) {
	s, err := a.cfg.Account.SignUp(ctx, in.Body, fromOf(ctx))
	if err != nil {
		return nil, err
	}
	return a.signedIn(ctx, s)
}

func (a *API) logIn(ctx context.Context, in *logInInput) (*signedInOutput, error) {
	s, err := a.cfg.Account.LogIn(ctx, in.Body.Email, in.Body.Password, fromOf(ctx))
	if err != nil {
		return nil, err
	}
	return a.signedIn(ctx, s)
}

// signedIn is the answer that begins a session.
func (a *API) signedIn(ctx context.Context, s account.SignedIn) (*signedInOutput, error) {
	c, err := a.cfg.Account.BySession(ctx, s.Secret, "", fromOf(ctx))
	if err != nil {
		return nil, err
	}
	id, err := a.cfg.Account.Identity(ctx, c)
	return &signedInOutput{SetCookie: sessionCookie(s), Body: filledIdentity(id)}, err
}

func (a *API) logOut(ctx context.Context, _ *struct{}) (*setCookieOutput, error) {
	err := a.cfg.Account.LogOut(ctx, callerOf(ctx), secretOf(ctx))
	return &setCookieOutput{noSessionCookie()}, err
}

func (a *API) getUser(ctx context.Context, _ *struct{}) (*identityOutput, error) {
	id, err := a.cfg.Account.Identity(ctx, callerOf(ctx))
	return &identityOutput{filledIdentity(id)}, err
}

func (a *API) updateUser(ctx context.Context, in *updateUserInput) (*userOutput, error) {
	u, err := a.cfg.Account.UpdateUser(ctx, callerOf(ctx), in.Body.Name)
	return &userOutput{u}, err
}

func (a *API) deleteUser(ctx context.Context, in *deleteUserInput) (*deletedUserOutput, error) {
	d, err := a.cfg.Account.DeleteUser(ctx, callerOf(ctx), in.Body.Password)
	return &deletedUserOutput{SetCookie: noSessionCookie(), Body: filledDeletion(d)}, err
}

// filledIdentity gives no teams as [] rather than null.
func filledIdentity(id hosting.Identity) hosting.Identity {
	if id.Teams == nil {
		id.Teams = []hosting.TeamOf{}
	}
	return id
}

func filledDeletion(d hosting.Deletion) hosting.Deletion {
	if d.Gone == nil {
		d.Gone = []string{}
	}
	if d.Later == nil {
		d.Later = []string{}
	}
	return d
}
