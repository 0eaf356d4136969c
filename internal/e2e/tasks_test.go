package e2e

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner/ecs/ecstest"
)

// tasks starts a service that runs tasks as ECS does, for the builds of a server that was not
// started yet, and returns the address at which it is.
func (f *fleet) tasks(s *Server) (ecs *ecstest.Server, addr string) {
	f.Helper()
	ecs = ecstest.New(ecstest.Config{
		Dir: f.TempDir(), AccessKeys: []string{fleetKey},
		Definitions: []ecstest.TaskDefinition{{
			Family: "fairway", Container: "fairway", Command: []string{s.bin, "job"}, StopTimeout: 5 * time.Second,
			Environment: []string{"PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + filepath.Join(s.Data, "caddy/pki/authorities/local/root.crt")},
		}},
	})
	f.Cleanup(ecs.Close)
	service := httptest.NewServer(ecs)
	f.Cleanup(service.Close)
	return ecs, service.Listener.Addr().String()
}

// onTasks is what a server is told whose builds are tasks.
func (s *Server) onTasks(addr string) []string {
	return []string{
		"FAIRWAY_RUNNER=ecs://builds/fairway?region=eu-central-1&subnets=subnet-1&endpoint=http://" + addr,
		fmt.Sprintf("FAIRWAY_PUBLIC_URL=https://localhost:%d", s.HTTPS),
	}
}

// waitingSite is a site whose build says "waiting" and goes on when there is a file.
func waitingSite(gate, text string) map[string]string {
	return map[string]string{
		"package.json": `{"name": "site", "private": true, "version": "1.0.0", "scripts": {"build": "node build.js"}}`,
		"build.js": fmt.Sprintf(`const fs = require("fs");
console.log("waiting");
function look() {
  if (!fs.existsSync(%q)) return setTimeout(look, 50);
  fs.mkdirSync("dist", { recursive: true });
  fs.writeFileSync("dist/index.html", "<!doctype html><title>site</title><p>%s</p>");
}
look();
`, gate, text),
	}
}

// builds checks what becomes of builds while ECS ails: one that runs goes on, and one that is
// asked for then comes when ECS is back.
func (a *ailing) builds(fault string, spoil func() (mend func())) {
	a.Helper()
	what := "ECS " + fault
	name := strings.ReplaceAll(fault, " ", "-")
	gate := filepath.Join(a.TempDir(), "gate")
	running, _ := a.forge.Push("running-"+name, waitingSite(gate, "ran"))
	waiting, _ := a.forge.Push("waiting-"+name, waitingSite(gate, "waited"))
	api := a.control.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	first, err := api.Deploy(ctx, hosting.NewDeployment{GitURL: running})
	if err != nil {
		a.Fatal(err)
	}
	a.says(ctx, api, first.ID, "waiting")
	mend := spoil()
	second, err := api.Deploy(ctx, hosting.NewDeployment{GitURL: waiting})
	if err != nil {
		a.Fatalf("%s: a build is not taken: %v", what, err)
	}
	a.works(what, true, true)
	a.says(ctx, api, second.ID, "The build's job could not be started")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		a.Fatal(err)
	}
	a.ended(ctx, api, first.ID, hosting.StatusReady, what+": the build that ran")
	if d, err := api.FindDeployment(ctx, second.ID); err != nil || d.Status.Terminal() {
		a.Errorf("%s: the build that was asked for is %s %s, %v", what, d.Status, d.Reason, err)
	}
	mend()
	began := time.Now()
	a.ended(ctx, api, second.ID, hosting.StatusReady, what+": the build that was asked for")
	a.Logf("%s: the build that waited was READY after %.1f s", what, time.Since(began).Seconds())
}

// buildsNow checks that a build is made from beginning to end, with a log that has all lines.
func (a *ailing) buildsNow(what string) {
	a.Helper()
	const lines = 200
	url, _ := a.forge.Push(strings.ReplaceAll(strings.ToLower(what), " ", "-"), buildingSite(what, lines))
	api := a.control.Client()
	defer api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	answer, err := api.Deploy(ctx, hosting.NewDeployment{GitURL: url})
	if err != nil {
		a.Fatalf("%s: a build is not taken: %v", what, err)
	}
	a.ended(ctx, api, answer.ID, hosting.StatusReady, what+": a build")
	a.reader(ctx, a.control, answer.ID, lines, false)
}

// says waits until a build's log has a text.
func (a *ailing) says(ctx context.Context, api *client.Client, id hosting.DeploymentID, text string) {
	a.Helper()
	a.control.eventually(90*time.Second, fmt.Sprintf("the log of %s says %q", id, text), func() bool {
		lines, err := api.ReadLog(ctx, id, 0, 1000)
		for _, l := range lines {
			if strings.Contains(l.Text, text) {
				return true
			}
		}
		return err != nil && ctx.Err() != nil
	})
}

func (a *ailing) ended(ctx context.Context, api *client.Client, id hosting.DeploymentID, want hosting.Status, what string) {
	a.Helper()
	var d hosting.Deployment
	a.control.eventually(2*time.Minute, what+" ends", func() (is bool) {
		var err error
		d, err = api.FindDeployment(ctx, id)
		return err == nil && d.Status.Terminal()
	})
	if d.Status != want {
		a.Errorf("%s is %s: %s", what, d.Status, d.Reason)
	}
}
