package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// victim is a server with one live site, which no fault may touch.
type victim struct {
	*testing.T
	s     *Server
	api   *client.Client
	forge *Forge
	ctx   context.Context
}

// unlucky starts a server whose live site is built from a repository.
func unlucky(t *testing.T) *victim {
	t.Helper()
	return unluckyOn(t, NewServer(t))
}

func unluckyOn(t *testing.T, s *Server) *victim {
	t.Helper()
	v := &victim{T: t, s: s, api: s.Client(), forge: NewForge(t)}
	t.Cleanup(v.api.Close)
	var end context.CancelFunc
	v.ctx, end = context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(end)
	url, _ := v.forge.Push("live", map[string]string{"index.html": "<h1>untouched</h1>"})
	v.s.Deploy(t.TempDir(), "--project", "live", "--git", url)
	v.untouched()
	return v
}

func (v *victim) untouched() {
	v.Helper()
	v.s.Get(v.s.Site("live")).Is(200, "untouched")
}

// fails waits for a deployment's end, and holds it to a code and a part of the reason.
func (v *victim) fails(id hosting.DeploymentID, code, says string) hosting.Deployment {
	v.Helper()
	d := v.ends(id)
	if d.Status != hosting.StatusFail || d.Code != code || !strings.Contains(d.Reason, says) {
		v.Errorf("it ended %s, %q: %q; want FAIL, %q with %q", d.Status, d.Code, d.Reason, code, says)
	}
	v.untouched()
	return d
}

func (v *victim) ends(id hosting.DeploymentID) (d hosting.Deployment) {
	v.Helper()
	v.s.eventually(time.Minute, "the deployment "+string(id)+" ends", func() (done bool) {
		var err error
		if d, err = v.api.FindDeployment(v.ctx, id); err != nil {
			v.Fatal(err)
		}
		return d.Status.Terminal()
	})
	return d
}

// build deploys the live project with another build command, ref or address.
func (v *victim) build(command, ref string) hosting.DeploymentID {
	v.Helper()
	dist := "dist"
	if _, err := v.api.UpdateProject(v.ctx, "live", hosting.ProjectUpdate{BuildCommand: &command, OutputDir: &dist}); err != nil {
		v.Fatal(err)
	}
	a, err := v.api.Deploy(v.ctx, hosting.NewDeployment{Project: "live", Ref: ref})
	if err != nil {
		v.Fatal(err)
	}
	return a.ID
}

func TestFaults_EndABuildWithWhatToDo(t *testing.T) {
	t.Parallel()
	v := unlucky(t)
	const index = "mkdir dist && echo new >dist/index.html && "
	for _, c := range []struct{ name, command, ref, code, says string }{
		{"unknown ref", "true", "nope", hosting.FailRefNotFound, `no branch or tag "nope"`},
		{"unknown commit", "true", strings.Repeat("a", 40), hosting.FailRefNotFound, "no commit"},
		{"the build fails", "echo no such module: sails >&2; exit 3", "", hosting.FailBuild, "exit code 3: no such module: sails"},
		{"escape sequences", `printf '\033]0;title\007\033[2Jwiped\n'; exit 1`, "", hosting.FailBuild, "exit code 1: wiped"},
		{"no output folder", "true", "", hosting.FailOutputMissing, "outputDir"},
		{"no folder at all", "rm -rf $PWD", "", hosting.FailOutputMissing, "removed the folder"},
		{"empty output", "mkdir dist", "", hosting.FailOutputEmpty, "check that the build writes"},
		{"no page", "mkdir dist; echo >dist/a.txt", "", hosting.FailOutputEmpty, "no HTML page"},
		{"a name that is not UTF-8", index + `echo >"dist/$(printf 'caf\351').html"`, "", hosting.FailOutputInvalid, "not UTF-8: rename it"},
		{"a link that leaves", index + "ln -s /etc/passwd dist/p.html", "", hosting.FailOutputInvalid, "leaves the output folder"},
		{"a link to its own folder", index + "ln -s . dist/p", "", hosting.FailOutputInvalid, "leads back"},
		{"an output that is a way out", "ln -s /etc dist", "", hosting.FailOutputMissing, "dist"},
		{"a fifo", index + "mkfifo dist/p.html", "", hosting.FailOutputInvalid, "neither a file nor a folder"},
		{"a file too large", index + "truncate -s 3G dist/film.mp4", "", hosting.FailTooLarge, "film.mp4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *v
			w.T = t
			w.fails(w.build(c.command, c.ref), c.code, c.says)
		})
	}
	none := v.forge.URL + "/none.git"
	a, err := v.api.Deploy(v.ctx, hosting.NewDeployment{GitURL: none})
	if err != nil {
		t.Fatal(err)
	}
	v.fails(a.ID, hosting.FailRepositoryNotFound, none+" does not exist, or is private")
}

func TestFaults_AreRefusedBeforeThereIsADeployment(t *testing.T) {
	t.Parallel()
	v := unlucky(t)
	odd, leaving, site := t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{odd, leaving, site} {
		writeFiles(t, dir, map[string]string{"index.html": "x"})
	}
	writeFiles(t, odd, map[string]string{"caf\xe9.html": "x"})
	if err := os.Symlink("/etc/passwd", filepath.Join(leaving, "p.html")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"not UTF-8: rename it", []string{"deploy", odd}},
		{"p.html is a link that leaves", []string{"deploy", leaving}},
		{"needs an index.html", []string{"deploy", t.TempDir()}},
		{"there is no folder", []string{"deploy", filepath.Join(site, "none")}},
		{"is a file: give the folder", []string{"deploy", filepath.Join(site, "index.html")}},
		{`"live" is taken: choose another`, []string{"projects", "create", "x", "--slug", "live"}},
		{"lower-case letters, digits", []string{"projects", "create", "x", "--slug", "A b"}},
		{"reserved: choose another", []string{"projects", "create", "x", "--slug", "api"}},
		{"https://host/owner", []string{"deploy", "--git", "file:///etc"}},
		{"https://host/owner", []string{"deploy", "--git", "ext::sh -c id"}},
		{"https://host/owner", []string{"deploy", "--git", "--upload-pack=id"}},
		{"would end up in logs", []string{"deploy", "--git", "https://ann:secret@git.test/a/b.git"}},
		{"git check-ref-format", []string{"deploy", "--git", "https://git.test/a/b.git", "--ref", "--upload-pack=id"}},
		{"there is no project", []string{"logs", "../../etc/passwd"}},
		{"there is no deployment", []string{"promote", "dpl_aaaaaaaaaaaaaaaaaaaaaaaaaa"}},
		{"no ready production deployment before", []string{"rollback", "live"}},
	} {
		out, errs, err := v.s.CLI(site, c.args...)
		if err == nil || !strings.Contains(errs, c.says) {
			t.Errorf("fairway %s: %v, want %q in\n%s%s", strings.Join(c.args, " "), err, c.says, out, errs)
		}
	}
	v.untouched()
}

func TestFaults_AMissingToolIsNamed(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sh, filepath.Join(bin, "sh")); err != nil {
		t.Fatal(err)
	}
	v := unlucky(t)
	v.s.Stop()
	v.s.Start("PATH=" + bin)
	a, err := v.api.Deploy(v.ctx, hosting.NewDeployment{Project: "live"})
	if err != nil {
		t.Fatal(err)
	}
	v.fails(a.ID, hosting.FailToolMissing, "apt-get install git")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"package.json": `{"scripts":{"build":"true"}}`})
	if _, errs, err := v.s.CLI(dir, "deploy", "--project", "live"); err == nil || !strings.Contains(errs, "apt-get install nodejs npm") {
		t.Errorf("fairway deploy: %v\n%s", err, errs)
	}
	v.untouched()
}

// A build that daemonizes, ignores every signal it can and is canceled leaves nothing.
func TestFaults_ACanceledBuildLeavesNoProcess(t *testing.T) {
	t.Parallel()
	v := unlucky(t)
	id := v.build(`trap "" TERM INT HUP; (setsid sleep 600 &); env -i setsid sleep 600 & sleep 600; sleep 600`, "")
	v.s.eventually(30*time.Second, "the build runs", func() bool {
		d, err := v.api.FindDeployment(v.ctx, id)
		return err == nil && d.Phase == hosting.PhaseBuilding && len(v.s.jobProcesses()) > 2
	})
	if _, err := v.api.Cancel(v.ctx, id); err != nil {
		t.Fatal(err)
	}
	if d := v.ends(id); d.Status != hosting.StatusCanceled {
		t.Errorf("it is %s", d.Status)
	}
	v.s.eventually(20*time.Second, "nothing of the job runs", func() bool { return len(v.s.jobProcesses()) == 0 })
	v.untouched()
}

func TestFaults_OfTheStartSayWhatToDo(t *testing.T) {
	t.Parallel()
	// A variable that is set to nothing is as good as none.
	v := unluckyOn(t, NewServer(t, "FAIRWAY_LOG_LEVEL=", "FAIRWAY_BUILDS=", "FAIRWAY_CONTROL_HOST="))
	file := filepath.Join(t.TempDir(), "file")
	writeFiles(t, filepath.Dir(file), map[string]string{"file": "x"})
	for _, c := range []struct {
		name string
		env  []string
		says []string
	}{
		{"the same again", nil, []string{"another Fairway has", "FAIRWAY_DATA"}},
		{"the same folder", ports(t), []string{"another Fairway has", "FAIRWAY_DATA"}},
		{"a taken port", []string{"FAIRWAY_DATA=" + t.TempDir()}, []string{"taken by another program", "set FAIRWAY_HTTP"}},
		{"no folder", append(ports(t), "FAIRWAY_DATA="+file), []string{file, "cannot be made", "FAIRWAY_DATA"}},
	} {
		ctx, end := context.WithTimeout(v.ctx, 20*time.Second)
		defer end()
		cmd := exec.CommandContext(ctx, v.s.bin, "run", "--config", filepath.Join(root(t), "Caddyfile"))
		cmd.Env = v.s.Environ(c.env...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: it ran", c.name)
		}
		for _, want := range c.says {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: it does not say %q:\n%s", c.name, want, out)
			}
		}
		v.untouched()
	}
	v.s.Healthy()
}

// ports are two that are free.
func ports(t *testing.T) []string {
	t.Helper()
	return []string{fmt.Sprintf("FAIRWAY_HTTP_PORT=%d", freePort(t)), fmt.Sprintf("FAIRWAY_HTTPS_PORT=%d", freePort(t))}
}

// A full disk fails what is deployed, with the reason, and keeps the site that is there.
func TestFaults_AFullDiskKeepsTheLiveSite(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, 0) })
	s := &Server{t: t, bin: testBinary(t), Data: disk, HTTP: freePort(t), HTTPS: freePort(t)}
	t.Cleanup(s.end)
	s.Start()
	v := unluckyOn(t, s)
	big := make([]byte, 30<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(big) // never fails
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"index.html": "new", "film.mp4": string(big)})
	if _, errs, err := s.CLI(dir, "deploy", "--project", "live"); err == nil || !strings.Contains(errs, "no space left") {
		t.Errorf("fairway deploy: %v\n%s", err, errs)
	}
	l, err := v.api.ListDeployments(v.ctx, "live", client.Page{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	v.fails(l.Items[0].ID, hosting.FailStorageFull, "free some")
	// Not a byte is left now.
	fill := filepath.Join(disk, "fill")
	_ = os.WriteFile(fill, big, 0o600) // it has to fail
	writeFiles(t, dir, map[string]string{"film.mp4": "short"})
	if _, errs, err := s.CLI(dir, "deploy", "--project", "live"); err == nil || !strings.Contains(errs, "no space left") {
		t.Errorf("fairway deploy: %v\n%s", err, errs)
	}
	v.untouched()
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	s.Deploy(dir, "--project", "live")
	s.Get(s.Site("live")).Is(200, "new")
}
