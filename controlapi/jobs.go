package controlapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	maxLogBatch  = 2 << 20
	maxInventory = 64 << 20 // a hundred thousand files with their parts
	longBodyTime = 5 * time.Minute
)

type (
	jobInput       struct{ DeploymentPath }
	heartbeatInput struct {
		DeploymentPath
		Body hosting.Heartbeat
	}
	logBatchInput struct {
		DeploymentPath
		Body hosting.LogBatch
	}
	missingInput struct {
		DeploymentPath
		Body hosting.MissingRequest
	}
	finishInput struct {
		DeploymentPath
		Body hosting.Finish
	}
	jobOutput     struct{ Body hosting.Job }
	ackOutput     struct{ Body hosting.LogAck }
	missingOutput struct{ Body hosting.MissingAnswer }
)

func (a *API) registerJobs() {
	registerJob(a, huma.Operation{
		OperationID: "getJob", Method: http.MethodGet, Path: "/api/jobs/{id}",
		Summary: "What the attempt has to do", Description: "The source, the settings, the variables of its target, and the limits that hold.",
	}, func(ctx context.Context, at *deploy.Attempt, _ *jobInput) (*jobOutput, error) {
		job, err := at.Job(ctx)
		return &jobOutput{job}, err
	})
	registerJob(a, huma.Operation{
		OperationID: "beatHeart", Method: http.MethodPost, Path: "/api/jobs/{id}/heartbeat",
		Summary: "Say that the attempt lives, and where it is", Description: "One that says nothing for a while is taken for lost, and made again.",
	}, func(ctx context.Context, at *deploy.Attempt, in *heartbeatInput) (*struct{}, error) {
		return nil, at.Heartbeat(ctx, in.Body)
	})
	registerJob(a, huma.Operation{
		OperationID: "appendLog", Method: http.MethodPost, Path: "/api/jobs/{id}/logs", MaxBodyBytes: maxLogBatch,
		Summary: "Append lines to the log", Description: "Lines that are stored already are skipped; the answer names the number that is awaited next.",
	}, func(ctx context.Context, at *deploy.Attempt, in *logBatchInput) (*ackOutput, error) {
		ack, err := at.AppendLog(ctx, in.Body)
		return &ackOutput{ack}, err
	})
	registerJob(a, huma.Operation{
		OperationID: "findMissing", Method: http.MethodPost, Path: "/api/jobs/{id}/missing", MaxBodyBytes: maxInventory,
		Summary: "Which blobs have to be uploaded", Description: "Of those that are named; the others are stored already. Of the files, which are named by the SHA-256 of the whole content, 10,000 at most, the answer has the compressed forms that are stored.",
	}, func(ctx context.Context, at *deploy.Attempt, in *missingInput) (*missingOutput, error) {
		answer, err := at.Missing(ctx, in.Body)
		if answer.Missing == nil {
			answer.Missing = []hosting.BlobUpload{}
		}
		return &missingOutput{answer}, err
	})
	registerJob(a, huma.Operation{
		OperationID: "finishJob", Method: http.MethodPost, Path: "/api/jobs/{id}/finish", MaxBodyBytes: maxInventory,
		Summary: "End the attempt, by an inventory or a failure", Description: "May be repeated. Answers incomplete where blobs of the inventory are absent.",
	}, func(ctx context.Context, at *deploy.Attempt, in *finishInput) (*deploymentOutput, error) {
		d, err := at.Finish(ctx, in.Body)
		return &deploymentOutput{d}, err
	})
}

// registerJob registers a route of the job protocol. The token is checked before the body
// is read: some of these bodies are large, and nobody else may make us hold them.
func registerJob[I, O any](a *API, op huma.Operation, fn func(context.Context, *deploy.Attempt, *I) (*O, error)) {
	op.Tags = []string{"jobs"}
	// Inventories have hundreds of thousands of values; checking them against the schema
	// costs more than all the rest, and package deploy believes none of them anyway.
	op.SkipValidateBody = true
	if op.MaxBodyBytes != 0 {
		op.BodyReadTimeout = longBodyTime
	}
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		at, err := a.attempt(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		next(huma.WithValue(ctx, attemptKey{}, at))
	}}
	handle(a, rule{job: true}, op, func(ctx context.Context, in *I) (*O, error) {
		at, _ := ctx.Value(attemptKey{}).(*deploy.Attempt) // put there above
		return fn(ctx, at, in)
	})
}

type attemptKey struct{}

// attempt returns the attempt that the path names, if the request carries its token.
func (a *API) attempt(r *http.Request) (*deploy.Attempt, error) {
	id, err := deploymentID(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	token, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		return nil, hosting.Errorf(hosting.CodeUnauthenticated, "the request carries no token").
			WithHint("send Authorization: Bearer and the attempt's own token")
	}
	return a.cfg.Deploy.Attempt(r.Context(), id, token)
}
