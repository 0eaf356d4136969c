package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// TeamPath is the path of a team's routes. The door reads it to know in which team the caller
// acts, so that no route has to.
type TeamPath struct {
	Team string `path:"team" maxLength:"100" doc:"Id or slug of the team"`
}

// TeamUpdate is what can be changed of a team.
type TeamUpdate struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"Free text, 1 to 100 characters"`
}

type (
	teamInput       struct{ TeamPath }
	createTeamInput struct{ Body account.NewTeam }
	updateTeamInput struct {
		TeamPath
		Body TeamUpdate
	}
	listAuditInput struct {
		TeamPath
		PageQuery
	}
	teamOutput  struct{ Body hosting.Team }
	teamsOutput struct {
		Body state.List[hosting.TeamOf]
	}
	usageOutput struct{ Body hosting.Usage }
	auditOutput struct {
		Body state.List[hosting.AuditEntry]
	}
)

func (a *API) registerTeams() {
	tags := []string{"teams"}
	handle(a, rule{may: hosting.PermitKnown}, huma.Operation{
		OperationID: "listTeams", Method: http.MethodGet, Path: "/api/teams", Tags: tags,
		Summary: "List your teams", Description: "With your role in each. A token lists its own team alone.",
	}, a.listTeams)
	handle(a, rule{may: hosting.PermitSelf}, huma.Operation{
		OperationID: "createTeam", Method: http.MethodPost, Path: "/api/teams", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a team", Description: "You become its owner. A slug is made from the name where none is given.",
	}, a.createTeam)
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "findTeam", Method: http.MethodGet, Path: "/api/teams/{team}", Tags: tags,
		Summary: "Show a team", Description: "Its name, its quotas, and whether it is suspended.",
	}, a.findTeam)
	handle(a, rule{may: hosting.PermitManage}, huma.Operation{
		OperationID: "updateTeam", Method: http.MethodPatch, Path: "/api/teams/{team}", Tags: tags,
		Summary: "Rename a team", Description: "The slug stays.",
	}, a.updateTeam)
	handle(a, rule{may: hosting.PermitManage, class: classSensitive}, huma.Operation{
		OperationID: "deleteTeam", Method: http.MethodDelete, Path: "/api/teams/{team}", Tags: tags,
		Summary:     "Delete a team",
		Description: "Refused while it has projects, and for a person's own team. The answer says what goes, and when.",
	}, a.deleteTeam)
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "getUsage", Method: http.MethodGet, Path: "/api/teams/{team}/usage", Tags: tags,
		Summary: "What a team uses", Description: "Against what it may. Bytes are those of retained deployments, each distinct blob once for a project.",
	}, a.getUsage)
	handle(a, rule{may: hosting.PermitManage}, huma.Operation{
		OperationID: "listAudit", Method: http.MethodGet, Path: "/api/teams/{team}/audit", Tags: tags,
		Summary: "Who did what in a team", Description: "The newest first; pages follow each other by their next.",
	}, a.listAudit)
}

func (a *API) listTeams(ctx context.Context, _ *struct{}) (*teamsOutput, error) {
	teams, err := a.cfg.Account.ListTeams(ctx, callerOf(ctx))
	return &teamsOutput{filledList(state.List[hosting.TeamOf]{Items: teams})}, err
}

func (a *API) createTeam(ctx context.Context, in *createTeamInput) (*teamOutput, error) {
	t, err := a.cfg.Account.CreateTeam(ctx, callerOf(ctx), in.Body)
	return &teamOutput{t}, err
}

// findTeam answers from the caller, which the door has just made from what is stored.
func (a *API) findTeam(ctx context.Context, _ *teamInput) (*teamOutput, error) {
	return &teamOutput{callerOf(ctx).Team}, nil
}

func (a *API) updateTeam(ctx context.Context, in *updateTeamInput) (*teamOutput, error) {
	t, err := a.cfg.Account.UpdateTeam(ctx, callerOf(ctx), in.Body.Name)
	return &teamOutput{t}, err
}

func (a *API) deleteTeam(ctx context.Context, _ *teamInput) (*deletionOutput, error) {
	d, err := a.cfg.Account.DeleteTeam(ctx, callerOf(ctx))
	return &deletionOutput{filledDeletion(d)}, err
}

func (a *API) getUsage(ctx context.Context, _ *teamInput) (*usageOutput, error) {
	u, err := a.cfg.Deploy.Usage(ctx, callerOf(ctx))
	return &usageOutput{u}, err
}

func (a *API) listAudit(ctx context.Context, in *listAuditInput) (*auditOutput, error) {
	l, err := a.cfg.Account.ListAudit(ctx, callerOf(ctx), in.page())
	return &auditOutput{filledList(l)}, err
}
