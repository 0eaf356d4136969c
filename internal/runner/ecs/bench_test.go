package ecs

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
	"github.com/scale-mesh/fairway/internal/runner/runnertest"
)

// TestMain is also main for jobs: the program of the container reads its token where a
// container has it.
func TestMain(m *testing.M) {
	if runnertest.IsJob() {
		os.Exit(runnertest.Job(func() (string, error) { return os.Getenv(runner.TokenVariable), nil }))
	}
	os.Exit(m.Run())
}

const secretKey = "shibboleth-0123456789"

func keys(name string) string {
	return map[string]string{"AWS_ACCESS_KEY_ID": ecstest.AccessKey, "AWS_SECRET_ACCESS_KEY": secretKey}[name]
}

// service is an ECS with one cluster, "builds", and one definition, "fairway", whose container is
// this program.
type service struct {
	*ecstest.Server
	url string
}

func newService(t *testing.T, changes ...func(*ecstest.Config)) *service {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := ecstest.Config{
		Dir: t.TempDir(),
		Definitions: []ecstest.TaskDefinition{{
			Family: "fairway", Container: "fairway", Command: []string{self}, StopTimeout: 10 * time.Second, Environment: []string{"PATH=" + os.Getenv("PATH")},
		}},
	}
	for _, change := range changes {
		change(&c)
	}
	s := ecstest.New(c)
	t.Cleanup(s.Close)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &service{s, server.URL}
}

// config is a Config for the service, as an address has it.
func (s *service) config(t *testing.T, query string) Config {
	t.Helper()
	c, err := Parse("ecs://builds/fairway?region=eu-central-1&subnets=subnet-1&endpoint=" + s.url + query)
	if err != nil {
		t.Fatal(err)
	}
	c.Installation, c.Getenv = "fairway/tests", keys
	c.pace = pace{first: 5 * time.Millisecond, most: 50 * time.Millisecond, backoff: 20 * time.Millisecond}
	return c
}

func (s *service) runner(t *testing.T, changes ...func(*Config)) *Runner {
	t.Helper()
	c := s.config(t, "")
	for _, change := range changes {
		change(&c)
	}
	r, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// spec is a job that nobody awaits.
func spec(n int) runner.Spec {
	return runner.Spec{Name: fmt.Sprintf("dpl_%d-1", n), Deployment: "dpl_1", API: "https://control.example.com/api", Token: "hunter2"}
}

// pendingForever keeps tasks from being run.
func pendingForever(c *ecstest.Config) {
	c.Enter = func(ctx context.Context, _, state string) {
		if state == "PENDING" {
			<-ctx.Done()
		}
	}
}

// sandboxes are the ways in which the server runs tasks here. Podman is one where
// FAIRWAY_TEST_IMAGE names an image with a shell.
func sandboxes(t *testing.T) map[string]func(*ecstest.Config) {
	t.Helper()
	all := map[string]func(*ecstest.Config){"as processes": func(*ecstest.Config) {}}
	if path, err := exec.LookPath("bwrap"); err != nil {
		t.Log("bubblewrap is not installed: tasks are run as plain processes alone")
	} else if out, err := exec.Command(path, "--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true").CombinedOutput(); err != nil {
		t.Logf("bubblewrap does not work here (%v: %s): tasks are run as plain processes alone", err, out)
	} else {
		all["in bubblewrap"] = func(c *ecstest.Config) { c.Bubblewrap = path }
	}
	if image := os.Getenv("FAIRWAY_TEST_IMAGE"); image != "" {
		path, err := exec.LookPath("podman")
		if err != nil {
			t.Fatal(err)
		}
		all["in podman"] = func(c *ecstest.Config) {
			// Their program is this one, and the test's folders and socket are root's.
			d := &c.Definitions[0]
			c.Podman, d.Image, d.User, d.Mounts = path, image, "0:0", []string{os.TempDir() + ":" + os.TempDir()}
		}
	}
	return all
}

func TestRunner_KeepsTheContract(t *testing.T) {
	for name, sandbox := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			services := map[string]*service{} // by the folder of a test: they outlive a restart
			runnertest.RunRemembering(t, func(t *testing.T, dir string) runner.Runner {
				mu.Lock()
				defer mu.Unlock()
				if services[dir] == nil {
					services[dir] = newService(t, sandbox)
				}
				return services[dir].runner(t)
			})
		})
	}
}
