package ecstest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	pageSize     = 100
	maxOverrides = 8192
	maxCount     = 10
)

func (s *Server) name(resource string) string {
	return "arn:aws:ecs:" + s.config.Region + ":" + s.config.Account + ":" + resource
}

func (s *Server) definitionARN(d *TaskDefinition) string {
	return s.name(fmt.Sprintf("task-definition/%s:%d", d.Family, d.Revision))
}

func (s *Server) cluster(name string) (string, *apiError) {
	if name == "" {
		name = "default"
	}
	name = strings.TrimPrefix(name, s.name("cluster/"))
	if !slices.Contains(s.config.Clusters, name) {
		return "", &apiError{Type: "ClusterNotFoundException", Message: "Cluster not found."}
	}
	return name, nil
}

// definition finds a family's newest revision, or the one that is named.
func (s *Server) definition(name string) (*TaskDefinition, *apiError) {
	if name == "" {
		return nil, refuse("TaskDefinition can not be blank.")
	}
	family, revision, exact := strings.Cut(strings.TrimPrefix(name, s.name("task-definition/")), ":")
	for _, d := range slices.Backward(s.definitions) {
		if d.Family == family && (!exact || strconv.Itoa(d.Revision) == revision) {
			return d, nil
		}
	}
	return nil, &apiError{Type: "ClientException", Message: "TaskDefinition not found."}
}

func (s *Server) runTask(in runTask, f fault) (any, *apiError) {
	cluster, failed := s.cluster(in.Cluster)
	if failed != nil {
		return nil, failed
	}
	d, failed := s.definition(in.TaskDefinition)
	if failed == nil {
		failed = in.check(d)
	}
	if failed != nil {
		return nil, failed
	}
	if f.failure != "" {
		return tasksAnswer{Tasks: []taskWire{}, Failures: []failureWire{{Reason: f.failure}}}, nil
	}
	all, err := json.Marshal(in)
	if err != nil {
		return nil, refuse("%v", err)
	}
	token := ""
	if in.ClientToken != nil {
		token = cluster + "\x00" + *in.ClientToken
	}
	tasks := s.tokens[token].tasks
	switch c, used := s.tokens[token]; {
	case used && c.request != string(all):
		conflict := &apiError{Type: "ConflictException", Message: "The clientToken is already in use with a different request."}
		for _, t := range tasks {
			conflict.ResourceIDs = append(conflict.ResourceIDs, t.arn)
		}
		return nil, conflict
	case !used:
		for range max(1, value(in.Count)) {
			tasks = append(tasks, s.start(cluster, d, in, f))
		}
		if token != "" {
			s.tokens[token] = claim{string(all), tasks}
		}
	}
	answer := tasksAnswer{Tasks: []taskWire{}, Failures: []failureWire{}}
	for _, t := range tasks {
		answer.Tasks = append(answer.Tasks, t.wire())
	}
	return answer, nil
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func (s *Server) start(cluster string, d *TaskDefinition, in runTask, f fault) *task {
	t := &task{
		server: s, cluster: cluster, definition: d, request: in, fails: f.start, createdAt: s.config.Now(), state: provisioning, desired: running,
		arn:  s.name(fmt.Sprintf("task/%s/%016x%016x", cluster, rand.Uint64(), rand.Uint64())),
		role: fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()),
	}
	t.told, t.tell = context.WithCancel(s.open)
	s.tasks = append(s.tasks, t)
	s.running.Go(t.live)
	return t
}

// What the service allows.
var (
	validStarter = regexp.MustCompile(`^[A-Za-z0-9_/-]{0,128}$`)
	validToken   = regexp.MustCompile(`^[!-~]{1,64}$`)
)

func (in runTask) check(d *TaskDefinition) *apiError {
	switch {
	case in.Count != nil && (*in.Count < 1 || *in.Count > maxCount):
		return refuse("Count must be between 1 and %d.", maxCount)
	case !validStarter.MatchString(in.StartedBy):
		return refuse("Invalid startedBy.")
	case in.ClientToken != nil && !validToken.MatchString(*in.ClientToken):
		return refuse("Invalid clientToken.")
	case in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0:
		return refuse("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case !slices.Contains([]string{"", "FARGATE", "EC2"}, in.LaunchType):
		return refuse("Invalid launchType.")
	case in.LaunchType == "FARGATE" && d.EC2:
		return refuse("Task definition does not support launch_type FARGATE.")
	case in.EnableExecuteCommand:
		return refuse("The task role was not found.")
	}
	for _, p := range in.CapacityProviderStrategy {
		if p.CapacityProvider != "FARGATE" && p.CapacityProvider != "FARGATE_SPOT" {
			return refuse("The specified capacity provider %s was not found.", p.CapacityProvider)
		}
	}
	if failed := in.checkNetwork(d); failed != nil {
		return failed
	}
	return in.checkOverrides(d)
}

func (in runTask) checkNetwork(d *TaskDefinition) *apiError {
	if d.NetworkMode != "awsvpc" {
		if in.NetworkConfiguration != nil {
			return refuse("Network Configuration is not valid for the given networkMode of this task definition.")
		}
		return nil
	}
	if in.NetworkConfiguration == nil || in.NetworkConfiguration.AwsvpcConfiguration == nil {
		return refuse("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	vpc := in.NetworkConfiguration.AwsvpcConfiguration
	switch {
	case len(vpc.Subnets) == 0:
		return refuse("subnets can not be empty.")
	case len(vpc.Subnets) > 16 || len(vpc.SecurityGroups) > 5:
		return refuse("too many subnets or security groups.")
	case !slices.Contains([]string{"", "ENABLED", "DISABLED"}, vpc.AssignPublicIP):
		return refuse("Invalid assignPublicIp.")
	case vpc.AssignPublicIP == "ENABLED" && in.LaunchType == "EC2":
		return refuse("Assign public IP is not supported for this launch type.")
	}
	return nil
}

func (in runTask) checkOverrides(d *TaskDefinition) *apiError {
	if in.Overrides == nil {
		return nil
	}
	b, err := json.Marshal(in.Overrides)
	if err != nil || len(b) > maxOverrides {
		return refuse("Overrides are longer than %d characters.", maxOverrides)
	}
	for _, c := range in.Overrides.ContainerOverrides {
		if c.Name != d.Container {
			return refuse("Override for container named %s is not a container in the TaskDefinition.", c.Name)
		}
		if c.Command != nil {
			return refuse("this server does not know overrides of commands")
		}
	}
	return nil
}

// A task is named by its ARN or by its id.
var taskID = regexp.MustCompile(`^([0-9a-f]{32}|[0-9a-f-]{36})$`)

func (s *Server) taskOf(cluster, name string) (*task, *apiError) {
	id := name[strings.LastIndexByte(name, '/')+1:]
	if !taskID.MatchString(id) {
		return nil, refuse("taskId length should be one of [32,36]")
	}
	t := s.find(s.name("task/" + cluster + "/" + id))
	return t, nil
}

func (s *Server) describeTasks(in describeTasks, f fault) (any, *apiError) {
	cluster, failed := s.cluster(in.Cluster)
	switch {
	case failed != nil:
		return nil, failed
	case len(in.Tasks) == 0:
		return nil, refuse("Tasks cannot be empty.")
	case len(in.Tasks) > pageSize:
		return nil, refuse("Tasks cannot have more than %d elements.", pageSize)
	}
	answer := tasksAnswer{Tasks: []taskWire{}, Failures: []failureWire{}}
	for _, name := range in.Tasks {
		t, failed := s.taskOf(cluster, name)
		switch {
		case failed != nil:
			return nil, failed
		case t == nil || f.missing:
			if !strings.HasPrefix(name, "arn:") {
				name = s.name("task/" + cluster + "/" + name)
			}
			answer.Failures = append(answer.Failures, failureWire{Arn: name, Reason: "MISSING"})
		default:
			answer.Tasks = append(answer.Tasks, t.wire())
		}
	}
	return answer, nil
}

func (s *Server) stopTask(in stopTask) (any, *apiError) {
	cluster, failed := s.cluster(in.Cluster)
	if failed != nil {
		return nil, failed
	}
	if in.Task == "" {
		return nil, refuse("Task can not be blank.")
	}
	t, failed := s.taskOf(cluster, in.Task)
	if failed == nil && t == nil {
		failed = refuse("The referenced task was not found.")
	}
	if failed != nil {
		return nil, failed
	}
	reason := "Task stopped by user"
	if in.Reason != nil {
		reason = *in.Reason
	}
	t.end("UserInitiated", reason)
	return taskAnswer{Task: t.wire()}, nil
}

func (s *Server) listTasks(in listTasks) (any, *apiError) {
	cluster, failed := s.cluster(in.Cluster)
	others := in.Family != "" || in.LaunchType != "" || in.ServiceName != "" || in.ContainerInstance != "" || in.DesiredStatus != ""
	switch {
	case failed != nil:
		return nil, failed
	case in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > pageSize):
		return nil, refuse("maxResults must be between 1 and %d.", pageSize)
	case !slices.Contains([]string{"", "RUNNING", "PENDING", "STOPPED"}, in.DesiredStatus):
		return nil, refuse("Invalid desiredStatus.")
	case in.StartedBy != "" && others:
		return nil, refuse("startedBy has to be the only filter.") // as the reference has it
	case in.ServiceName != "" || in.ContainerInstance != "" || in.LaunchType != "":
		return nil, refuse("this server does not know that filter")
	}
	from := 0
	if in.NextToken != "" {
		n, err := strconv.Atoi(in.NextToken)
		if err != nil || n < 1 {
			return nil, refuse("Invalid token")
		}
		from = n
	}
	size, desired := pageSize, first(in.DesiredStatus, running)
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	answer := listAnswer{TaskArns: []string{}}
	for i, t := range s.tasks {
		if i < from || t.cluster != cluster || t.desired != desired || in.StartedBy != "" && t.request.StartedBy != in.StartedBy ||
			in.Family != "" && t.definition.Family != in.Family {
			continue
		}
		if len(answer.TaskArns) == size {
			answer.NextToken = strconv.Itoa(i)
			break
		}
		answer.TaskArns = append(answer.TaskArns, t.arn)
	}
	return answer, nil
}
