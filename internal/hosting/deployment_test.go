package hosting

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAdvance_AllowsWhatMayFollowAndNothingElse(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	all := []Status{StatusNotStarted, StatusQueued, StatusInProgress, StatusReady, StatusFail, StatusCanceled, StatusSkipped}
	allowed := map[Status]string{
		"":               "NOT_STARTED QUEUED",
		StatusNotStarted: "QUEUED IN_PROGRESS FAIL CANCELED SKIPPED",
		StatusQueued:     "IN_PROGRESS FAIL CANCELED SKIPPED",
		StatusInProgress: "QUEUED READY FAIL CANCELED SKIPPED",
		StatusReady:      "", StatusFail: "", StatusCanceled: "", StatusSkipped: "",
	}
	for from, list := range allowed {
		for _, to := range all {
			d := Deployment{Status: from}
			err := d.Advance(to, now)
			if want := slices.Contains(strings.Fields(list), string(to)); (err == nil) != want {
				t.Errorf("%q to %s: %v", from, to, err)
			} else if err != nil && (d.Status != from || d.Revision != 0) {
				t.Errorf("%q to %s was refused and changed it all the same", from, to)
			}
		}
		if from != "" && from.Terminal() != (list == "") {
			t.Errorf("%s: Terminal is %v", from, from.Terminal())
		}
	}
}

func TestAdvance_KeepsTimesAttemptsAndPhases(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	d := Deployment{}
	steps := []struct {
		to      Status
		attempt int
		phase   Phase
	}{
		{StatusQueued, 0, ""}, {StatusInProgress, 1, PhaseProvisioning}, {StatusQueued, 1, ""}, {StatusInProgress, 2, PhaseProvisioning}, {StatusReady, 2, ""},
	}
	for i, s := range steps {
		if err := d.Advance(s.to, at(int64(i))); err != nil {
			t.Fatal(err)
		}
		if d.Attempt != s.attempt || d.Phase != s.phase || d.Revision != uint64(i+1) {
			t.Errorf("step %d: attempt %d, phase %q, revision %d", i, d.Attempt, d.Phase, d.Revision)
		}
	}
	if d.StartedAt != at(3) || d.FinishedAt != at(4) {
		t.Errorf("started %v, finished %v", d.StartedAt, d.FinishedAt)
	}
}

func TestEnter_OnlyGoesForward(t *testing.T) {
	d := Deployment{Status: StatusInProgress, Phase: PhaseProvisioning}
	for _, s := range []struct {
		to Phase
		ok bool
	}{{PhaseCloning, true}, {PhaseBuilding, true}, {PhaseInstalling, false}, {PhaseBuilding, false}, {"dancing", false}, {PhaseFinalizing, true}} {
		if got := d.Enter(s.to); got != s.ok {
			t.Errorf("Enter(%s) = %v", s.to, got)
		}
	}
	if d.Phase != PhaseFinalizing || d.Revision != 3 {
		t.Errorf("phase %s, revision %d", d.Phase, d.Revision)
	}
	if d = (Deployment{Status: StatusQueued}); d.Enter(PhaseCloning) {
		t.Error("a queued deployment entered a phase")
	}
}
