package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// ProjectPath is the path of a project's routes. Huma sees embedded types only if they are
// exported; so with the two like it.
type ProjectPath struct {
	Project string `path:"project" maxLength:"100" doc:"Id or slug of the project"`
}

// PageQuery selects a part of a list.
type PageQuery struct {
	After string `query:"after" maxLength:"200" doc:"The next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most"`
}

func (q PageQuery) page() state.Page { return state.Page{After: q.After, Limit: q.Limit} }

type (
	projectInput       struct{ ProjectPath }
	createProjectInput struct{ Body hosting.NewProject }
	listProjectsInput  struct{ PageQuery }
	updateProjectInput struct {
		ProjectPath
		Body hosting.ProjectUpdate
	}
	accessInput struct {
		ProjectPath
		Body hosting.AccessUpdate
	}
	projectOutput  struct{ Body hosting.Project }
	deletionOutput struct{ Body hosting.Deletion }
	projectsOutput struct {
		Body state.List[hosting.Project]
	}
)

func (a *API) registerProjects() {
	tags := []string{"projects"}
	create := huma.Operation{
		OperationID: "createProject", Method: http.MethodPost, Path: "/api/projects", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make a project", Description: "Its slug becomes the name of its site; one is made from the name where none is given.",
	}
	handle(a, rule{may: hosting.PermitChange}, create, a.createProject)
	alias := create
	alias.OperationID, alias.Path, alias.Deprecated = "createProjectAlias", "/api/project", true
	alias.Description = "The same as POST /api/projects."
	handle(a, rule{may: hosting.PermitChange}, alias, a.createProject)
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "listProjects", Method: http.MethodGet, Path: "/api/projects", Tags: tags,
		Summary: "List the projects", Description: "Pages follow each other by their next.",
	}, a.listProjects)
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "findProject", Method: http.MethodGet, Path: "/api/projects/{project}", Tags: tags,
		Summary: "Show a project", Description: "With its latest deployment, where it has one.",
	}, a.findProject)
	handle(a, rule{may: hosting.PermitChange}, huma.Operation{
		OperationID: "updateProject", Method: http.MethodPatch, Path: "/api/projects/{project}", Tags: tags,
		Summary: "Change a project's settings", Description: "Only the fields that are sent change. They hold from the next deployment on.",
	}, a.updateProject)
	handle(a, rule{may: hosting.PermitChange, class: classSensitive}, huma.Operation{
		OperationID: "setAccess", Method: http.MethodPut, Path: "/api/projects/{project}/access", Tags: tags,
		Summary:     "Say who may see a project's site",
		Description: "Everybody, who knows a password, or who is a member of the team; for production and for previews. What is not sent stays. Whoever was let in before has to come in again.",
	}, a.setAccess)
	handle(a, rule{may: hosting.PermitManage, class: classSensitive}, huma.Operation{
		OperationID: "deleteProject", Method: http.MethodDelete, Path: "/api/projects/{project}", Tags: tags,
		Summary: "Delete a project", Description: "Its site and all its deployments go with it; the slug is held for 30 days.",
	}, a.deleteProject)
}

func (a *API) createProject(ctx context.Context, in *createProjectInput) (*projectOutput, error) {
	p, err := a.cfg.Deploy.CreateProject(ctx, callerOf(ctx), in.Body)
	return &projectOutput{p}, err
}

func (a *API) findProject(ctx context.Context, in *projectInput) (*projectOutput, error) {
	p, err := a.cfg.Deploy.FindProject(ctx, callerOf(ctx), in.Project)
	return &projectOutput{p}, err
}

func (a *API) listProjects(ctx context.Context, in *listProjectsInput) (*projectsOutput, error) {
	l, err := a.cfg.Deploy.ListProjects(ctx, callerOf(ctx), in.page())
	return &projectsOutput{filledList(l)}, err
}

func (a *API) updateProject(ctx context.Context, in *updateProjectInput) (*projectOutput, error) {
	p, err := a.cfg.Deploy.UpdateProject(ctx, callerOf(ctx), in.Project, in.Body)
	return &projectOutput{p}, err
}

func (a *API) setAccess(ctx context.Context, in *accessInput) (*projectOutput, error) {
	p, err := a.cfg.Deploy.SetAccess(ctx, callerOf(ctx), in.Project, in.Body)
	return &projectOutput{p}, err
}

func (a *API) deleteProject(ctx context.Context, in *projectInput) (*deletionOutput, error) {
	d, err := a.cfg.Deploy.DeleteProject(ctx, callerOf(ctx), in.Project)
	return &deletionOutput{filledDeletion(d)}, err
}

// filledList gives an empty list as [] rather than null.
func filledList[T any](l state.List[T]) state.List[T] {
	if l.Items == nil {
		l.Items = []T{}
	}
	return l
}
