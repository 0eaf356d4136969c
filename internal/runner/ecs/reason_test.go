package ecs

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/scale-mesh/fairway/internal/runner"
)

func TestStateOf_TellsStates(t *testing.T) {
	for status, want := range map[string]runner.Phase{
		"PROVISIONING": runner.Starting, "PENDING": runner.Starting, "ACTIVATING": runner.Starting, "RUNNING": runner.Running,
		"DEACTIVATING": runner.Running, "STOPPING": runner.Running, "": runner.Running, "SOMETHING_NEW": runner.Running,
		"DEPROVISIONING": runner.Exited, "STOPPED": runner.Exited, "DELETED": runner.Exited,
	} {
		if got := stateOf(types.Task{LastStatus: aws.String(status)}, "fairway"); got.Phase != want {
			t.Errorf("%s is %s, want %s", status, got.Phase, want)
		}
	}
}

func TestStateOf_TellsWhyATaskHasEnded(t *testing.T) {
	const (
		started = types.TaskStopCodeEssentialContainerExited
		failed  = types.TaskStopCodeTaskFailedToStart
		essent  = "Essential container in task exited"
	)
	code := func(n int32) *int32 { return &n }
	for _, tc := range []struct {
		name       string
		stop       types.TaskStopCode
		reason, of string
		exit       *int32
		want       string
	}{
		{"a status", started, essent, "", code(3), "exit status 3"},
		{"done", started, essent, "", code(0), "exit status 0"},
		{"SIGKILL", started, essent, "", code(137), "killed by signal 9 (out of memory?)"},
		{"SIGSEGV", started, essent, "", code(139), "killed by signal 11"},
		{"a high status", started, essent, "", code(255), "exit status 255"},
		{"out of memory", started, essent, "OutOfMemoryError: Container killed due to memory usage", code(137), "it needed more memory than the task has (OutOfMemoryError: Container killed due to memory usage)"},
		{"no status", started, essent, "", nil, essent},
		{"no status but a reason", started, essent, "CannotInspectContainerError: timeout", nil, "CannotInspectContainerError: timeout"},
		{"no image", failed, "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found", "", nil, "its image could not be pulled: CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"},
		{"no image, by the container", failed, "Task failed to start", "CannotPullContainerError: no basic auth credentials", nil, "its image could not be pulled: CannotPullContainerError: no basic auth credentials"},
		{"no network", failed, "ResourceInitializationError: unable to pull secrets or registry auth: i/o timeout", "", nil, "its network, secrets or log driver could not be set up: ResourceInitializationError: unable to pull secrets or registry auth: i/o timeout"},
		{"no program", failed, "CannotStartContainerError: exec: no such file", "", nil, "its container could not be started: CannotStartContainerError: exec: no such file"},
		{"no interface", failed, "Timeout waiting for network interface provisioning to complete.", "", nil, "its task did not start: Timeout waiting for network interface provisioning to complete"},
		{"nothing said", failed, "", "", nil, "its task did not start"},
		{"Spot", types.TaskStopCodeSpotInterruption, "Your Spot Task was interrupted.", "", code(143), "AWS took its Spot capacity back"},
		{"retired", types.TaskStopCodeTerminationNotice, "x", "", code(143), "AWS retires the machine that it ran on"},
		{"broken", types.TaskStopCodeInfrastructureHealth, "x", "", nil, "the machine that it ran on failed"},
		{"stopped by a person", types.TaskStopCodeUserInitiated, "Task stopped by user", "", code(143), "it was stopped: Task stopped by user"},
		{"stopped by us", types.TaskStopCodeUserInitiated, whyStopped, "", code(0), "it was stopped: Fairway: the attempt has ended"},
		{"stopped by a scheduler", types.TaskStopCodeServiceSchedulerInitiated, "Scaling", "", nil, "ECS stopped it, ServiceSchedulerInitiated: Scaling"},
		{"an older agent", "", "", "", code(1), "exit status 1"},
		{"nothing at all", "", "", "", nil, ""},
		{"lines and colours", failed, "a\n\x1b[31mb\u202e\tc", "", nil, "its task did not start: a [31mb c"},
		{"a novel", failed, strings.Repeat("é", 1000), "", nil, "its task did not start: " + strings.Repeat("é", 300) + "…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			task := types.Task{
				LastStatus: aws.String("STOPPED"), StopCode: tc.stop, StoppedReason: &tc.reason,
				Containers: []types.Container{{Name: aws.String("sidecar"), ExitCode: code(99)}, {Name: aws.String("fairway"), ExitCode: tc.exit, Reason: &tc.of}},
			}
			if got := stateOf(task, "fairway"); got.Phase != runner.Exited || got.Reason != tc.want {
				t.Errorf("%+v, want %q", got, tc.want)
			}
		})
	}
}
