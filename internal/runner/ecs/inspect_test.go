package ecs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
	"github.com/scale-mesh/fairway/internal/runner/runnertest"
)

var noDeadline = context.Background()

func contextOf(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	runnertest.WaitFor(t, what, is)
}

func inspect(t *testing.T, r *Runner, ref runner.Ref) runner.State {
	t.Helper()
	states, err := r.Inspect(t.Context(), []runner.Ref{ref})
	if err != nil || len(states) != 1 {
		t.Fatalf("Inspect = %v, %v", states, err)
	}
	return states[0]
}

func TestInspect_AsksForHundredsAndListForPages(t *testing.T) {
	const jobs = 250
	s := newService(t, pendingForever)
	r := s.runner(t)
	refs := make([]runner.Ref, jobs)
	var wg sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i := range refs {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			ref, err := r.Start(t.Context(), spec(i))
			if err != nil {
				t.Error(err)
			}
			refs[i] = ref
		})
	}
	wg.Wait()
	if _, err := s.runner(t, func(c *Config) { c.Installation = "other" }).Start(t.Context(), spec(1)); err != nil {
		t.Fatal(err)
	}
	states, err := r.Inspect(t.Context(), slices.Concat(refs, refs[:50], []runner.Ref{"nobody's", absent(7)}))
	if err != nil || len(states) != jobs+52 || s.Calls("DescribeTasks") != 3 {
		t.Fatalf("Inspect told %d states by %d requests, %v", len(states), s.Calls("DescribeTasks"), err)
	}
	for i, state := range states {
		if i < jobs+50 && state.Phase != runner.Starting {
			t.Fatalf("job %d is %+v", i, state)
		}
	}
	if states[jobs+50].Phase != runner.Gone || states[jobs+51].Phase != runner.Gone {
		t.Errorf("jobs that nobody knows are %+v", states[jobs+50:])
	}
	listed, err := r.List(t.Context())
	if err != nil || len(listed) != jobs || s.Calls("ListTasks") != 3 || s.Calls("DescribeTasks") != 6 {
		t.Fatalf("List named %d jobs by %d and %d requests, %v", len(listed), s.Calls("ListTasks"), s.Calls("DescribeTasks"), err)
	}
	for i, ref := range refs {
		if !slices.Contains(listed, runner.Job{Name: spec(i).Name, Ref: ref}) {
			t.Errorf("List does not name job %d", i)
		}
	}
}

// gated holds tasks in each state until the test lets them go on.
type gated struct{ entered, goOn chan string }

func (g gated) into(c *ecstest.Config) {
	c.Enter = func(_ context.Context, _, state string) {
		g.entered <- state
		for state != <-g.goOn {
		}
	}
}

func TestInspect_FollowsATaskThroughItsStates(t *testing.T) {
	g := gated{make(chan string), make(chan string)}
	s := newService(t, g.into, func(c *ecstest.Config) { c.Definitions[0].Command = []string{"/bin/sh", "-c", "exit 4"} })
	r := s.runner(t)
	ref, err := r.Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"PROVISIONING", "PENDING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"} {
		if got := <-g.entered; got != state {
			t.Fatalf("the task is %s, want %s", got, state)
		}
		want := runner.State{Phase: runner.Running}
		switch state {
		case "PROVISIONING", "PENDING":
			want = runner.State{Phase: runner.Starting, Reason: "ECS says " + state}
		case "DEPROVISIONING", "STOPPED":
			want = runner.State{Phase: runner.Exited, Reason: "exit status 4"}
		}
		if got := inspect(t, r, ref); got != want {
			t.Errorf("%s: %+v, want %+v", state, got, want)
		}
		g.goOn <- state
	}
}

func TestInspect_TellsHowTasksEnd(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(*ecstest.Server)
		end     func(*ecstest.Server, string)
		want    string
	}{
		{"no image", func(s *ecstest.Server) { s.FailStart(1, "CannotPullContainerError: repository does not exist") }, nil, "its image could not be pulled: CannotPullContainerError: repository does not exist"},
		{"Spot", nil, func(s *ecstest.Server, arn string) { s.Interrupt(arn) }, "AWS took its Spot capacity back"},
		{"memory", nil, func(s *ecstest.Server, arn string) { s.Exhaust(arn) }, "it needed more memory than the task has"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			entered := make(chan string, 16)
			s := newService(t, func(c *ecstest.Config) {
				c.Definitions[0].Command = []string{"/bin/sleep", "60"}
				c.Enter = func(_ context.Context, _, state string) { entered <- state }
			})
			if tc.prepare != nil {
				tc.prepare(s.Server)
			}
			r := s.runner(t)
			ref, err := r.Start(t.Context(), spec(1))
			if err != nil {
				t.Fatal(err)
			}
			if tc.end != nil {
				for <-entered != "RUNNING" {
				}
				tc.end(s.Server, string(ref))
			}
			waitFor(t, "the end", func() bool { return inspect(t, r, ref).Phase == runner.Exited })
			if got := inspect(t, r, ref); got.Phase != runner.Exited || !strings.Contains(got.Reason, tc.want) {
				t.Errorf("%+v, want %q", got, tc.want)
			}
		})
	}
}

func TestInspect_OfANewTaskWaitsUntilECSShowsIt(t *testing.T) {
	now := time.Now()
	s := newService(t, pendingForever)
	r := s.runner(t, func(c *Config) { c.Now = func() time.Time { return now } })
	ref, err := r.Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	s.Hide(1)
	if got := inspect(t, r, ref); got.Phase != runner.Starting {
		t.Errorf("a task that is not shown yet is %s", got.Phase)
	}
	now = now.Add(settling + time.Second)
	s.Hide(1)
	if got := inspect(t, r, ref); got.Phase != runner.Gone {
		t.Errorf("a task that is not shown any more is %s", got.Phase)
	}
	s.Hide(1)
	if got := inspect(t, s.runner(t), ref); got.Phase != runner.Gone {
		t.Errorf("a task of an earlier process that is not shown is %s", got.Phase)
	}
}

func TestInspect_ForgetsWhatECSForgets(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := newService(t, func(c *ecstest.Config) { c.Now = clock; c.Definitions[0].Command = []string{"/bin/true"} })
	r := s.runner(t, func(c *Config) { c.Now = clock })
	ref, err := r.Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end", func() bool { return inspect(t, r, ref).Phase == runner.Exited })
	waitFor(t, "the state STOPPED", func() bool {
		if err := r.Stop(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		all := s.Exchanges()
		return strings.Contains(all[len(all)-1].Answer, `"lastStatus":"STOPPED"`)
	})
	mu.Lock()
	now = now.Add(time.Hour + time.Minute)
	mu.Unlock()
	if got := inspect(t, r, ref); got.Phase != runner.Gone {
		t.Errorf("an hour later the task is %s", got.Phase)
	}
	if err := r.Stop(t.Context(), ref); err != nil {
		t.Errorf("Stop of a task that ECS forgot: %v", err)
	}
}

func TestInspect_OfOtherPlaces(t *testing.T) {
	s := newService(t, func(c *ecstest.Config) { c.Clusters = append(c.Clusters, "old"); pendingForever(c) })
	old, err := s.runner(t, func(c *Config) { c.Cluster = "old" }).Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	r := s.runner(t)
	if got := inspect(t, r, old); got.Phase != runner.Starting {
		t.Errorf("a task of the cluster before is %s", got.Phase)
	}
	for _, ref := range []string{
		strings.Replace(string(old), "/old/", "/deleted/", 1), strings.Replace(string(old), "eu-central-1", "us-east-1", 1),
		strings.Replace(string(old), ":task/", ":service/", 1), string(old) + "0",
	} {
		if got := inspect(t, r, runner.Ref(ref)); got.Phase != runner.Gone {
			t.Errorf("%s is %s", ref, got.Phase)
		}
		if err := r.Stop(t.Context(), runner.Ref(ref)); err != nil {
			t.Errorf("Stop(%s): %v", ref, err)
		}
	}
	gone := s.runner(t, func(c *Config) { c.Cluster = "deleted" })
	if _, err := gone.List(t.Context()); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("List in a cluster that is not there: %v", err)
	}
	if err := r.Stop(t.Context(), old); err != nil {
		t.Errorf("Stop in the cluster before: %v", err)
	}
}

func TestStop_WaitsUntilTheTaskHasEnded(t *testing.T) {
	g := gated{make(chan string), make(chan string)}
	s := newService(t, g.into, func(c *ecstest.Config) {
		c.Definitions[0].Command, c.Definitions[0].StopTimeout = []string{"/bin/sh", "-c", `trap "" TERM; sleep 60`}, 50*time.Millisecond
	})
	r := s.runner(t)
	ref, err := r.Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"PROVISIONING", "PENDING"} {
		<-g.entered
		g.goOn <- state
	}
	<-g.entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(t.Context(), ref) }()
	waitFor(t, "StopTask", func() bool { return s.Calls("StopTask") == 1 })
	for _, state := range []string{"RUNNING", "DEACTIVATING", "STOPPING"} {
		g.goOn <- state
		next := <-g.entered
		if next == "DEPROVISIONING" {
			break
		}
		select {
		case err := <-stopped:
			t.Errorf("Stop returned %v when the task was %s", err, next)
		default:
		}
	}
	if err := <-stopped; err != nil {
		t.Errorf("Stop: %v", err)
	}
	if got := inspect(t, r, ref); got != (runner.State{Phase: runner.Exited, Reason: "it was stopped: " + whyStopped}) {
		t.Errorf("the job is %+v", got)
	}
	if n := s.Calls("StopTask"); n != 1 {
		t.Errorf("ECS was told %d times", n)
	}
	g.goOn <- "DEPROVISIONING"
	<-g.entered
	g.goOn <- "STOPPED"
}

func TestStop_EndsWithItsContextAndWithItsPatience(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	s := newService(t, func(c *ecstest.Config) {
		c.Enter = func(ctx context.Context, _, state string) {
			if state == "RUNNING" || state == "STOPPING" {
				<-ctx.Done() // of the latter only Close
			}
		}
		c.Definitions[0].Command = []string{"/bin/sleep", "60"}
	})
	r := s.runner(t, func(c *Config) { c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now } })
	ref, err := r.Start(t.Context(), spec(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextOf(t, 300*time.Millisecond)
	defer cancel()
	if err := r.Stop(ctx, ref); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stop with a deadline: %v", err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(t.Context(), ref) }()
	waitFor(t, "StopTask", func() bool { return s.Calls("StopTask") == 2 })
	mu.Lock()
	now = now.Add(stopTime + time.Second)
	mu.Unlock()
	if err := <-stopped; !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "has not stopped") {
		t.Errorf("Stop of a task that does not end: %v", err)
	}
}

func TestStop_TellsWhatECSRefuses(t *testing.T) {
	for code, want := range map[string]hosting.Code{
		"AccessDeniedException": hosting.CodeForbidden, "InvalidParameterException": hosting.CodeInvalid, "ServerException": hosting.CodeUnavailable,
	} {
		s := newService(t, pendingForever)
		r := s.runner(t)
		ref, err := r.Start(t.Context(), spec(1))
		if err != nil {
			t.Fatal(err)
		}
		s.Fail("StopTask", 1, code, "it is not to be")
		if want == hosting.CodeUnavailable {
			s.Fail("StopTask", maxAttempts-1, code, "it is not to be")
		}
		if err := r.Stop(t.Context(), ref); !hosting.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
		if err := r.Stop(t.Context(), ref); err != nil {
			t.Errorf("Stop after %s: %v", code, err)
		}
	}
}
