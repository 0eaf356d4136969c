package ecs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/runner"
)

// stopTime is for how long Stop waits: AWS gives a task two minutes at most to end by itself.
const stopTime = 4 * time.Minute

// whyStopped is what DescribeTasks and the console show.
const whyStopped = "Fairway: the attempt has ended"

// Stop asks ECS to stop the task and returns when no container of it runs. For how long they
// are asked, before they are killed, is the stopTimeout of the task definition.
func (r *Runner) Stop(ctx context.Context, ref runner.Ref) error {
	at, ok := r.parseRef(ref)
	if !ok {
		return nil
	}
	action := "stop task " + at.arn
	asked, patience := false, r.config.Now().Add(stopTime)
	for wait := r.config.pace.first; ; wait = min(2*wait, r.config.pace.most) {
		t, known, err := r.endStep(ctx, at, &asked)
		if err != nil {
			return r.explain(ctx, action, err)
		}
		if known && isOver(t) || !known && !r.settles(at.arn) {
			return nil
		}
		if r.config.Now().After(patience) {
			return r.explain(ctx, action, unavailable("ECS has not stopped the task yet"))
		}
		if err := pause.For(ctx, wait); err != nil {
			return r.explain(ctx, action, err)
		}
	}
}

// endStep has ECS stop the task, unless it was asked to, and says how the task is. A task that
// is not known is refused by the same error as a wrong parameter, so then it is looked for.
func (r *Runner) endStep(ctx context.Context, at place, asked *bool) (t types.Task, known bool, err error) {
	var refused error
	if !*asked {
		out, err := r.client.StopTask(ctx, &ecs.StopTaskInput{Cluster: &at.cluster, Task: &at.arn, Reason: aws.String(whyStopped)})
		if err == nil && out.Task != nil {
			*asked = true
			return *out.Task, true, nil
		}
		switch awsapi.Code(err) {
		case clusterNotFound:
			return t, false, nil // its tasks went with it
		case "InvalidParameterException", "ClientException", "ResourceNotFoundException", "":
			refused = err
		default:
			return t, false, err
		}
	}
	found, err := r.describe(ctx, []runner.Ref{runner.Ref(at.arn)})
	if err != nil {
		return t, false, err
	}
	t, known = found[at.arn]
	if known && !isOver(t) && refused != nil {
		return t, true, refused
	}
	return t, known, nil
}
