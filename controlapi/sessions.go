package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// AuthOptions says how one can sign in here.
type AuthOptions struct {
	Owner     bool           `json:"owner" doc:"Whether the installation has an owner; until then the owner link is all there is"`
	SignUp    account.Signup `json:"signup" enum:"closed,invite,open" doc:"Who may make an account"`
	Providers []AuthProvider `json:"providers" doc:"Other places that one can sign in by"`
}

// AuthProvider is another place that vouches for people.
type AuthProvider struct {
	Name  string `json:"name"`
	Title string `json:"title" doc:"How people call it"`
	URL   string `json:"url" doc:"Page of the control host that begins the signing-in"`
}

type (
	authOptionsOutput struct{ Body AuthOptions }
	sessionsInput     struct{ PageQuery }
	sessionsOutput    struct{ Body state.List[hosting.Session] }
	sessionInput      struct {
		Session string `path:"session" maxLength:"64" doc:"Identifier of the session"`
	}
)

func (a *API) registerSessions() {
	handle(a, rule{open: true, setup: true}, huma.Operation{
		OperationID: "getAuthOptions", Method: http.MethodGet, Path: "/api/auth/options", Tags: []string{"user"},
		Summary: "How one can sign in", Description: "Tells what the sign-in page shows: nothing about people.",
	}, a.getAuthOptions)
	handle(a, rule{may: hosting.PermitSelf}, huma.Operation{
		OperationID: "listSessions", Method: http.MethodGet, Path: "/api/user/sessions", Tags: []string{"user"},
		Summary: "List your sessions", Description: "The newest first; pages follow each other by their next.",
	}, a.listSessions)
	handle(a, rule{may: hosting.PermitSelf}, huma.Operation{
		OperationID: "endSession", Method: http.MethodDelete, Path: "/api/user/sessions/{session}", Tags: []string{"user"},
		Summary: "End one of your sessions", Description: "The browser that it belongs to is signed out at its next request.",
	}, a.endSession)
}

func (a *API) getAuthOptions(ctx context.Context, _ *struct{}) (*authOptionsOutput, error) {
	claimed, err := a.cfg.Account.Claimed(ctx)
	out := AuthOptions{Owner: claimed, SignUp: a.signup(), Providers: []AuthProvider{}}
	for _, p := range a.cfg.Providers {
		out.Providers = append(out.Providers, AuthProvider{Name: p.Name(), Title: p.Title(), URL: "/auth/" + p.Name()})
	}
	return &authOptionsOutput{out}, err
}

// signup says who may make an account.
func (a *API) signup() account.Signup {
	if a.cfg.Signup == "" {
		return account.SignupClosed
	}
	return a.cfg.Signup
}

func (a *API) listSessions(ctx context.Context, in *sessionsInput) (*sessionsOutput, error) {
	l, err := a.cfg.Account.ListSessions(ctx, callerOf(ctx), in.page())
	return &sessionsOutput{filledList(l)}, err
}

func (a *API) endSession(ctx context.Context, in *sessionInput) (*struct{}, error) {
	return nil, a.cfg.Account.EndSession(ctx, callerOf(ctx), hosting.SessionID(in.Session))
}
