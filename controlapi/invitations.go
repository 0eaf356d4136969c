package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// NewInvitation is the input of an invitation's making.
type NewInvitation struct {
	Email string       `json:"email" minLength:"3" maxLength:"254" doc:"Whom to ask; the link works for nobody else"`
	Role  hosting.Role `json:"role" enum:"viewer,developer,owner" doc:"What they will be in the team"`
}

type (
	listInvitationsInput struct {
		TeamPath
		PageQuery
	}
	inviteInput struct {
		TeamPath
		Body NewInvitation
	}
	invitationInput struct {
		TeamPath
		Invitation string `path:"invitation" maxLength:"64" doc:"Identifier of the invitation"`
	}
	invitationOutput  struct{ Body hosting.Invitation }
	invitationsOutput struct {
		Body state.List[hosting.Invitation]
	}
	teamOfOutput struct{ Body hosting.TeamOf }
)

func (a *API) registerInvitations() {
	tags := []string{"members"}
	handle(a, rule{may: hosting.PermitManage}, huma.Operation{
		OperationID: "listInvitations", Method: http.MethodGet, Path: "/api/teams/{team}/invitations", Tags: tags,
		Summary: "List a team's invitations", Description: "Those that can still be accepted; pages follow each other by their next.",
	}, a.listInvitations)
	handle(a, rule{may: hosting.PermitManage, class: classSensitive}, huma.Operation{
		OperationID: "invite", Method: http.MethodPost, Path: "/api/teams/{team}/invitations", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Ask somebody into a team",
		Description: "The link is mailed; it works once, for an hour, and for that address alone. Where no mail is configured, the operator hands it over.",
	}, a.invite)
	handle(a, rule{may: hosting.PermitManage, class: classSensitive}, huma.Operation{
		OperationID: "withdrawInvitation", Method: http.MethodDelete, Path: "/api/teams/{team}/invitations/{invitation}", Tags: tags,
		Summary: "Withdraw an invitation", Description: "Its link is worthless from then on.",
	}, a.withdrawInvitation)
	handle(a, rule{may: hosting.PermitSelf, class: classSensitive}, huma.Operation{
		OperationID: "acceptInvitation", Method: http.MethodPost, Path: "/api/invitations/accept", Tags: tags,
		Summary: "Accept an invitation", Description: "It has to be for the address of your account.",
	}, a.acceptInvitation)
}

func (a *API) listInvitations(ctx context.Context, in *listInvitationsInput) (*invitationsOutput, error) {
	l, err := a.cfg.Account.ListInvitations(ctx, callerOf(ctx), in.page())
	return &invitationsOutput{filledList(l)}, err
}

func (a *API) invite(ctx context.Context, in *inviteInput) (*invitationOutput, error) {
	i, err := a.cfg.Account.Invite(ctx, callerOf(ctx), in.Body.Email, in.Body.Role)
	return &invitationOutput{i}, err
}

func (a *API) withdrawInvitation(ctx context.Context, in *invitationInput) (*struct{}, error) {
	return nil, a.cfg.Account.WithdrawInvitation(ctx, callerOf(ctx), hosting.InvitationID(in.Invitation))
}

func (a *API) acceptInvitation(ctx context.Context, in *linkSecretInput) (*teamOfOutput, error) {
	t, err := a.cfg.Account.Accept(ctx, callerOf(ctx), in.Body.Link)
	return &teamOfOutput{t}, err
}
