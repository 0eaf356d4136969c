package controlapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Health is what an installation says of itself.
type Health struct {
	Status  string            `json:"status" enum:"ok,degraded" doc:"ok where every part is"`
	Version string            `json:"version" doc:"Version of Fairway"`
	Checks  map[string]string `json:"checks" doc:"Each part: ok, or what is wrong with it"`
}

type healthOutput struct {
	Status int
	Body   Health
}

const healthTime = 2 * time.Second

func (a *API) registerHealth() {
	handle(a, rule{open: true, setup: true, unlimited: true}, huma.Operation{
		OperationID: "getHealth", Method: http.MethodGet, Path: "/api/health", Tags: []string{"installation"},
		Summary: "How the installation is", Description: "Answers 200 while every part works, and 503 with the same body while one does not.",
		Responses: map[string]*huma.Response{"503": {
			Description: "A part does not work",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: a.schemaOf(Health{})}},
		}},
	}, a.health)
}

func (a *API) health(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	return healthOf(ctx, a.cfg.Version, a.cfg.Ready), nil
}

func healthOf(ctx context.Context, version string, ready func(context.Context) map[string]string) *healthOutput {
	out := &healthOutput{Status: http.StatusOK, Body: Health{Status: "ok", Version: version, Checks: map[string]string{}}}
	if ready == nil {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	out.Body.Checks = ready(ctx)
	for _, state := range out.Body.Checks {
		if state != "ok" {
			out.Status, out.Body.Status = http.StatusServiceUnavailable, "degraded"
		}
	}
	return out
}

// HealthAlone answers GET /api/health of a process that has no other part of the API: an edge.
func HealthAlone(version string, ready func(context.Context) map[string]string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, r *http.Request) {
		h := healthOf(r.Context(), version, ready)
		if err := writeJSON(w, h.Status, h.Body); err != nil {
			panic(http.ErrAbortHandler) // strings always marshal
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		err := hosting.Errorf(hosting.CodeNotFound, "this Fairway is an edge: it serves sites, and has no projects").WithHint("ask its control plane")
		newProblem(err).write(w)
	})
	return mux
}
