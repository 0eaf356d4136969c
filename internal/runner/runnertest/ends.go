package runnertest

import (
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/runner"
)

func inspectPhases(t *testing.T, b *Bench) {
	running, _ := b.Launch(t, "dpl_a-1")
	over, ended := b.Launch(t, "dpl_b-1")
	stopped, job := b.Launch(t, "dpl_c-1")
	ended.Tell(t, "exit 0")
	ended.Gone(t)
	b.Ended(t, over)
	b.StopNow(t, stopped, "dpl_c-1", job)
	refs := []runner.Ref{stopped, running, "nobody's", over, running, ""}
	want := []runner.Phase{b.stopped, runner.Running, runner.Gone, runner.Exited, runner.Running, runner.Gone}
	states, err := b.Inspect(t.Context(), refs)
	if err != nil || len(states) != len(want) {
		t.Fatalf("Inspect = %v, %v", states, err)
	}
	for i := range want {
		if states[i].Phase != want[i] {
			t.Errorf("job %d (%s) is %s, want %s", i, refs[i], states[i].Phase, want[i])
		}
	}
	if states, err := b.Inspect(t.Context(), nil); err != nil || len(states) != 0 {
		t.Errorf("Inspect of nothing = %v, %v", states, err)
	}
}

func inspectReasons(t *testing.T, b *Bench) {
	for order, want := range map[string]string{"exit 3": "exit status 3", "kill": "killed by signal 9"} {
		name := "dpl_" + strings.Fields(order)[0] + "-1"
		ref, job := b.Launch(t, name)
		job.Tell(t, order)
		job.Gone(t)
		state := b.Ended(t, ref)
		if state.Phase != runner.Exited || !strings.Contains(state.Reason, want) {
			t.Errorf("after %q the job is %+v, want %q", order, state, want)
		}
		b.StopNow(t, ref, name)
	}
}

func stopAsks(t *testing.T, b *Bench) {
	ref, job := b.Launch(t, "dpl_a-1")
	b.StopNow(t, ref, "dpl_a-1")
	job.Expect(t, "term") // it had the time to say so
	job.Gone(t)
}

func stopDaemon(t *testing.T, b *Bench) {
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "daemon")
	daemon := b.Await(t, "daemon")
	b.StopNow(t, ref, "dpl_a-1", job, daemon)
}

func stopOrphan(t *testing.T, b *Bench) {
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "daemon")
	daemon := b.Await(t, "daemon")
	job.Tell(t, "exit 0")
	job.Gone(t)
	if state := b.Ended(t, ref); state.Phase != runner.Exited {
		t.Errorf("the job whose daemon lives is %s", state.Phase)
	}
	b.StopNow(t, ref, "dpl_a-1", daemon)
}

func stopUnknown(t *testing.T, b *Bench) {
	for _, ref := range []runner.Ref{"", "nobody's", "a|b|c", "../x|2|3"} {
		if err := b.Stop(t.Context(), ref); err != nil {
			t.Errorf("Stop(%q): %v", ref, err)
		}
	}
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "exit 0")
	job.Gone(t)
	for range 3 {
		b.StopNow(t, ref, "dpl_a-1")
	}
}

func stopConcurrently(t *testing.T, b *Bench) {
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "daemon")
	daemon := b.Await(t, "daemon")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := b.Stop(t.Context(), ref); err != nil {
				t.Errorf("Stop: %v", err)
			}
			if alive(job.PID) || alive(daemon.PID) {
				t.Error("one of the Stops returned too early")
			}
		})
	}
	wg.Wait()
}

func stopSimilar(t *testing.T, b *Bench) {
	one, first := b.Launch(t, "dpl_a-1")
	_, tenth := b.Launch(t, "dpl_a-10")
	tenth.Tell(t, "daemon")
	daemon := b.Await(t, "daemon")
	if err := b.Stop(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	first.Gone(t)
	tenth.Tell(t, "environment")
	tenth.Expect(t, "environment") // it still answers
	if !alive(daemon.PID) {
		t.Error("Stop ended the daemon of another job")
	}
}

func stopAfterRestart(t *testing.T, b *Bench) {
	ref, job := b.Launch(t, "dpl_a-1")
	job.Tell(t, "daemon")
	daemon := b.Await(t, "daemon")
	b.Restart(t)
	b.StopNow(t, ref, "dpl_a-1", job, daemon)
}
