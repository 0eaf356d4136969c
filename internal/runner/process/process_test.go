package process

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/runnertest"
)

// adopting is the argument of a job that adopts its orphans.
const adopting = "adopt-orphans"

// TestMain is also main for jobs and for the servers that the crash tests kill.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(headlessVar) != "":
		os.Exit(headless())
	case runnertest.IsJob():
		if slices.Contains(os.Args, adopting) {
			if err := runner.AdoptOrphans(); err != nil {
				panic(err)
			}
		}
		os.Exit(runnertest.Job(func() (string, error) { return runner.ReadToken(os.Stdin) }))
	case os.Getenv(serverVar) != "":
		os.Exit(serve())
	}
	os.Exit(m.Run())
}

// openWith opens a runner whose jobs get a short grace, so that tests with processes that
// ignore SIGTERM need not sit it out.
func openWith(t *testing.T, dir string, args ...string) *Runner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Config{
		Executable: self, Args: args, Dir: dir, Env: []string{"HTTPS_PROXY=http://proxy.test", "FAIRWAY_JOB=of the server"},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.grace = time.Second
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r
}

func open(t *testing.T, dir string) runner.Runner { return openWith(t, dir) }

func TestRunner_KeepsTheContract(t *testing.T) { runnertest.Run(t, open) }

func TestStart_GivesTheJobNothingButItsOwn(t *testing.T) {
	t.Setenv("FAIRWAY_SECRET_OF_THE_SERVER", "1")
	b := runnertest.NewBench(t, open)
	_, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "environment")
	got := job.Expect(t, "environment")
	home := filepath.Join(b.Dir, b.Name("dpl_a-1"))
	want := []string{
		"FAIRWAY_JOB=" + b.Name("dpl_a-1"), "FAIRWAY_JOB_API=" + b.API(), "FAIRWAY_JOB_ID=dpl_dpl_a-1",
		"HOME=" + filepath.Join(home, "home"), "HTTPS_PROXY=http://proxy.test", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + filepath.Join(home, "tmp"),
	}
	lines := slices.DeleteFunc(got.Lines, func(s string) bool { return strings.HasPrefix(s, "PWD=") })
	slices.Sort(lines)
	if !slices.Equal(lines, want) {
		t.Errorf("the job's environment is\n%q, want\n%q", lines, want)
	}
	if got.Text != filepath.Join(home, "work") {
		t.Errorf("the job works in %s", got.Text)
	}
	for _, dir := range []string{"work", "home", "tmp"} {
		if info, err := os.Stat(filepath.Join(home, dir)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info, err)
		}
	}
}

func TestStart_WithoutItsProgramIsUnavailableAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	r := openWith(t, dir)
	r.config.Executable = filepath.Join(dir, "absent")
	_, err := r.Start(t.Context(), runner.Spec{Name: "dpl_a-1", API: "unix:///x", Token: "t"})
	if !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("Start without a program: %v", err)
	}
	if jobs, err := r.List(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("List = %v, %v", jobs, err)
	}
}

func TestStart_AfterCloseIsUnavailable(t *testing.T) {
	r := openWith(t, t.TempDir())
	_ = r.Close()
	_, err := r.Start(t.Context(), runner.Spec{Name: "dpl_a-1", API: "unix:///x", Token: "t"})
	if !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("Start after Close: %v", err)
	}
}

func TestClose_LeavesJobsRunning(t *testing.T) {
	b := runnertest.NewBench(t, open)
	ref, job := b.Launch(t, "dpl_a-1")
	if err := b.Runner.(*Runner).Close(); err != nil {
		t.Fatal(err)
	}
	job.Tell(t, "environment")
	job.Expect(t, "environment")
	b.Restart(t)
	job.Tell(t, "exit 0")
	job.Gone(t)
	if state := b.Ended(t, ref); state.Phase != runner.Exited {
		t.Errorf("a job that ended without a runner is %s", state.Phase)
	}
	b.StopNow(t, ref, "dpl_a-1")
}

func TestInspect_KnowsTheReasonAfterARestart(t *testing.T) {
	b := runnertest.NewBench(t, open)
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "exit 3")
	b.Ended(t, ref)
	b.Restart(t)
	if state := b.Ended(t, ref); state.Reason != "exit status 3" {
		t.Errorf("after a restart: %+v", state)
	}
}

func TestInspect_DoesNotTakeAnotherProcessForTheJob(t *testing.T) {
	r := openWith(t, t.TempDir())
	start, _ := startOf(os.Getpid())
	for name, id := range map[string]identity{
		"dpl_a-1": {"dpl_a-1", os.Getpid(), "1" + start},                 // the pid was given again
		"dpl_b-1": {"dpl_b-1", os.Getpid(), start[:len(start)-1] + "\""}, // in another boot
	} {
		dir := r.folder(name)
		if err := dir.create(); err != nil {
			t.Fatal(err)
		}
		if err := dir.name(id); err != nil {
			t.Fatal(err)
		}
		states, err := r.Inspect(t.Context(), []runner.Ref{id.ref()})
		if err != nil || states[0].Phase != runner.Exited {
			t.Errorf("Inspect(%s) = %v, %v", id.ref(), states, err)
		}
		// Were the pid alone the job, this would end the test.
		if err := r.Stop(t.Context(), id.ref()); err != nil {
			t.Errorf("Stop(%s): %v", id.ref(), err)
		}
	}
}

func TestStop_ByTheRefOfAnEarlierJobLeavesTheLaterOne(t *testing.T) {
	b := runnertest.NewBench(t, open)
	first, job := b.Launch(t, "dpl_a-1")
	b.StopNow(t, first, "dpl_a-1", job)
	second, job := b.Launch(t, "dpl_a-1")
	if err := b.Stop(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	job.Tell(t, "environment")
	job.Expect(t, "environment")
	b.StopNow(t, second, "dpl_a-1", job)
}

func TestStart_RefusesATokenThatIsNotOneLine(t *testing.T) {
	r := openWith(t, t.TempDir())
	for _, token := range []string{"", "a\nb", "a\r", strings.Repeat("x", runner.MaxToken+1)} {
		if ref, err := r.Start(t.Context(), runner.Spec{Name: "dpl_a-1", Token: token}); err == nil {
			t.Errorf("Start with the token %.10q = %s", token, ref)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("dpl_a-1|12|345@abcdef01")
	f.Add("../a|1|")
	f.Fuzz(func(t *testing.T, s string) {
		id, ok := parseRef(runner.Ref(s))
		if !ok {
			return
		}
		if strings.ContainsAny(id.name, "/|\x00") || strings.Trim(id.name, ".") == "" || id.pid == 1 || id.pid < 0 {
			t.Errorf("parseRef(%q) = %+v", s, id)
		}
		if again, ok := parseRef(id.ref()); !ok || again != id {
			t.Errorf("%q is not read back: %+v", s, again)
		}
	})
}
