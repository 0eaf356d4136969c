package process

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/runner/runnertest"
)

// What a server that is to be killed is told by its environment.
const (
	serverVar = "PROCESS_TEST_SERVER" // the point at which it is killed
	dirVar    = "PROCESS_TEST_DIR"
	apiVar    = "PROCESS_TEST_API"
	nameVar   = "PROCESS_TEST_NAME"
)

// noTimeout is for processes that have no test around them.
var noTimeout = context.Background()

// serve is a server that starts a job and is killed at a point of that.
func serve() int {
	self, err := os.Executable()
	if err != nil {
		return 1
	}
	r, err := New(Config{Executable: self, Dir: os.Getenv(dirVar)})
	if err != nil {
		return 1
	}
	r.at = func(point string) {
		if point == os.Getenv(serverVar) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	_, _ = r.Start(noTimeout, runner.Spec{
		Name: os.Getenv(nameVar), Deployment: "dpl_dpl_a-1", API: os.Getenv(apiVar), Token: "token of dpl_a-1",
	})
	return 1 // it should not have come so far
}

// killServer has a server begin to start the job dpl_a-1 and killed at the point.
func killServer(t *testing.T, b *runnertest.Bench, point string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self)
	server.Env = append(os.Environ(), serverVar+"="+point, dirVar+"="+b.Dir, apiVar+"="+b.API(), nameVar+"="+b.Name("dpl_a-1"))
	err = server.Run()
	status, _ := server.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the server was to be killed at %s: %v", point, err)
	}
}

func TestStart_KilledBeforeTheRefLeavesNoJob(t *testing.T) {
	b := runnertest.NewBench(t, open)
	killServer(t, b, "job.started")
	orphan := b.Job(t, "dpl_a-1")
	if said := orphan.Gone(t); len(said) != 0 {
		t.Fatalf("a program without a ref said %+v", said)
	}
	b.Restart(t)
	ref, job := b.Launch(t, "dpl_a-1") // the one and only that has a token
	b.StopNow(t, ref, "dpl_a-1", job)
	b.ExpectUps(t, 2)
}

func TestList_NamesAJobWhoseStartWasCutShort(t *testing.T) {
	b := runnertest.NewBench(t, open)
	killServer(t, b, "job.started")
	b.Restart(t)
	jobs, err := b.Runner.(*Runner).List(t.Context())
	if err != nil || len(jobs) != 1 || jobs[0].Name != b.Name("dpl_a-1") {
		t.Fatalf("List = %v, %v", jobs, err)
	}
	if state := b.Ended(t, jobs[0].Ref); state.Phase != runner.Exited {
		t.Errorf("a job that never got its token is %s", state.Phase)
	}
	b.StopNow(t, jobs[0].Ref, "dpl_a-1")
}

func TestStart_KilledBeforeTheTokenLeavesAJobThatHasEnded(t *testing.T) {
	b := runnertest.NewBench(t, open)
	killServer(t, b, "job.named")
	orphan := b.Job(t, "dpl_a-1")
	if said := orphan.Gone(t); len(said) != 0 {
		t.Fatalf("a program without a token said %+v", said)
	}
	b.Restart(t)
	ref, err := b.Start(t.Context(), b.Spec("dpl_a-1"))
	if err != nil {
		t.Fatal(err)
	}
	if state := b.Ended(t, ref); state.Phase != runner.Exited {
		t.Errorf("a job that never got its token is %s", state.Phase)
	}
	b.StopNow(t, ref, "dpl_a-1", orphan)
	b.ExpectUps(t, 1)
}

func TestStart_KilledAfterTheTokenLeavesTheOneJob(t *testing.T) {
	b := runnertest.NewBench(t, open)
	killServer(t, b, "job.told")
	job := b.Job(t, "dpl_a-1")
	job.Expect(t, "token")
	b.Restart(t)
	ref, err := b.Start(t.Context(), b.Spec("dpl_a-1"))
	if err != nil {
		t.Fatal(err)
	}
	id, _ := parseRef(ref)
	if id.pid != job.PID {
		t.Errorf("Start returned %s, the job is process %d", ref, job.PID)
	}
	states, err := b.Inspect(t.Context(), []runner.Ref{ref})
	if err != nil || states[0].Phase != runner.Running {
		t.Errorf("Inspect = %v, %v", states, err)
	}
	job.Tell(t, "daemon")
	b.StopNow(t, ref, "dpl_a-1", job, b.Await(t, "daemon"))
	b.ExpectUps(t, 2)
}
