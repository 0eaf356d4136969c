package controlapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

type (
	explainInput struct {
		URL       string `query:"url" required:"true" minLength:"8" maxLength:"2000" doc:"Address of a page or file, whole"`
		Encodings string `query:"encodings" maxLength:"200" doc:"Value of Accept-Encoding to answer for, such as br, gzip"`
	}
	explainOutput struct{ Body hosting.Explanation }
)

func (a *API) registerExplain() {
	handle(a, rule{may: hosting.PermitRead}, huma.Operation{
		OperationID: "explain", Method: http.MethodGet, Path: "/api/explain", Tags: []string{"projects"},
		Summary:     "How an address is answered, and from what",
		Description: "Site, pointer, deployment, file, form and cache of the answer that this process would give now. Sites of other teams are not found.",
	}, a.explain)
}

func (a *API) explain(ctx context.Context, in *explainInput) (*explainOutput, error) {
	if a.cfg.Explain == nil {
		return nil, hosting.Errorf(hosting.CodeUnavailable, "this process serves no sites").WithHint("ask one that does")
	}
	e, err := a.cfg.Explain(ctx, in.URL, in.Encodings)
	if err != nil {
		return nil, err
	}
	if e.Project != "" {
		if _, err := a.cfg.Deploy.FindProject(ctx, callerOf(ctx), string(e.Project)); err != nil {
			return nil, err
		}
	}
	return &explainOutput{e}, nil
}
