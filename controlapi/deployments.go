package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// DeployAnswer is the answer to a deployment's begin.
type DeployAnswer struct {
	ID         hosting.DeploymentID `json:"id" doc:"Identifier of the deployment"`
	Status     hosting.Status       `json:"status" doc:"The state it begins in"`
	URL        string               `json:"url,omitempty" doc:"Where the site shows it, for target production; a preview has its address once it is READY"`
	Deployment hosting.Deployment   `json:"deployment"`
	Upload     *hosting.Upload      `json:"upload,omitempty" doc:"How its files are brought, where they are awaited"`
}

// DeploymentPath is the path of a deployment's routes.
type DeploymentPath struct {
	ID string `path:"id" maxLength:"64" doc:"Identifier of the deployment"`
}

type (
	deploymentInput      struct{ DeploymentPath }
	deployInput          struct{ Body hosting.NewDeployment }
	listDeploymentsInput struct {
		ProjectPath
		PageQuery
	}
	deployOutput      struct{ Body DeployAnswer }
	deploymentOutput  struct{ Body hosting.Deployment }
	deploymentsOutput struct {
		Body state.List[hosting.Deployment]
	}
)

func (a *API) registerDeployments() {
	tags := []string{"deployments"}
	handle(a, rule{may: hosting.PermitDeploy, class: classDeploys}, huma.Operation{
		OperationID: "deploy", Method: http.MethodPost, Path: "/api/deploy", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary: "Deploy",
		Description: "Builds a commit of a project's repository, or of any Git URL, for which a project is found or made. " +
			"With source archive or files it waits for an upload first.",
	}, a.deploy)
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "listDeployments", Method: http.MethodGet, Path: "/api/projects/{project}/deployments", Tags: tags,
		Summary: "List a project's deployments", Description: "The newest first; pages follow each other by their next.",
	}, a.listDeployments)
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "findDeployment", Method: http.MethodGet, Path: "/api/deployments/{id}", Tags: tags,
		Summary: "Show a deployment", Description: "Its state, its source, and where it can be seen.",
	}, a.findDeployment)
	for _, verb := range []struct {
		name, summary, description string
		class                      limitClass
		do                         func(context.Context, hosting.Caller, hosting.DeploymentID) (hosting.Deployment, error)
	}{
		{"cancel", "Cancel a deployment", "Ends one that has not ended; its build is stopped.", classAPI, a.cfg.Deploy.Cancel},
		{"redeploy", "Deploy the same source again", "Makes a new deployment.", classDeploys, a.cfg.Deploy.Redeploy},
		{"promote", "Show a deployment to the site's visitors", "Moves production to a READY deployment, back as well as forth; nothing is built.", classAPI, a.cfg.Deploy.Promote},
	} {
		handle(a, rule{may: hosting.PermitDeploy, class: verb.class}, huma.Operation{
			OperationID: verb.name + "Deployment", Method: http.MethodPost, Path: "/api/deployments/{id}/" + verb.name, Tags: tags,
			Summary: verb.summary, Description: verb.description,
		}, func(ctx context.Context, in *deploymentInput) (*deploymentOutput, error) {
			id, err := deploymentID(in.ID)
			if err != nil {
				return nil, err
			}
			d, err := verb.do(ctx, callerOf(ctx), id)
			return &deploymentOutput{d}, err
		})
	}
	a.raw(rule{may: hosting.PermitDeploy, upload: true}, huma.Operation{
		OperationID: "putSource", Method: http.MethodPut, Path: "/api/deployments/{id}/source", Tags: tags,
		Summary:     "Bring the archive that a deployment waits for",
		Description: "A tar.gz, sent with its Content-Length. The deployment is queued once it is stored.",
		Parameters:  []*huma.Param{pathParam("id", "Identifier of the deployment")},
		RequestBody: binaryBody("application/gzip", "The packed folder"),
		Responses:   answers("200", "The deployment, queued", "application/json", a.schemaOf(hosting.Deployment{})),
	}, a.putSource)
}

func (a *API) deploy(ctx context.Context, in *deployInput) (*deployOutput, error) {
	d, upload, err := a.cfg.Deploy.Deploy(ctx, callerOf(ctx), in.Body)
	answer := DeployAnswer{ID: d.ID, Status: d.Status, URL: d.URL, Deployment: d, Upload: upload}
	if d.Target == hosting.TargetProduction {
		answer.URL = d.SiteURL
	}
	return &deployOutput{answer}, err
}

func (a *API) listDeployments(ctx context.Context, in *listDeploymentsInput) (*deploymentsOutput, error) {
	l, err := a.cfg.Deploy.ListDeployments(ctx, callerOf(ctx), in.Project, in.page())
	return &deploymentsOutput{filledList(l)}, err
}

func (a *API) findDeployment(ctx context.Context, in *deploymentInput) (*deploymentOutput, error) {
	id, err := deploymentID(in.ID)
	if err != nil {
		return nil, err
	}
	d, err := a.cfg.Deploy.FindDeployment(ctx, callerOf(ctx), id)
	return &deploymentOutput{d}, err
}

func (a *API) putSource(w http.ResponseWriter, r *http.Request) error {
	id, err := deploymentID(r.PathValue("id"))
	if err != nil {
		return err
	}
	size, err := declaredLength(r)
	if err != nil {
		return err
	}
	body := newPacedReader(w, r.Body)
	defer body.done()
	d, err := a.cfg.Deploy.PutSource(r.Context(), callerOf(r.Context()), id, body, size)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, d)
}
