package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	bell "github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	logs "github.com/scale-mesh/fairway/internal/logs/file"
	object "github.com/scale-mesh/fairway/internal/object/file"
	"github.com/scale-mesh/fairway/internal/routes"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// installation is a whole Fairway on the test's own disk, without Caddy: what the commands do
// is really stored, built and activated. Jobs run "fairway job" in the test's process.
type installation struct {
	t   *testing.T
	dir string // holds data/admin.sock
}

func newPlatform(t *testing.T) *installation {
	t.Helper()
	dir, err := os.MkdirTemp("", "fw") // a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &installation{t: t, dir: dir}
	if err := os.Mkdir(p.data(""), 0o700); err != nil {
		t.Fatal(err)
	}
	jobs := &jobRunner{p: p}
	service, db, ring := p.service(jobs)
	api := controlapi.New(controlapi.Config{
		Deploy: service, Account: account.New(account.Config{DB: db, Ring: ring}), DB: db, Ring: ring, Token: "owner-token", Version: "test",
	})
	p.serve("admin.sock", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // as the Caddy module does
		r.URL.Path = "/api" + strings.TrimPrefix(r.URL.Path, "/fairway")
		r.URL.RawPath = ""
		api.Trusted().ServeHTTP(w, r)
	}))
	p.serve("job.sock", api.Jobs())
	t.Cleanup(jobs.running.Wait)
	return p
}

func (p *installation) data(name string) string { return filepath.Join(p.dir, "data", name) }

func opened[T any](t *testing.T, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// service wires the real parts, as package platform does.
func (p *installation) service(jobs runner.Runner) (*deploy.Service, state.DB, seal.Ring) {
	t := p.t
	t.Helper()
	key, err := seal.OpenFile(p.data("key"))
	opened(t, key, err)
	store, err := bolt.Open(p.data("state.db"))
	opened(t, store, err)
	t.Cleanup(func() { _ = store.Close() })
	objects, err := object.Open(p.data("objects"))
	opened(t, objects, err)
	t.Cleanup(func() { _ = objects.Close() })
	lines, err := logs.Open(p.data("logs"))
	opened(t, lines, err)
	t.Cleanup(func() { _ = lines.Close() })
	table, err := routes.Open(routes.Config{Path: p.data("routes.db"), Domain: "localhost"})
	opened(t, table, err)
	t.Cleanup(func() { _ = table.Close() })
	db, rings := state.DB{Store: store}, bell.New()
	service := deploy.New(deploy.Config{
		DB: db, Objects: objects, Blobs: blob.New(objects), Logs: lines, Bell: rings, Runner: jobs, Routes: table, Key: key, Ring: seal.NewRing(key),
		JobAPI: "unix://" + p.data("job.sock"),
		URL:    func(label, site string) string { return "https://" + hosting.SiteHost(label, site, "localhost") },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = table.Follow(ctx, state.Feed{DB: db}, rings) })
	running.Go(func() { _ = service.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return service, db, seal.NewRing(key)
}

func (p *installation) serve(name string, h http.Handler) {
	p.t.Helper()
	listener, err := net.Listen("unix", p.data(name))
	if err != nil {
		p.t.Fatal(err)
	}
	server := &http.Server{Handler: h}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.t.Errorf("serve %s: %v", name, err)
		}
	})
	p.t.Cleanup(func() { _ = server.Close(); serving.Wait() })
}

// jobRunner runs each job as a command of this package.
type jobRunner struct {
	p       *installation
	running sync.WaitGroup
}

func (r *jobRunner) Start(_ context.Context, spec runner.Spec) (runner.Ref, error) {
	dir := filepath.Join(r.p.dir, "jobs", spec.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	job := newPerson(r.p.t, dir)
	job.ctx = context.Background() // a job outlives who started it
	job.stdin = spec.Token + "\n"
	job.env = map[string]string{"FAIRWAY_JOB_ID": string(spec.Deployment), "FAIRWAY_JOB_API": spec.API}
	job.environ = []string{"PATH=" + os.Getenv("PATH")}
	r.running.Go(func() {
		if ran := job.run("job"); ran.code != 0 {
			r.p.t.Errorf("the job ended with %d: %s", ran.code, ran.err)
		}
	})
	return runner.Ref(spec.Name), nil
}

func (r *jobRunner) Inspect(_ context.Context, refs []runner.Ref) ([]runner.State, error) {
	states := make([]runner.State, len(refs))
	for i := range states {
		states[i].Phase = runner.Running
	}
	return states, nil
}

func (r *jobRunner) Stop(context.Context, runner.Ref) error { return nil }

func TestStory_DeployRollBackAndGoOnAgainstTheRealControlPlane(t *testing.T) {
	p := newPlatform(t)
	site := folder(t, filepath.Join(p.dir, "shop"), page)
	ann := newPerson(t, site)

	first := ann.run("deploy", "--json").ok()
	var ended event
	decodeLast(t, first.out, &ended)
	if ended.URL != "https://shop.localhost" || ended.Deployment.Files != 3 || !ended.Deployment.Production {
		t.Fatalf("the first deployment ends as %+v", ended.Deployment)
	}
	one := ended.Deployment

	folder(t, site, map[string]string{"index.html": "<h1>second</h1>"})
	if r := ann.run("deploy").ok(); r.out != "https://shop.localhost\n" || !strings.Contains(r.err, "Deploying to project shop") {
		t.Fatalf("the second deployment prints %q and %q", r.out, r.err)
	}
	if r := ann.run("rollback", "shop").ok(); r.out != "https://shop.localhost\n" || !strings.Contains(r.err, "To undo: fairway promote dpl_") {
		t.Errorf("the roll back prints %q and %q", r.out, r.err)
	}
	list := ann.run("deployments").ok()
	rows := strings.Split(list.out, "\n")
	if i := slices.IndexFunc(rows, func(row string) bool { return strings.Contains(row, "live") }); i < 0 || !strings.Contains(rows[i], string(one.ID)) {
		t.Errorf("after the roll back:\n%s", list.out)
	}
	third := ann.run("deploy").ok()
	if !strings.Contains(third.err, "stays where it was") || !strings.HasSuffix(third.out, "--shop.localhost\n") {
		t.Fatalf("a deployment after a roll back prints %q and %q", third.out, third.err)
	}
	if r := ann.run("promote", strings.TrimSpace(third.out)).ok(); r.out != "https://shop.localhost\n" {
		t.Errorf("promote prints %q and %q", r.out, r.err)
	}
	ann.run("cancel", string(one.ID)).failed(ExitFailed, "READY")
	ann.run("projects", "delete", "shop", "--yes").ok()
	ann.run("open", "shop").failed(ExitNotFound)
}

func TestStory_AFolderWithABuildIsBuiltByAJobAndItsLogFollowed(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("a build script needs npm, and there is none here")
	}
	p := newPlatform(t)
	dir := folder(t, filepath.Join(p.dir, "app"), map[string]string{
		"package.json": `{"name":"app","scripts":{"build":"mkdir -p dist && cp page.html dist/index.html && echo built it"}}`,
		"page.html":    "<h1>built</h1>",
	})
	ann := newPerson(t, dir)
	r := ann.run("deploy").ok()
	if r.out != "https://site-app.localhost\n" { // "app" alone is reserved
		t.Errorf("stdout: %q", r.out)
	}
	for _, part := range []string{"package.json has a build script", "Building", "built it", "Ready in", "1 file"} {
		if !strings.Contains(r.err, part) {
			t.Errorf("stderr does not say %q:\n%s", part, r.err)
		}
	}
	if log := ann.run("logs", "site-app").ok(); !strings.Contains(log.out, "built it\n") {
		t.Errorf("the log reads:\n%s", log.out)
	}
	folder(t, dir, map[string]string{"package.json": `{"scripts":{"build":"echo no; exit 3"}}`})
	ann.run("deploy").failed(ExitFailed, "the deployment failed", "fairway logs dpl_")
	if open := ann.run("open", "site-app").ok(); open.out != "https://site-app.localhost\n" {
		t.Errorf("the site after a failed build is at %q", open.out)
	}
}
