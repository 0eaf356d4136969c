package platform

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/ecs"
	"github.com/scale-mesh/fairway/internal/runner/process"
	"github.com/scale-mesh/fairway/internal/seal"
)

// runners is what runs jobs, and what follows from where that is.
type runners struct {
	runner.Runner
	api   string // where jobs reach the job protocol
	apart bool   // builds run apart from Fairway, and from each other
	none  bool   // it runs nothing
}

func (p *Platform) openRunner(ctx context.Context, c Config, key seal.Key) (runners, error) {
	scheme, _, err := address("runner", c.Runner, "process", "ecs", "none")
	if err != nil {
		return runners{}, err
	}
	switch scheme {
	case "ecs":
		return openTasks(ctx, c, key)
	case "none":
		return runners{Runner: noRunner{}, none: true}, nil
	}
	exe, err := c.program()
	if err != nil {
		return runners{}, err
	}
	r, err := process.New(process.Config{
		Executable: exe, Args: []string{"job"}, Env: inherited(c), Dir: filepath.Join(c.Data, "jobs"), Log: p.log, Now: time.Now,
	})
	if err != nil {
		return runners{}, fmt.Errorf("open the process runner: %w", err)
	}
	p.closers = append(p.closers, r.Close)
	return runners{Runner: r, api: "unix://" + c.socket()}, nil
}

// noRunner runs nothing, and knows of nothing that ran.
type noRunner struct{}

func (noRunner) Start(context.Context, runner.Spec) (runner.Ref, error) {
	return "", hosting.Errorf(hosting.CodeForbidden, "this installation builds nothing")
}

func (noRunner) Inspect(_ context.Context, refs []runner.Ref) ([]runner.State, error) {
	states := make([]runner.State, len(refs))
	for i := range states {
		states[i].Phase = runner.Gone
	}
	return states, nil
}

func (noRunner) Stop(context.Context, runner.Ref) error { return nil }

// openTasks opens the cluster whose tasks are the jobs. On Fargate each has a machine of its own,
// without a role; on instances they share what the instance may.
func openTasks(ctx context.Context, c Config, key seal.Key) (runners, error) {
	at, err := ecs.Parse(c.Runner)
	if err != nil {
		return runners{}, fmt.Errorf("runner: %w", err)
	}
	api, err := c.remoteAPI()
	if err != nil {
		return runners{}, err
	}
	at.Getenv, at.Installation = c.Getenv, c.installation(key)
	r, err := ecs.Open(ctx, at)
	if err != nil {
		return runners{}, fmt.Errorf("open the runner: %w", err)
	}
	return runners{Runner: r, api: api, apart: at.Launch != ecs.EC2}, nil
}

// remoteAPI is where jobs on other machines reach the job protocol: their token goes over TLS
// alone, and the API answers under the name of the control host alone.
func (c Config) remoteAPI() (string, error) {
	if c.PublicURL == "" && c.local() {
		return "", hosting.Errorf(hosting.CodeInvalid, "builds on other machines cannot reach %s", c.ControlHost).
			WithHint("set domain and control_host to names that lead here, or public_url to the address of the control host")
	}
	u, err := url.Parse(c.outside())
	if err != nil {
		return "", fmt.Errorf("read public_url: %w", err)
	}
	if u.Scheme != "https" {
		return "", hosting.Errorf(hosting.CodeInvalid, "builds on other machines call public_url, which is not https").WithHint("write it as https://host")
	}
	if host, ok := hosting.CanonicalHost(u.Host); !ok || host != c.ControlHost {
		return "", hosting.Errorf(hosting.CodeInvalid, "builds on other machines call public_url, and the API answers on %s alone", c.ControlHost).
			WithHint("set public_url to an address of the control host, or leave it out")
	}
	return u.JoinPath("/api").String(), nil
}

// installation is by what ECS tells the tasks of this installation from others': for people the
// control host, and for two of the same name a part that comes from the key.
func (c Config) installation(key seal.Key) string {
	host := strings.Map(func(r rune) rune {
		if r == '.' {
			return '_'
		}
		return r
	}, c.ControlHost)
	return "fairway/" + host[:min(len(host), 80)] + "/" + key.Token("runner")[:12]
}

// inherited is what of the server's environment local jobs get: the operator's proxies,
// certificates and package registries.
func inherited(c Config) []string {
	if c.Environ == nil {
		return nil
	}
	return slices.DeleteFunc(c.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return !builder.Inherits(name)
	})
}
