package ecstest

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// The states of a task.
const (
	provisioning   = "PROVISIONING"
	pending        = "PENDING"
	running        = "RUNNING"
	deactivating   = "DEACTIVATING"
	stopping       = "STOPPING"
	deprovisioning = "DEPROVISIONING"
	stopped        = "STOPPED"
)

// task is one run of a definition. Its server's mutex guards its fields but the first ones.
type task struct {
	server     *Server
	arn        string
	cluster    string
	definition *TaskDefinition
	request    runTask
	fails      string // why it does not start
	role       string // by which the keys of its role are asked for
	told       context.Context
	tell       context.CancelFunc // it is to end

	state, desired                                                 string
	version                                                        int64
	createdAt, pulledAt, startedAt, stoppingAt, endedAt, stoppedAt time.Time
	stopCode, stoppedReason                                        string
	process                                                        *process
	killed                                                         bool
	reason                                                         string // the container's
	exit                                                           *int
}

// end has the task end, if it has not been told so before.
func (t *task) end(code, reason string) {
	if t.desired == stopped {
		return
	}
	t.desired, t.stopCode, t.stoppedReason = stopped, code, reason
	t.version++
	t.tell()
}

// id is the last part of the task's ARN.
func (t *task) id() string { return t.arn[strings.LastIndexByte(t.arn, '/')+1:] }

// kill kills the container, or the one that is being started.
func (t *task) kill() {
	t.killed = true
	if t.process != nil {
		t.process.kill()
	}
}

// live takes the task through its states.
func (t *task) live() {
	defer t.tell()
	if t.begin() {
		t.work()
	}
	t.enter(deprovisioning)
	t.enter(stopped)
}

// begin takes the task to where it runs.
func (t *task) begin() bool {
	t.enter(provisioning)
	if t.told.Err() != nil {
		return false
	}
	t.enter(pending)
	s := t.server
	if t.told.Err() != nil {
		return false
	}
	if t.fails != "" {
		t.refuse(t.fails)
		return false
	}
	p, err := t.launch() // which may take a while, and is nobody else's business
	if err != nil {
		t.refuse("CannotStartContainerError: " + err.Error())
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t.process = p
	if t.killed {
		p.kill()
	}
	return true
}

// refuse ends a task that did not start.
func (t *task) refuse(reason string) {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	t.end("TaskFailedToStart", reason)
}

// work waits for the end of the container, and brings it about where the task is told to end.
func (t *task) work() {
	t.enter(running)
	s, p := t.server, t.process
	select {
	case <-p.done:
	case <-t.told.Done():
		t.enter(deactivating)
		t.enter(stopping)
		p.term()
		timer := time.NewTimer(t.definition.StopTimeout)
		select {
		case <-p.done:
		case <-timer.C:
			p.kill()
			<-p.done
		}
		timer.Stop()
	}
	s.mu.Lock()
	t.exit, t.endedAt = &p.code, s.config.Now()
	t.end("EssentialContainerExited", "Essential container in task exited")
	was := t.state
	s.mu.Unlock()
	if was == running {
		t.enter(deactivating)
		t.enter(stopping)
	}
}

// enter begins a state, and stays in it for as long as the test wants.
func (t *task) enter(state string) {
	s := t.server
	now := s.config.Now()
	s.mu.Lock()
	t.state = state
	t.version++
	switch state {
	case pending:
		t.pulledAt = now
	case running:
		t.startedAt = now
	case stopping:
		t.stoppingAt = now
	case stopped:
		t.stoppedAt = now
	}
	s.mu.Unlock()
	if s.config.Enter == nil {
		return
	}
	ctx := t.told
	if state != provisioning && state != pending && state != running {
		ctx = s.open
	}
	s.config.Enter(ctx, t.arn, state)
}

// environment is the container's.
func (t *task) environment() []string {
	env := []string{"AWS_EXECUTION_ENV=AWS_ECS_FARGATE", "AWS_REGION=" + t.server.config.Region, "ECS_CONTAINER_METADATA_URI_V4=http://169.254.170.2/v4/" + t.id()}
	if t.definition.RoleSecret != "" {
		env = append(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/"+t.role)
	}
	env = append(env, t.definition.Environment...)
	for _, c := range t.overridden().ContainerOverrides {
		for _, v := range c.Environment {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return env
}

func (t *task) overridden() override {
	if t.request.Overrides == nil {
		return override{}
	}
	return *t.request.Overrides
}

func (t *task) containerState() string {
	switch {
	case t.exit != nil || t.state == stopped:
		return stopped
	case t.process != nil:
		return running
	}
	return pending
}

// wire is how the service shows the task.
func (t *task) wire() taskWire {
	d, c := t.definition, t.server.config
	o := t.overridden()
	if o.ContainerOverrides == nil {
		o.ContainerOverrides = []containerOverride{{Name: d.Container}}
	}
	o.InferenceAcceleratorOverrides = []struct{}{}
	id := t.id()
	w := taskWire{
		Attachments: []struct{}{}, Tags: []struct{}{}, AvailabilityZone: c.Region + "a",
		ClusterArn: t.server.name("cluster/" + t.cluster), TaskArn: t.arn, TaskDefinitionArn: t.server.definitionARN(d),
		CPU: first(o.CPU, d.CPU), Memory: first(o.Memory, d.Memory), Overrides: o,
		CreatedAt: stamp(t.createdAt), PullStartedAt: stamp(t.pulledAt), PullStoppedAt: stamp(t.startedAt), StartedAt: stamp(t.startedAt),
		StoppingAt: stamp(t.stoppingAt), ExecutionStoppedAt: stamp(t.endedAt), StoppedAt: stamp(t.stoppedAt),
		DesiredStatus: t.desired, LastStatus: t.state, HealthStatus: "UNKNOWN", Group: "family:" + d.Family,
		LaunchType: first(t.request.LaunchType, "FARGATE"), StartedBy: t.request.StartedBy,
		StopCode: t.stopCode, StoppedReason: t.stoppedReason, Version: t.version,
	}
	if len(t.request.CapacityProviderStrategy) > 0 {
		w.CapacityProviderName = t.request.CapacityProviderStrategy[0].CapacityProvider
	}
	if w.LaunchType == "FARGATE" {
		w.PlatformVersion = "1.4.0"
	}
	if t.process != nil {
		w.Connectivity, w.ConnectivityAt = "CONNECTED", stamp(t.pulledAt)
	}
	w.Containers = []containerWire{{
		ContainerArn: t.server.name(fmt.Sprintf("container/%s/%s/%s", t.cluster, id, id)), TaskArn: t.arn, Name: d.Container,
		Image: "fairway", LastStatus: t.containerState(), ExitCode: t.exit, Reason: t.reason,
		NetworkInterfaces: []struct{}{}, HealthStatus: "UNKNOWN", CPU: "0",
	}}
	return w
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
