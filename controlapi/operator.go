package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// Suspension suspends, or lifts that.
type Suspension struct {
	Suspended bool `json:"suspended"`
}

// TeamLimits is what the operator changes of a team; what is absent stays.
type TeamLimits struct {
	Suspended *bool           `json:"suspended,omitempty" doc:"Whether its sites answer that they are paused, and nothing can be changed"`
	Quotas    *hosting.Quotas `json:"quotas,omitempty" doc:"All of them: an absent one becomes the installation's own"`
}

// OperatorPath names a thing of any team. It is not {team}: the caller does not act in it.
type OperatorPath struct {
	ID string `path:"id" maxLength:"64" doc:"Identifier"`
}

// UserPath is the path of one person.
type UserPath struct {
	User string `path:"user" maxLength:"64" doc:"Identifier of the person"`
}

type (
	operatorInput    struct{ OperatorPath }
	listAllInput     struct{ PageQuery }
	userInput        struct{ UserPath }
	suspendUserInput struct {
		UserPath
		Body Suspension
	}
	limitTeamInput struct {
		OperatorPath
		Body TeamLimits
	}
	suspendProjectInput struct {
		OperatorPath
		Body Suspension
	}
	linkOutput  struct{ Body account.Link }
	usersOutput struct {
		Body state.List[hosting.User]
	}
	allTeamsOutput struct {
		Body state.List[hosting.Team]
	}
)

func (a *API) registerOperator() {
	tags := []string{"operator"}
	write := rule{may: hosting.PermitOperate, class: classSensitive}
	handle(a, rule{may: hosting.PermitOperate}, huma.Operation{
		OperationID: "listUsers", Method: http.MethodGet, Path: "/api/operator/users", Tags: tags,
		Summary: "List all people", Description: "Pages follow each other by their next.",
	}, a.listUsers)
	handle(a, write, huma.Operation{
		OperationID: "suspendUser", Method: http.MethodPatch, Path: "/api/operator/users/{user}", Tags: tags,
		Summary: "Suspend a person, or lift that", Description: "Their sessions end, and their tokens rest until it is lifted.",
	}, a.suspendUser)
	handle(a, write, huma.Operation{
		OperationID: "makeResetLink", Method: http.MethodPost, Path: "/api/operator/users/{user}/reset-link", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a link for a person's new password", Description: "To be handed over; it works once, for an hour.",
	}, a.makeResetLink)
	handle(a, rule{may: hosting.PermitOperate}, huma.Operation{
		OperationID: "listAllTeams", Method: http.MethodGet, Path: "/api/operator/teams", Tags: tags,
		Summary: "List all teams", Description: "Pages follow each other by their next.",
	}, a.listAllTeams)
	handle(a, write, huma.Operation{
		OperationID: "limitTeam", Method: http.MethodPatch, Path: "/api/operator/teams/{id}", Tags: tags,
		Summary: "Suspend a team, or set its quotas", Description: "The sites of a suspended team answer that they are paused, within a second; their bytes stay.",
	}, a.limitTeam)
	handle(a, write, huma.Operation{
		OperationID: "suspendProject", Method: http.MethodPatch, Path: "/api/operator/projects/{id}", Tags: tags,
		Summary: "Suspend a project, or lift that", Description: "Its site answers that it is paused, within a second; its bytes stay.",
	}, a.suspendProject)
	handle(a, write, huma.Operation{
		OperationID: "makeOwnerLink", Method: http.MethodPost, Path: "/api/operator/owner-link", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make the owner link anew", Description: "With it the first person becomes the owner; the one before no longer works. Refused once there is an owner.",
	}, a.makeOwnerLink)
	handle(a, write, huma.Operation{
		OperationID: "makeInvitationLink", Method: http.MethodPost, Path: "/api/operator/invitations/{id}/link", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make an invitation's link anew", Description: "To be handed over, where no mail is configured; the one before no longer works.",
	}, a.makeInvitationLink)
}

func (a *API) listUsers(ctx context.Context, in *listAllInput) (*usersOutput, error) {
	l, err := a.cfg.Account.ListUsers(ctx, callerOf(ctx), in.page())
	return &usersOutput{filledList(l)}, err
}

func (a *API) suspendUser(ctx context.Context, in *suspendUserInput) (*userOutput, error) {
	u, err := a.cfg.Account.SuspendUser(ctx, callerOf(ctx), hosting.UserID(in.User), in.Body.Suspended)
	return &userOutput{u}, err
}

func (a *API) makeResetLink(ctx context.Context, in *userInput) (*linkOutput, error) {
	l, err := a.cfg.Account.ResetLink(ctx, callerOf(ctx), hosting.UserID(in.User))
	return &linkOutput{l}, err
}

func (a *API) listAllTeams(ctx context.Context, in *listAllInput) (*allTeamsOutput, error) {
	l, err := a.cfg.Account.ListAllTeams(ctx, callerOf(ctx), in.page())
	return &allTeamsOutput{filledList(l)}, err
}

func (a *API) limitTeam(ctx context.Context, in *limitTeamInput) (*teamOutput, error) {
	id, c, change := hosting.TeamID(in.ID), callerOf(ctx), in.Body
	if change.Suspended == nil && change.Quotas == nil {
		return nil, hosting.Errorf(hosting.CodeInvalid, "nothing is to be changed").WithHint("send suspended, quotas, or both")
	}
	var t hosting.Team
	var err error
	if change.Quotas != nil {
		t, err = a.cfg.Deploy.SetQuotas(ctx, c, id, *change.Quotas)
	}
	if err == nil && change.Suspended != nil {
		t, err = a.cfg.Deploy.SuspendTeam(ctx, c, id, *change.Suspended)
	}
	return &teamOutput{t}, err
}

func (a *API) suspendProject(ctx context.Context, in *suspendProjectInput) (*projectOutput, error) {
	p, err := a.cfg.Deploy.SuspendProject(ctx, callerOf(ctx), hosting.ProjectID(in.ID), in.Body.Suspended)
	return &projectOutput{p}, err
}

func (a *API) makeOwnerLink(ctx context.Context, _ *struct{}) (*linkOutput, error) {
	l, err := a.cfg.Account.OwnerLink(ctx)
	return &linkOutput{l}, err
}

func (a *API) makeInvitationLink(ctx context.Context, in *operatorInput) (*linkOutput, error) {
	l, err := a.cfg.Account.InvitationLink(ctx, callerOf(ctx), hosting.InvitationID(in.ID))
	return &linkOutput{l}, err
}
