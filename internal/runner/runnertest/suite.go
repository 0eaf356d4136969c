// Package runnertest is the conformance suite of runner.Runner.
//
// Its jobs are the test binary itself, executed again: a package that tests its runner calls
// Job from TestMain where IsJob says so. Jobs and what they start hold a connection to the
// test's Stage, take orders from it and say what befalls them; that one of them is gone is
// seen by the end of its connection, so that nothing here waits for time to pass.
package runnertest

import (
	"crypto/rand"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

// Open opens the runner under test, whose jobs are the test binary, and closes it when the
// test ends. Opened again with the same dir, it is what a restarted server would have.
type Open func(t *testing.T, dir string) runner.Runner

// Run runs the suite.
func Run(t *testing.T, open Open) { run(t, open, runner.Gone) }

// RunRemembering runs the suite over a runner that is told by a service how its jobs fare, and
// of which nothing is left once they have ended: Stop has nothing to remove, so that the service
// goes on saying for a while that the job has exited, and List need not name it until Stop.
func RunRemembering(t *testing.T, open Open) { run(t, open, runner.Exited) }

func run(t *testing.T, open Open, stopped runner.Phase) {
	for name, test := range map[string]func(*testing.T, *Bench){
		"Start_RunsTheJobWithItsToken":           startRuns,
		"Start_OfTheSameNameStartsOnce":          startOnce,
		"Start_OfTheSameNameAtOnceStartsOnce":    startOnceConcurrently,
		"Start_AfterARestartFindsTheJob":         startAfterRestart,
		"Start_RefusesANameThatIsAPath":          startBadName,
		"Start_RunsManyAtOnce":                   startMany,
		"Inspect_TellsRunningExitedAndGone":      inspectPhases,
		"Inspect_TellsHowAJobDied":               inspectReasons,
		"Stop_AsksFirst":                         stopAsks,
		"Stop_EndsADaemonThatIgnoresIt":          stopDaemon,
		"Stop_EndsADaemonWhoseJobIsGone":         stopOrphan,
		"Stop_OfEndedOrUnknownJobsIsFine":        stopUnknown,
		"Stop_AtOnceFromManySidesIsFine":         stopConcurrently,
		"List_NamesJobsUntilTheyAreStopped":      list,
		"Stop_LeavesTheJobsOfSimilarNamesAlone":  stopSimilar,
		"Stop_AfterARestartEndsTheJobAndDaemons": stopAfterRestart,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := NewBench(t, open)
			b.stopped = stopped
			test(t, b)
		})
	}
}

// Bench is one runner with the stage that its jobs report to.
type Bench struct {
	runner.Runner
	*Stage
	Dir  string
	tag  string
	open Open
	// stopped is what Inspect calls a job that was stopped.
	stopped runner.Phase
}

// NewBench opens a runner in a new folder.
func NewBench(t *testing.T, open Open) *Bench {
	dir := t.TempDir()
	tag := "t" + strings.ToLower(rand.Text()[:8])
	return &Bench{Runner: open(t, dir), Stage: NewStage(t), Dir: dir, tag: tag, open: open, stopped: runner.Gone}
}

// Name is the real name of the job that a test calls name. A name is one job's on the whole
// machine, which tests share that run at the same time.
func (b *Bench) Name(name string) string { return b.tag + name }

// Restart goes on with a runner that knows only what is on disk.
func (b *Bench) Restart(t *testing.T) { b.Runner = b.open(t, b.Dir) }

// Spec is a job called name, which reports to the stage.
func (b *Bench) Spec(name string) runner.Spec {
	return runner.Spec{
		Name: b.Name(name), Deployment: hosting.DeploymentID("dpl_" + name), API: b.API(), Token: "token of " + name,
	}
}

// Launch starts the job called name, stops it when the test ends, and returns it once it
// has its token.
func (b *Bench) Launch(t *testing.T, name string) (runner.Ref, *Actor) {
	t.Helper()
	ref := b.start(t, name)
	job := b.Job(t, name)
	if token := job.Expect(t, "token").Text; token != "token of "+name {
		t.Fatalf("job %s got the token %q", name, token)
	}
	return ref, job
}

// Job returns the job called name once it has reported.
func (b *Bench) Job(t *testing.T, name string) *Actor {
	t.Helper()
	return b.Await(t, b.Name(name))
}

func (b *Bench) start(t *testing.T, name string) runner.Ref {
	t.Helper()
	ref, err := b.Start(t.Context(), b.Spec(name))
	if err != nil {
		t.Fatalf("Start(%s): %v", name, err)
	}
	// The context of the test has ended when this runs.
	t.Cleanup(func() { _ = b.Stop(noDeadline, ref) })
	return ref
}

// Ended waits until the runner says that the job is over, and returns what it says.
func (b *Bench) Ended(t *testing.T, ref runner.Ref) runner.State {
	t.Helper()
	var state runner.State
	WaitFor(t, "the end of "+string(ref), func() bool {
		state = b.phase(t, ref)
		return state.Phase == runner.Exited || state.Phase == runner.Gone
	})
	return state
}

func (b *Bench) phase(t *testing.T, ref runner.Ref) runner.State {
	t.Helper()
	states, err := b.Inspect(t.Context(), []runner.Ref{ref})
	if err != nil || len(states) != 1 {
		t.Fatalf("Inspect(%s) = %v, %v", ref, states, err)
	}
	return states[0]
}

// StopNow stops the job and checks that nothing of it is left.
func (b *Bench) StopNow(t *testing.T, ref runner.Ref, name string, actors ...*Actor) {
	t.Helper()
	if err := b.Stop(t.Context(), ref); err != nil {
		t.Fatalf("Stop(%s): %v", ref, err)
	}
	for _, a := range actors {
		if alive(a.PID) {
			t.Errorf("process %d of %s runs although Stop has returned", a.PID, name)
		}
		a.Gone(t)
	}
	if state := b.phase(t, ref); state.Phase != b.stopped {
		t.Errorf("after Stop the job is %s", state.Phase)
	}
	_ = filepath.WalkDir(b.Dir, func(path string, _ fs.DirEntry, _ error) error {
		if strings.Contains(filepath.Base(path), b.Name(name)) {
			t.Errorf("Stop left %s behind", path)
		}
		return nil
	})
}

func startRuns(t *testing.T, b *Bench) {
	ref, job := b.Launch(t, "dpl_a-1")
	if job.Deployment != "dpl_dpl_a-1" {
		t.Errorf("the job was told the deployment %q", job.Deployment)
	}
	if state := b.phase(t, ref); state.Phase != runner.Running {
		t.Errorf("a running job is %s", state.Phase)
	}
	b.StopNow(t, ref, "dpl_a-1", job)
}

func startOnce(t *testing.T, b *Bench) {
	first, job := b.Launch(t, "dpl_a-1")
	if second := b.start(t, "dpl_a-1"); second != first {
		t.Errorf("the second Start returned %s, the first %s", second, first)
	}
	job.Tell(t, "exit 0")
	job.Gone(t)
	b.Ended(t, first)
	if third := b.start(t, "dpl_a-1"); third != first {
		t.Errorf("Start of a job that has ended returned %s, the first %s", third, first)
	}
	b.StopNow(t, first, "dpl_a-1")
	b.ExpectUps(t, 1)
}

func startOnceConcurrently(t *testing.T, b *Bench) {
	const callers = 20
	refs := make([]runner.Ref, callers)
	var wg sync.WaitGroup
	for i := range refs {
		wg.Go(func() {
			ref, err := b.Start(t.Context(), b.Spec("dpl_a-1"))
			if err != nil {
				t.Errorf("Start: %v", err)
			}
			refs[i] = ref
		})
	}
	wg.Wait()
	job := b.Job(t, "dpl_a-1")
	if len(slices.Compact(refs)) != 1 {
		t.Errorf("%d callers got the refs %v", callers, refs)
	}
	b.StopNow(t, refs[0], "dpl_a-1", job)
	b.ExpectUps(t, 1)
}

func startAfterRestart(t *testing.T, b *Bench) {
	first, job := b.Launch(t, "dpl_a-1")
	b.Restart(t)
	if second := b.start(t, "dpl_a-1"); second != first {
		t.Errorf("after a restart Start returned %s, before %s", second, first)
	}
	if state := b.phase(t, first); state.Phase != runner.Running {
		t.Errorf("after a restart the job is %s", state.Phase)
	}
	b.StopNow(t, first, "dpl_a-1", job)
	b.ExpectUps(t, 1)
}

func startBadName(t *testing.T, b *Bench) {
	for _, name := range []string{"", ".", "..", "../a", "a/b", "a|b", "a\nb", "-a", strings.Repeat("a", 200)} {
		spec := b.Spec("dpl_a-1")
		spec.Name = name
		if ref, err := b.Start(t.Context(), spec); err == nil {
			t.Errorf("Start(%q) = %s", name, ref)
		}
	}
	b.ExpectUps(t, 0)
}

func startMany(t *testing.T, b *Bench) {
	const jobs = 16
	refs, names := make([]runner.Ref, jobs), make([]string, jobs)
	var wg sync.WaitGroup
	for i := range jobs {
		names[i] = fmt.Sprintf("dpl_%c-1", 'a'+i)
		wg.Go(func() {
			ref, err := b.Start(t.Context(), b.Spec(names[i]))
			if err != nil {
				t.Errorf("Start: %v", err)
			}
			refs[i] = ref
		})
	}
	wg.Wait()
	actors := make([]*Actor, jobs)
	for i := range jobs {
		actors[i] = b.Job(t, names[i])
		actors[i].Expect(t, "token")
	}
	for i := range jobs {
		wg.Go(func() { b.StopNow(t, refs[i], names[i], actors[i]) })
	}
	wg.Wait()
}

func list(t *testing.T, b *Bench) {
	lister, ok := b.Runner.(runner.Lister)
	if !ok {
		t.Skip("this runner cannot list: it has no runner.Lister")
	}
	one, _ := b.Launch(t, "dpl_a-1")
	two, job := b.Launch(t, "dpl_b-2")
	job.Tell(t, "exit 0")
	b.Ended(t, two)
	jobs, err := lister.List(t.Context())
	want := []runner.Job{{Name: b.Name("dpl_a-1"), Ref: one}, {Name: b.Name("dpl_b-2"), Ref: two}}
	slices.SortFunc(jobs, func(a, b runner.Job) int { return strings.Compare(a.Name, b.Name) })
	if b.stopped == runner.Exited {
		want = want[:1] // of the other nothing is left
	}
	if err != nil || !slices.Equal(jobs, want) {
		t.Fatalf("List = %v, %v; want %v", jobs, err, want)
	}
	b.StopNow(t, one, "dpl_a-1")
	b.StopNow(t, two, "dpl_b-2")
	if jobs, err := lister.List(t.Context()); err != nil || len(jobs) != 0 {
		t.Errorf("after Stop List = %v, %v", jobs, err)
	}
}
