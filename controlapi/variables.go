package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// VariablePath is the path of one variable.
type VariablePath struct {
	ProjectPath
	Name string `path:"name" maxLength:"128" doc:"Name of the variable"`
}

type (
	setVariableInput struct {
		VariablePath
		Body deploy.SetVariable
	}
	deleteVariableInput struct {
		VariablePath
		Target hosting.Target `query:"target" enum:"production,preview" doc:"Of which target; of both when absent"`
	}
	variablesOutput struct {
		Body state.List[hosting.Variable]
	}
)

func (a *API) registerVariables() {
	tags := []string{"variables"}
	handle(a, rule{may: hosting.PermitChange}, huma.Operation{
		OperationID: "listVariables", Method: http.MethodGet, Path: "/api/projects/{project}/variables", Tags: tags,
		Summary: "List a project's variables", Description: "Those that are secret without their value, which nobody sees again.",
	}, a.listVariables)
	handle(a, rule{may: hosting.PermitChange, class: classSensitive}, huma.Operation{
		OperationID: "setVariable", Method: http.MethodPut, Path: "/api/projects/{project}/variables/{name}", Tags: tags,
		Summary:     "Set a variable",
		Description: "For the builds of one target, or of both; it holds from the next build on. A secret value is masked in logs.",
	}, a.setVariable)
	handle(a, rule{may: hosting.PermitChange, class: classSensitive}, huma.Operation{
		OperationID: "deleteVariable", Method: http.MethodDelete, Path: "/api/projects/{project}/variables/{name}", Tags: tags,
		Summary: "Remove a variable", Description: "Of one target, or of both. What was built with it stays as it is.",
	}, a.deleteVariable)
}

func (a *API) listVariables(ctx context.Context, in *projectInput) (*variablesOutput, error) {
	return listed(a.cfg.Deploy.ListVariables(ctx, callerOf(ctx), in.Project))
}

func (a *API) setVariable(ctx context.Context, in *setVariableInput) (*variablesOutput, error) {
	return listed(a.cfg.Deploy.SetVariable(ctx, callerOf(ctx), in.Project, in.Name, in.Body))
}

func (a *API) deleteVariable(ctx context.Context, in *deleteVariableInput) (*struct{}, error) {
	return nil, a.cfg.Deploy.DeleteVariable(ctx, callerOf(ctx), in.Project, in.Name, in.Target)
}

func listed(vars []hosting.Variable, err error) (*variablesOutput, error) {
	return &variablesOutput{filledList(state.List[hosting.Variable]{Items: vars})}, err
}
