package ecs

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/runner"
)

// pageSize is how many tasks ECS describes, and lists, at once.
const pageSize = 100

// Inspect tells how each of the jobs fares, by one request for each hundred of them.
func (r *Runner) Inspect(ctx context.Context, refs []runner.Ref) ([]runner.State, error) {
	found, err := r.describe(ctx, refs)
	if err != nil {
		return nil, r.explain(ctx, "inspect jobs", err)
	}
	states := make([]runner.State, len(refs))
	for i, ref := range refs {
		states[i] = runner.State{Phase: runner.Gone}
		if t, ok := found[string(ref)]; ok {
			states[i] = stateOf(t, r.config.Container)
		} else if r.settles(string(ref)) {
			states[i].Phase = runner.Starting
		}
	}
	return states, nil
}

// List names the jobs whose tasks ECS wants to run. It asks by no more than who started them,
// since that has to be the only filter; so a task that is being stopped is not named, and ends.
func (r *Runner) List(ctx context.Context) ([]runner.Job, error) {
	refs, err := r.listed(ctx)
	if err != nil {
		return nil, r.explain(ctx, "list jobs", err)
	}
	found, err := r.describe(ctx, refs)
	if err != nil {
		return nil, r.explain(ctx, "list jobs", err)
	}
	var jobs []runner.Job
	for _, ref := range refs {
		t, ok := found[string(ref)]
		if !ok || isOver(t) || aws.ToString(t.StartedBy) != r.config.Installation {
			continue
		}
		if name := r.nameOf(t); name != "" {
			jobs = append(jobs, runner.Job{Name: name, Ref: ref})
		}
	}
	return jobs, nil
}

func (r *Runner) listed(ctx context.Context) (refs []runner.Ref, err error) {
	in := &ecs.ListTasksInput{Cluster: &r.config.Cluster, StartedBy: &r.config.Installation, MaxResults: aws.Int32(pageSize)}
	for {
		out, err := r.client.ListTasks(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, arn := range out.TaskArns {
			refs = append(refs, runner.Ref(arn))
		}
		if aws.ToString(out.NextToken) == "" {
			return refs, nil
		}
		in.NextToken = out.NextToken
	}
}

// nameOf returns the name of a task's job, "" for what is no job.
func (r *Runner) nameOf(t types.Task) string {
	if t.Overrides == nil {
		return ""
	}
	for _, c := range t.Overrides.ContainerOverrides {
		for _, v := range c.Environment {
			if aws.ToString(v.Name) == nameVar && validName.MatchString(aws.ToString(v.Value)) {
				return *v.Value
			}
		}
	}
	return ""
}

// describe asks for tasks, and returns by their ARNs those that ECS knows.
func (r *Runner) describe(ctx context.Context, refs []runner.Ref) (map[string]types.Task, error) {
	arns := map[string][]string{} // by cluster
	for _, ref := range refs {
		if at, ok := r.parseRef(ref); ok && !slices.Contains(arns[at.cluster], at.arn) {
			arns[at.cluster] = append(arns[at.cluster], at.arn)
		}
	}
	found := map[string]types.Task{}
	for cluster, all := range arns {
		for page := range slices.Chunk(all, pageSize) {
			out, err := r.client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: page})
			if awsapi.Code(err) == clusterNotFound && cluster != r.config.Cluster {
				break // of an earlier configuration, and its tasks went with it
			}
			if err != nil {
				return nil, err
			}
			for _, t := range out.Tasks {
				found[aws.ToString(t.TaskArn)] = t
			}
			for _, f := range out.Failures {
				if reason := aws.ToString(f.Reason); reason != "MISSING" {
					return nil, unavailable("ECS does not tell how tasks fare: %s", clean(reason))
				}
			}
		}
	}
	return found, nil
}
