package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

// mainVar makes the test's program the command line.
const mainVar = "CLI_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVar) == "" {
		os.Exit(m.Run())
	}
	root := &cobra.Command{Use: "fairway", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(Commands(OS())...)
	os.Exit(ExitCode(root.Execute()))
}

// spyScript tells what a build finds of the secrets in every process that it can read, and that
// it can read processes at all.
const spyScript = `mkdir dist
echo hello >dist/index.html
for p in /proc/[0-9]*; do
	for f in environ cmdline; do
		tr '\0' '\n' <$p/$f 2>/dev/null | sed "s|^|$f |" >>found
	done
done
grep -a -c upload-token found >dist/tokens
grep -a -c canary-of-a-neighbour found >dist/canaries
env | grep -c upload-token >dist/own
timeout 1 cat /proc/$PPID/fd/0 | grep -c upload-token >dist/stdin
rm found
true`

// contained is the job of a container: the program itself, with its token in the environment.
func contained(t *testing.T, c *control) *exec.Cmd {
	t.Helper()
	p := jobOf(t, c)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "job")
	cmd.Dir = p.dir
	cmd.Env = []string{mainVar + "=1", "PATH=" + os.Getenv("PATH"), runner.TokenVariable + "=upload-token"}
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// published returns the number that is all there is in a published file.
func (c *control) published(t *testing.T, path string) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inventory == nil {
		t.Fatal("nothing was published")
	}
	for _, f := range c.inventory.Files {
		for n := range 100 {
			if f.Path == path && f.Digest == hosting.DigestOf([]byte(strconv.Itoa(n)+"\n")) {
				return strconv.Itoa(n)
			}
		}
	}
	t.Fatalf("%s does not hold a number, among %v", path, c.inventory.Files)
	return ""
}

func TestJob_OfAContainerHidesItsTokenFromTheBuild(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("there is no /proc to hide anything from")
	}
	c := newControl(t)
	newPerson(t, folder(t, filepath.Join(c.dir, "shop"), map[string]string{"package.json": `{"scripts":{"build":"true"}}`})).run("deploy", "--no-follow").ok()
	source := packFolder(t, folder(t, filepath.Join(c.dir, "spy"), map[string]string{"spy.sh": spyScript}))
	c.mu.Lock() // the job is another process, of which the race detector knows nothing
	c.source, c.settings = source, hosting.BuildSettings{BuildCommand: "sh spy.sh", OutputDir: "dist"}
	c.mu.Unlock()

	neighbour := exec.Command("sleep", "60")
	neighbour.Env = []string{"SECRET=canary-of-a-neighbour"}
	if err := neighbour.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = neighbour.Process.Kill(); _ = neighbour.Wait() }()
	job := contained(t, c)
	out, err := job.CombinedOutput()
	if err != nil {
		t.Fatalf("the job ended with %v: %s", err, out)
	}
	if strings.Contains(string(out), "upload-token") {
		t.Errorf("the job tells its token: %s", out)
	}
	for file, want := range map[string]string{"tokens": "0", "own": "0", "stdin": "0"} {
		if got := c.published(t, file); got != want {
			t.Errorf("the build finds the token %s times (%s)", got, file)
		}
	}
	if got := c.published(t, "canaries"); got != "1" {
		t.Errorf("the build finds %s other secrets: it does not look into processes", got)
	}
}

func TestJob_EndsWhereAnotherProcessHoldsItsToken(t *testing.T) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("there is no /proc to hide anything from")
	}
	c := newControl(t)
	job := contained(t, c)
	// A shell that stays: what comes after the job makes it wait for its end.
	job.Args = []string{"sh", "-c", job.Path + " job; exit $?"}
	job.Path = "/bin/sh"
	out, err := job.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != ExitFailed || !strings.Contains(string(out), "without a shell") || strings.Contains(string(out), "upload-token") {
		t.Errorf("the job ends with %v: %s", err, out)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asked) != 0 {
		t.Errorf("the job asked for %v", c.asked)
	}
}

func TestJob_TakesNoTokenFromTheEnvironmentThatStaysThere(t *testing.T) {
	c := newControl(t)
	p := jobOf(t, c)
	p.env[runner.TokenVariable] = "upload-token"
	r := p.run("job")
	r.failed(ExitUsage, "write it to stdin")
	if strings.Contains(r.err, "upload-token") {
		t.Errorf("the token is told: %s", r.err)
	}
}
