package controlapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
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
	out := &healthOutput{Status: http.StatusOK, Body: Health{Status: "ok", Version: a.cfg.Version, Checks: map[string]string{}}}
	if a.cfg.Ready == nil {
		return out, nil
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	out.Body.Checks = a.cfg.Ready(ctx)
	for _, state := range out.Body.Checks {
		if state != "ok" {
			out.Status, out.Body.Status = http.StatusServiceUnavailable, "degraded"
		}
	}
	return out, nil
}
