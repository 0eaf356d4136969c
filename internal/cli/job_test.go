package cli

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// jobOf is a runner's environment for control's first deployment.
func jobOf(t *testing.T, c *control) *person {
	t.Helper()
	p := newPerson(t, folder(t, filepath.Join(c.dir, "work"), nil))
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.env["FAIRWAY_JOB_ID"] = "dpl_" + strings.Repeat("a", 26)
	p.env["FAIRWAY_JOB_API"] = "unix://" + filepath.Join(c.dir, "data", "admin.sock") + "#/fairway"
	p.stdin = "upload-token\n"
	return p
}

func TestJob_BuildsWhatDeployPacked(t *testing.T) {
	c := newControl(t)
	dir := folder(t, filepath.Join(c.dir, "shop"), map[string]string{
		"package.json": `{"scripts":{"build":"true"}}`, "index.html": "hello",
	})
	newPerson(t, dir).run("deploy", "--no-follow").ok()
	// The packed source again, without what would need programs that a test cannot count on.
	folder(t, dir, map[string]string{"package.json": `{}`})
	c.source = packFolder(t, dir)
	p := jobOf(t, c)
	r := p.run("job").ok()
	if r.out != "" {
		t.Errorf("stdout of a job: %q", r.out)
	}
	if c.inventory == nil || len(c.inventory.Files) == 0 || c.deployments[0].Status != hosting.StatusReady {
		t.Fatalf("published %+v, deployment is %s", c.inventory, c.deployments[0].Status)
	}
	if len(c.logs[c.deployments[0].ID]) == 0 {
		t.Error("the job wrote no log")
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("the work folder is left with %v: %v", entries, err)
	}
}

func TestJob_SIGTERMEndsTheAttempt(t *testing.T) {
	c := newControl(t)
	c.hold = make(chan struct{})
	var waiting sync.WaitGroup
	defer waiting.Wait()
	waiting.Go(func() {
		<-c.holding
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	jobOf(t, c).run("job").failed(ExitFailed, "stopped")
}

func TestJob_NeedsItsEnvironmentAndKeepsItsToken(t *testing.T) {
	c := newControl(t)
	for _, tc := range []struct {
		name, env, value, stdin, says string
		code                          int
	}{
		{"no id", "FAIRWAY_JOB_ID", "", "x\n", "FAIRWAY_JOB_ID", ExitUsage},
		{"an id that is a path", "FAIRWAY_JOB_ID", "dpl_../../x", "x\n", "FAIRWAY_JOB_ID", ExitUsage},
		{"no API", "FAIRWAY_JOB_API", "", "x\n", "FAIRWAY_JOB_API", ExitUsage},
		{"no token", "", "", "\n", "no token", ExitUsage},
		{"an endless token", "", "", strings.Repeat("x", 1<<20), "no token", ExitUsage},
		{"a wrong token", "", "", "hunter2\n", "", ExitForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := jobOf(t, c)
			p.stdin = tc.stdin
			if tc.env != "" {
				p.env[tc.env] = tc.value
			}
			r := p.run("job")
			r.failed(tc.code, tc.says)
			if strings.Contains(r.err+r.out, "hunter2") {
				t.Errorf("the token is told: %s", r.err)
			}
		})
	}
}
