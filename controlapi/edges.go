package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/usage"
)

type (
	edgeInput struct {
		Edge string `path:"edge" maxLength:"64" doc:"Name of the edge"`
	}
	addEdgeInput     struct{ Body hosting.NewEdge }
	reportInput      struct{ Body hosting.EdgeReport }
	edgeSecretOutput struct{ Body hosting.EdgeSecret }
	edgesOutput      struct{ Body state.List[hosting.Edge] }
)

func (a *API) registerEdges() {
	tags := []string{"edges"}
	handle(a, rule{may: hosting.PermitOperate}, huma.Operation{
		OperationID: "listEdges", Method: http.MethodGet, Path: "/api/edges", Tags: tags,
		Summary: "List the edges that report", Description: "With what they reported last, and the sums of all that they reported. Pages follow each other by their next.",
	}, a.listEdges)
	handle(a, rule{may: hosting.PermitOperate, class: classSensitive}, huma.Operation{
		OperationID: "addEdge", Method: http.MethodPost, Path: "/api/edges", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Make an edge's token", Description: "The answer holds its secret, this once. It is good for the edge's report and nothing else.",
	}, a.addEdge)
	handle(a, rule{may: hosting.PermitOperate, class: classSensitive}, huma.Operation{
		OperationID: "removeEdge", Method: http.MethodDelete, Path: "/api/edges/{edge}", Tags: tags,
		Summary: "End an edge's token", Description: "What was reported with it is forgotten. The edge serves on.",
	}, a.removeEdge)
	handle(a, rule{edge: true}, huma.Operation{
		OperationID: "reportEdge", Method: http.MethodPost, Path: "/api/edges/report", Tags: tags,
		Summary:     "Say how an edge is, and what it did",
		Description: "Once a minute. May be repeated: a batch is counted once under its boot and number, which have to grow. The answer comes when it is stored.",
	}, a.reportEdge)
}

func (a *API) listEdges(ctx context.Context, in *listAllInput) (*edgesOutput, error) {
	l, err := a.cfg.Usage.ListEdges(ctx, in.page())
	return &edgesOutput{filledList(l)}, err
}

func (a *API) addEdge(ctx context.Context, in *addEdgeInput) (*edgeSecretOutput, error) {
	e, err := a.cfg.Usage.AddEdge(ctx, callerOf(ctx), in.Body)
	return &edgeSecretOutput{e}, err
}

func (a *API) removeEdge(ctx context.Context, in *edgeInput) (*struct{}, error) {
	return nil, a.cfg.Usage.RemoveEdge(ctx, callerOf(ctx), in.Edge)
}

func (a *API) reportEdge(ctx context.Context, in *reportInput) (*struct{}, error) {
	e, _ := ctx.Value(edgeKey{}).(usage.EdgeToken) // put there by the door
	return nil, a.cfg.Usage.Report(ctx, e, in.Body)
}

type edgeKey struct{}

// identifyEdge looks for the edge's own token, before anything of the body is read.
func (a *API) identifyEdge(e *entrance) (err error) {
	token, ok := bearer(e.r.Header.Get("Authorization"))
	if !ok {
		return hosting.Errorf(hosting.CodeUnauthenticated, "the request carries no token").
			WithHint("send Authorization: Bearer and the edge's own token")
	}
	e.edge, err = a.cfg.Usage.ByToken(e.r.Context(), token)
	return err
}
