package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// RoleUpdate is a member's new role.
type RoleUpdate struct {
	Role hosting.Role `json:"role" enum:"viewer,developer,owner"`
}

// MemberPath is the path of one member.
type MemberPath struct {
	TeamPath
	User string `path:"user" maxLength:"64" doc:"Identifier of the person"`
}

type (
	listMembersInput struct {
		TeamPath
		PageQuery
	}
	memberInput  struct{ MemberPath }
	setRoleInput struct {
		MemberPath
		Body RoleUpdate
	}
	memberOutput  struct{ Body hosting.Member }
	membersOutput struct {
		Body state.List[hosting.Member]
	}
)

func (a *API) registerMembers() {
	tags := []string{"members"}
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "listMembers", Method: http.MethodGet, Path: "/api/teams/{team}/members", Tags: tags,
		Summary: "List a team's members", Description: "Pages follow each other by their next.",
	}, a.listMembers)
	handle(a, rule{may: hosting.PermitManage, class: classSensitive}, huma.Operation{
		OperationID: "setRole", Method: http.MethodPatch, Path: "/api/teams/{team}/members/{user}", Tags: tags,
		Summary: "Give a member another role", Description: "It holds from their next request on. The last owner keeps theirs.",
	}, a.setRole)
	handle(a, rule{may: hosting.PermitManage, class: classSensitive}, huma.Operation{
		OperationID: "removeMember", Method: http.MethodDelete, Path: "/api/teams/{team}/members/{user}", Tags: tags,
		Summary: "Take a member out of a team", Description: "Their tokens for the team end with it. The last owner stays.",
	}, a.removeMember)
	handle(a, rule{may: hosting.PermitSelf}, huma.Operation{
		OperationID: "leaveTeam", Method: http.MethodPost, Path: "/api/teams/{team}/leave", Tags: tags,
		Summary: "Leave a team", Description: "Your tokens for it end. The last owner, and the person whose own team it is, cannot leave.",
	}, a.leaveTeam)
}

func (a *API) listMembers(ctx context.Context, in *listMembersInput) (*membersOutput, error) {
	l, err := a.cfg.Account.ListMembers(ctx, callerOf(ctx), in.page())
	return &membersOutput{filledList(l)}, err
}

func (a *API) setRole(ctx context.Context, in *setRoleInput) (*memberOutput, error) {
	m, err := a.cfg.Account.SetRole(ctx, callerOf(ctx), hosting.UserID(in.User), in.Body.Role)
	return &memberOutput{m}, err
}

func (a *API) removeMember(ctx context.Context, in *memberInput) (*struct{}, error) {
	return nil, a.cfg.Account.RemoveMember(ctx, callerOf(ctx), hosting.UserID(in.User))
}

func (a *API) leaveTeam(ctx context.Context, _ *teamInput) (*struct{}, error) {
	return nil, a.cfg.Account.Leave(ctx, callerOf(ctx))
}
