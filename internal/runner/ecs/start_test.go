package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
)

// asked returns what the last RunTask asked for.
func (s *service) asked(t *testing.T) map[string]any {
	t.Helper()
	all := s.Exchanges()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Operation == "RunTask" {
			var m map[string]any
			if err := json.Unmarshal([]byte(all[i].Request), &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatal("no task was asked for")
	return nil
}

func TestStart_AsksForATaskWithoutARole(t *testing.T) {
	s := newService(t, pendingForever)
	r := s.runner(t, func(c *Config) {
		c.CPU, c.Memory, c.SecurityGroups, c.PublicIP = "2048", "4096", []string{"sg-1"}, true
	})
	if _, err := r.Start(t.Context(), spec(1)); err != nil {
		t.Fatal(err)
	}
	got := s.asked(t)
	token, _ := got["clientToken"].(string)
	delete(got, "clientToken")
	want := map[string]any{
		"cluster": "builds", "taskDefinition": "fairway", "count": 1.0, "launchType": "FARGATE", "startedBy": "fairway/tests",
		"networkConfiguration": map[string]any{"awsvpcConfiguration": map[string]any{
			"subnets": []any{"subnet-1"}, "securityGroups": []any{"sg-1"}, "assignPublicIp": "ENABLED",
		}},
		"overrides": map[string]any{"cpu": "2048", "memory": "4096", "containerOverrides": []any{map[string]any{"name": "fairway", "environment": []any{
			map[string]any{"name": "FAIRWAY_JOB", "value": "dpl_1-1"},
			map[string]any{"name": "FAIRWAY_JOB_ID", "value": "dpl_1"},
			map[string]any{"name": "FAIRWAY_JOB_API", "value": "https://control.example.com/api"},
			map[string]any{"name": "FAIRWAY_JOB_TOKEN", "value": "hunter2"},
		}}}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(token) != 64 {
		t.Errorf("the task is %v, client token %q; want %v", got, token, want)
	}
}

func TestStart_TakesSpotWhereBothAllowIt(t *testing.T) {
	for _, tc := range []struct {
		launch  LaunchType
		spot    bool
		want    string
		request any
	}{
		{Fargate, true, "FARGATE", nil}, {Fargate, false, "FARGATE", nil}, {FargateSpot, false, "FARGATE", nil},
		{FargateSpot, true, "<nil>", []any{map[string]any{"capacityProvider": "FARGATE_SPOT", "weight": 1.0}}},
		{EC2, true, "EC2", nil},
	} {
		s := newService(t, pendingForever)
		r := s.runner(t, func(c *Config) { c.Launch = tc.launch })
		job := spec(1)
		job.Spot = tc.spot
		if _, err := r.Start(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		got := s.asked(t)
		if fmt.Sprint(got["launchType"]) != tc.want || fmt.Sprint(got["capacityProviderStrategy"]) != fmt.Sprint(tc.request) {
			t.Errorf("%s, spot %v: %v", tc.launch, tc.spot, got)
		}
	}
}

func TestStart_AfterTheSettingsChangedFindsTheTask(t *testing.T) {
	s := newService(t, pendingForever)
	first, err := s.runner(t).Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	changed := s.runner(t, func(c *Config) { c.CPU = "4096" })
	if again, err := changed.Start(t.Context(), spec(1)); err != nil || again != first {
		t.Errorf("Start = %s, %v; before the change %s", again, err, first)
	}
	if other, err := changed.Start(t.Context(), spec(2)); err != nil || other == first {
		t.Errorf("Start of another job = %s, %v", other, err)
	}
	// The same name in another installation is another job.
	if other, err := s.runner(t, func(c *Config) { c.Installation = "other" }).Start(t.Context(), spec(1)); err != nil || other == first {
		t.Errorf("Start by another installation = %s, %v", other, err)
	}
	if n := len(s.Tasks()); n != 3 {
		t.Errorf("there are %d tasks", n)
	}
}

func TestStart_RefusesSettingsThatECSDoes(t *testing.T) {
	s := newService(t, pendingForever)
	r := s.runner(t)
	long := spec(1)
	for long.API = "https://"; len(long.API) < 8000; long.API += strings.Repeat("x", 100) {
	}
	_, err := r.Start(t.Context(), long)
	if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "8192") || s.Calls("RunTask") != 0 {
		t.Errorf("a long address: %v, %d calls", err, s.Calls("RunTask"))
	}
	long.API = long.API[:7400]
	if _, err := r.Start(t.Context(), long); err != nil {
		t.Errorf("one that fits: %v", err)
	}
	for _, token := range []string{"", "a\nb", "a\rb", "a\x00b", strings.Repeat("x", runner.MaxToken+1)} {
		bad := spec(2)
		bad.Token = token
		if _, err := r.Start(t.Context(), bad); err == nil {
			t.Errorf("a token of %d bytes is taken", len(token))
		}
	}
}

func TestStart_TellsWhyECSDoesNot(t *testing.T) {
	const (
		user = "User: arn:aws:sts::123456789012:assumed-role/fairway/i-1 is not authorized to perform: "
		sub  = " on resource: arn:aws:ecs:eu-central-1:123456789012:task-definition/fairway:1 because no identity-based policy allows the action"
	)
	for _, tc := range []struct {
		name    string
		prepare func(*ecstest.Server)
		change  func(*Config)
		code    hosting.Code
		says    string
		never   string
		tries   int
	}{
		{"fine", nil, nil, "", "", "", 1},
		{"no memory", func(s *ecstest.Server) { s.FailPlacement(9, "RESOURCE:MEMORY") }, nil, hosting.CodeUnavailable, "the cluster has no room for the task: RESOURCE:MEMORY", "", 1},
		{"no interface", func(s *ecstest.Server) { s.FailPlacement(9, "RESOURCE:ENI") }, nil, hosting.CodeUnavailable, "no room", "", 1},
		{"no agent", func(s *ecstest.Server) { s.FailPlacement(9, "AGENT") }, nil, hosting.CodeUnavailable, "does not answer: AGENT", "", 1},
		{"no such machine", func(s *ecstest.Server) { s.FailPlacement(9, "ATTRIBUTE") }, nil, hosting.CodeInvalid, "no machine of the cluster", "", 1},
		{"no capacity", func(s *ecstest.Server) {
			s.FailPlacement(9, "Capacity is unavailable at this time. Please try again later or in a different availability zone")
		}, nil, hosting.CodeUnavailable, "Capacity is unavailable at this time", "", 1},
		{"throttled for long", func(s *ecstest.Server) { s.Throttle("RunTask", 99) }, nil, hosting.CodeUnavailable, "asked too often", "", maxAttempts},
		{"throttled for a while", func(s *ecstest.Server) { s.Throttle("RunTask", maxAttempts-1) }, nil, "", "", "", maxAttempts},
		{"failing", func(s *ecstest.Server) { s.Fail("RunTask", 99, "ServerException", "hunter2") }, nil, hosting.CodeUnavailable, "answers with an error", "hunter2", maxAttempts},
		{"failing once", func(s *ecstest.Server) { s.Fail("RunTask", 1, "ServerException", "") }, nil, "", "", "", 2},
		{"a quota", func(s *ecstest.Server) {
			s.Fail("RunTask", 99, "LimitExceededException", "You've reached the limit on the number of vCPUs you can run concurrently")
		}, nil, hosting.CodeUnavailable, "the number of vCPUs", "", maxAttempts},
		{"no definition", nil, func(c *Config) { c.TaskDefinition = "other" }, hosting.CodeUnavailable, "TaskDefinition not found", "", 1},
		{"no cluster", nil, func(c *Config) { c.Cluster = "other" }, hosting.CodeInvalid, "no cluster other in eu-central-1: make it, or correct FAIRWAY_RUNNER", "", 1},
		{"no container", nil, func(c *Config) { c.Container = "other" }, hosting.CodeInvalid, "container named other is not a container in the TaskDefinition", "", 1},
		{"no network", nil, func(c *Config) { c.Launch, c.Subnets = EC2, nil }, hosting.CodeInvalid, "Network Configuration must be provided", "", 1},
		{"not allowed", func(s *ecstest.Server) { s.Fail("RunTask", 1, "AccessDeniedException", user+"ecs:RunTask"+sub) }, nil, hosting.CodeForbidden, "does not let Fairway call ecs:RunTask: its role needs ecs:RunTask", "", 1},
		{"not allowed to pass a role", func(s *ecstest.Server) { s.Fail("RunTask", 1, "AccessDeniedException", user+"iam:PassRole"+sub) }, nil, hosting.CodeForbidden, "call iam:PassRole", "", 1},
		{"an echo of the token", func(s *ecstest.Server) { s.Fail("RunTask", 1, "InvalidParameterException", "bad value hunter2 here") }, nil, hosting.CodeInvalid, "bad value *** here", "hunter2", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, pendingForever)
			if tc.prepare != nil {
				tc.prepare(s.Server)
			}
			r := s.runner(t, func(c *Config) {
				if tc.change != nil {
					tc.change(c)
				}
			})
			_, err := r.Start(t.Context(), spec(1))
			if tc.code == "" && err != nil || tc.code != "" && (!hosting.Is(err, tc.code) || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v; want %s that says %q", err, tc.code, tc.says)
			}
			if tc.never != "" && strings.Contains(err.Error(), tc.never) {
				t.Errorf("%v tells %s", err, tc.never)
			}
			if n := s.Calls("RunTask"); n != tc.tries {
				t.Errorf("%d requests, want %d", n, tc.tries)
			}
		})
	}
}

func TestStart_WhereTheAnswerIsLostFindsTheTask(t *testing.T) {
	s := newService(t, pendingForever)
	r := s.runner(t, func(c *Config) { c.Timeout = 200 * time.Millisecond })
	s.Delay("RunTask", 1, time.Minute)
	ref, err := r.Start(t.Context(), spec(1))
	if err != nil || len(s.Tasks()) != 1 || s.Tasks()[0] != string(ref) || s.Calls("RunTask") != 2 {
		t.Errorf("Start = %s, %v after %d requests; tasks %v", ref, err, s.Calls("RunTask"), s.Tasks())
	}
}

func TestStart_EndsWithItsContextAndTellsWhereNobodyIs(t *testing.T) {
	s := newService(t, pendingForever)
	s.Throttle("RunTask", 99)
	r := s.runner(t, func(c *Config) { c.pace.backoff = time.Hour })
	ctx, cancel := contextOf(t, 300*time.Millisecond)
	defer cancel()
	if _, err := r.Start(ctx, spec(1)); err == nil || ctx.Err() == nil || hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("Start: %v", err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	away := s.runner(t, func(c *Config) { c.Endpoint = "http://" + free.Addr().String() })
	if _, err := away.Start(t.Context(), spec(1)); !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "does not answer") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Start where nobody listens: %v", err)
	}
}

func TestRetries_AreBounded(t *testing.T) {
	s := newService(t, pendingForever)
	r := s.runner(t, func(c *Config) { c.pace.backoff = time.Nanosecond })
	s.Throttle("DescribeTasks", 10000)
	const calls = 50
	for range calls {
		_, err := r.Inspect(t.Context(), []runner.Ref{absent(1)})
		if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "asked too often") {
			t.Fatal(err)
		}
	}
	if n, most := s.Calls("DescribeTasks"), calls+awsapi.FreeRetries; n > most || n <= calls {
		t.Errorf("%d calls made %d requests, want up to %d", calls, n, most)
	}
}

// absent is the Ref of a task that nobody started.
func absent(n int) runner.Ref {
	return runner.Ref(fmt.Sprintf("arn:aws:ecs:eu-central-1:123456789012:task/builds/%032x", n))
}

// The token is in the environment of the container, and nowhere else.
func TestStart_KeepsTheTokenFromArgumentsLogsAndErrors(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)
	for name, sandbox := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			s := newService(t, func(c *ecstest.Config) {
				sandbox(c)
				c.Definitions[0].Command = []string{"/bin/sh", "-c", `tr '\0' '\n' </proc/self/cmdline; env; read line || echo no-"stdin"; exec sleep 60`}
			})
			r := s.runner(t)
			job := spec(1)
			job.Token = "shibboleth-of-the-job"
			ref, err := r.Start(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Stop(noDeadline, ref) }()
			waitFor(t, "the container's output", func() bool { return strings.Contains(s.Output(string(ref)), "no-stdin") })
			if n := strings.Count(s.Output(string(ref)), job.Token); n != 1 {
				t.Errorf("the container has the token %d times:\n%s", n, s.Output(string(ref)))
			}
			if found := commandLines(t, "exec sleep 60"); len(found) == 0 && name != "as processes" {
				t.Error("no command line of the task is found: the test looks at the wrong place")
			}
			if found := commandLines(t, job.Token); len(found) != 0 {
				t.Errorf("the token is an argument of %v", found)
			}
			s.Fail("RunTask", 1, "InvalidParameterException", "no "+job.Token)
			if _, err = r.Start(t.Context(), job); err == nil || strings.Contains(err.Error()+fmt.Sprintf("%+v", err), job.Token) {
				t.Errorf("the error is %v", err)
			}
			if strings.Contains(string(ref), job.Token) || strings.Contains(log.String(), job.Token) {
				t.Errorf("the token is in the ref %s or the log %s", ref, log.String())
			}
		})
	}
}

// commandLines returns the command lines of this machine that hold a text.
func commandLines(t *testing.T, text string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Skip("there is no /proc")
	}
	for _, e := range entries {
		b, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && bytes.Contains(b, []byte(text)) {
			found = append(found, string(b))
		}
	}
	return found
}
