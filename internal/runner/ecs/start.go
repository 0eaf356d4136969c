package ecs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

// maxOverrides is the limit of ECS, in characters of JSON.
const maxOverrides = 8192

// nameVar is the variable by which List knows a task's job again.
const nameVar = "FAIRWAY_JOB"

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// Start asks ECS for the task, or for the one that has the job's name already. An error with
// CodeUnavailable means that ECS said so, or that no answer came: then the task may run, and
// its token is worth nothing as soon as there is a later attempt.
func (r *Runner) Start(ctx context.Context, spec runner.Spec) (runner.Ref, error) {
	if err := check(spec); err != nil {
		return "", err
	}
	in, err := r.request(spec)
	if err != nil {
		return "", fmt.Errorf("start job %s: %w", spec.Name, err)
	}
	out, err := r.client.RunTask(ctx, in)
	arn := ""
	if conflict, ok := errors.AsType[*types.ConflictException](err); ok && len(conflict.ResourceIds) == 1 {
		arn, err = conflict.ResourceIds[0], nil // started with other settings, before they were changed
	} else if err == nil {
		arn, err = started(out)
	}
	if err != nil {
		return "", r.explain(ctx, "start job "+spec.Name, err, spec.Token)
	}
	if at, ok := r.parseRef(runner.Ref(arn)); !ok || at.arn != arn {
		return "", fmt.Errorf("start job %s: %w", spec.Name, unavailable("ECS names the task in a way that is not known"))
	}
	r.remember(arn)
	return runner.Ref(arn), nil
}

// check refuses what could be read as something else where it ends up.
func check(spec runner.Spec) error {
	if !validName.MatchString(spec.Name) {
		return fmt.Errorf("start a job: %q cannot be a job's name", spec.Name)
	}
	if spec.Token == "" || len(spec.Token) > runner.MaxToken || strings.ContainsFunc(spec.Token, unicode.IsControl) {
		return fmt.Errorf("start job %s: its token is not one line", spec.Name)
	}
	return nil
}

// request describes the task. It names no role.
func (r *Runner) request(spec runner.Spec) (*ecs.RunTaskInput, error) {
	c := r.config
	overrides, err := c.overrides(spec)
	if err != nil {
		return nil, err
	}
	in := &ecs.RunTaskInput{
		Cluster: &c.Cluster, TaskDefinition: &c.TaskDefinition, Count: aws.Int32(1), Overrides: overrides,
		ClientToken: aws.String(c.clientToken(spec.Name)), StartedBy: &c.Installation,
	}
	switch {
	case c.Launch == EC2:
		in.LaunchType = types.LaunchTypeEc2
	case c.Launch == FargateSpot && spec.Spot:
		in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT"), Weight: 1}}
	default:
		in.LaunchType = types.LaunchTypeFargate
	}
	if len(c.Subnets) > 0 {
		vpc := &types.AwsVpcConfiguration{Subnets: c.Subnets, SecurityGroups: c.SecurityGroups}
		if c.PublicIP {
			vpc.AssignPublicIp = types.AssignPublicIpEnabled
		}
		in.NetworkConfiguration = &types.NetworkConfiguration{AwsvpcConfiguration: vpc}
	}
	return in, nil
}

// clientToken makes RunTask start one task for a name: 64 characters, as many as it may have.
func (c Config) clientToken(name string) string {
	sum := sha256.Sum256([]byte(c.Installation + "\x00" + name))
	return hex.EncodeToString(sum[:])
}

// overrides is what a task has beside its definition: whoever may describe tasks can read it.
func (c Config) overrides(spec runner.Spec) (*types.TaskOverride, error) {
	variables := [][2]string{
		{nameVar, spec.Name}, {"FAIRWAY_JOB_ID", string(spec.Deployment)}, {"FAIRWAY_JOB_API", spec.API}, {runner.TokenVariable, spec.Token},
	}
	container := types.ContainerOverride{Name: &c.Container}
	for _, v := range variables {
		container.Environment = append(container.Environment, types.KeyValuePair{Name: &v[0], Value: &v[1]})
	}
	o := &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{container}}
	if c.CPU != "" {
		o.Cpu = &c.CPU
	}
	if c.Memory != "" {
		o.Memory = &c.Memory
	}
	if n := sizeOf(o); n > maxOverrides {
		return nil, invalid("the job's settings take %d characters, and ECS allows %d", n, maxOverrides).
			WithHint("shorten the address of the control host")
	}
	return o, nil
}

// sizeOf bounds the overrides' size from above: the names are those of the SDK's fields, which
// are as long as those of the protocol, and some are there that are not sent.
func sizeOf(o *types.TaskOverride) int {
	b, err := json.Marshal(o)
	if err != nil {
		return maxOverrides + 1 // not for what is only made of texts
	}
	return len(b)
}

// started returns the task of an answer, which may be none although there was no error.
func started(out *ecs.RunTaskOutput) (arn string, err error) {
	if len(out.Tasks) == 1 && out.Tasks[0].TaskArn != nil {
		return *out.Tasks[0].TaskArn, nil
	}
	for _, f := range out.Failures {
		return "", failure{aws.ToString(f.Reason), aws.ToString(f.Detail)}
	}
	return "", failure{}
}

// failure is why ECS did not place a task, as it tells it in an answer without an error.
type failure struct{ reason, detail string }

func (f failure) Error() string { return "not placed: " + f.reason + " " + f.detail }

// meaning says what it means for whoever asked. All but one may be otherwise in a while.
func (f failure) meaning() *hosting.Error {
	reason := clean(strings.TrimSpace(f.reason + " " + f.detail))
	switch {
	case strings.HasPrefix(f.reason, "ATTRIBUTE"):
		return invalid("no machine of the cluster can run the task: %s", reason).
			WithHint("see what the task definition asks of them")
	case strings.HasPrefix(f.reason, "RESOURCE"):
		return unavailable("the cluster has no room for the task: %s", reason)
	case strings.HasPrefix(f.reason, "AGENT"):
		return unavailable("the cluster's machine does not answer: %s", reason)
	case reason == "":
		return unavailable("ECS did not start the task, and says not why")
	}
	return unavailable("ECS did not start the task: %s", reason)
}
