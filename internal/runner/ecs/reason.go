package ecs

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/scale-mesh/fairway/internal/runner"
)

// isOver reports whether no container of a task runs any more, nor will. DEPROVISIONING is the
// taking down of its network.
func isOver(t types.Task) bool {
	switch aws.ToString(t.LastStatus) {
	case "DEPROVISIONING", "STOPPED", "DELETED":
		return true
	}
	return false
}

// stateOf says how a task fares. What is being stopped counts as running.
func stateOf(t types.Task, container string) runner.State {
	switch status := aws.ToString(t.LastStatus); {
	case status == "PROVISIONING" || status == "PENDING" || status == "ACTIVATING":
		return runner.State{Phase: runner.Starting, Reason: "ECS says " + status}
	case !isOver(t):
		return runner.State{Phase: runner.Running}
	}
	return runner.State{Phase: runner.Exited, Reason: reasonOf(t, containerOf(t, container))}
}

func containerOf(t types.Task, name string) types.Container {
	for _, c := range t.Containers {
		if aws.ToString(c.Name) == name {
			return c
		}
	}
	return types.Container{}
}

// starts are beginnings of what ECS says about a task that did not start, in words.
var starts = []struct{ prefix, words string }{
	{"CannotPullContainerError", "its image could not be pulled"},
	{"CannotPullImageManifestError", "its image could not be pulled"},
	{"ResourceInitializationError", "its network, secrets or log driver could not be set up"},
	{"CannotStartContainerError", "its container could not be started"},
	{"CannotCreateContainerError", "its container could not be made"},
	{"ContainerRuntimeTimeoutError", "its container did not start in time"},
	{"DockerTimeoutError", "its container did not start in time"},
}

// reasonOf puts into words why a task has ended.
func reasonOf(t types.Task, c types.Container) string {
	said, ofContainer := clean(aws.ToString(t.StoppedReason)), clean(aws.ToString(c.Reason))
	if strings.HasPrefix(ofContainer, "OutOfMemory") {
		return "it needed more memory than the task has (" + ofContainer + ")"
	}
	switch t.StopCode {
	case types.TaskStopCodeTaskFailedToStart:
		return notStarted(said, ofContainer)
	case types.TaskStopCodeEssentialContainerExited, "":
		return exited(c, ofContainer, said)
	case types.TaskStopCodeSpotInterruption:
		return "AWS took its Spot capacity back"
	case types.TaskStopCodeTerminationNotice:
		return "AWS retires the machine that it ran on"
	case types.TaskStopCodeInfrastructureHealth:
		return "the machine that it ran on failed"
	case types.TaskStopCodeUserInitiated:
		return join("it was stopped", said)
	}
	return join(clean("ECS stopped it, "+string(t.StopCode)), said)
}

func notStarted(said, ofContainer string) string {
	for _, text := range []string{said, ofContainer} {
		for _, s := range starts {
			if strings.HasPrefix(text, s.prefix) {
				return join(s.words, text)
			}
		}
	}
	if said == "" {
		said = ofContainer
	}
	return join("its task did not start", said)
}

// exited says how a container ended. A status above 128 is how one ends that a signal killed.
func exited(c types.Container, ofContainer, said string) string {
	if c.ExitCode == nil {
		if ofContainer != "" {
			said = ofContainer
		}
		return said
	}
	how := fmt.Sprintf("exit status %d", *c.ExitCode)
	switch n := *c.ExitCode - 128; {
	case n == 9:
		how = "killed by signal 9 (out of memory?)"
	case n > 0 && n < 65:
		how = fmt.Sprintf("killed by signal %d", n)
	}
	return join(how, ofContainer)
}

func join(words, said string) string {
	if said == "" {
		return words
	}
	return words + ": " + said
}

const maxSaid = 300

// clean makes one line of what AWS says, which may hold what an image's registry said.
func clean(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	s = strings.TrimRight(s, ".")
	if r := []rune(s); len(r) > maxSaid {
		s = string(r[:maxSaid]) + "…"
	}
	return s
}
