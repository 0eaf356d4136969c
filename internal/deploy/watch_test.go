package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestWatch_MissesNothingWhileLinesAreAppended(t *testing.T) {
	w := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d := w.pushAdmitted(w.project("site"))
	const total = 1300 // more than two pages
	var wg sync.WaitGroup
	for after := range int64(4) {
		watch, err := w.Watch(ctx, ann, d.ID, after)
		w.ok(err)
		wg.Go(func() {
			defer watch.Close()
			next, revision, status := after+1, uint64(0), hosting.Status("")
			for {
				e, err := watch.Next(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				for _, l := range e.Lines {
					if l.N != next || l.Text != fmt.Sprint(l.N) {
						t.Errorf("line %d %q, want %d", l.N, l.Text, next)
						return
					}
					next++
				}
				if e.Deployment != nil {
					if e.Deployment.Revision <= revision {
						t.Errorf("revision %d after %d", e.Deployment.Revision, revision)
					}
					revision, status = e.Deployment.Revision, e.Deployment.Status
				}
				if e.End {
					if next != total+1 || status != hosting.StatusReady {
						t.Errorf("it ended before line %d, %s", next, status)
					}
					return
				}
			}
		})
	}
	a := w.job(d)
	for n := int64(1); n <= total; {
		var texts []string
		for i := n; i < n+37 && i <= total; i++ {
			texts = append(texts, fmt.Sprint(i))
		}
		ack, err := a.AppendLog(ctx, batch(n, texts...))
		w.ok(err)
		n = ack.Next
	}
	w.build(d, "x")
	wg.Wait()
}

func TestWatch_OfAnEndedDeploymentReplaysIt(t *testing.T) {
	w := open(t)
	d := w.pushAdmitted(w.project("site"))
	_, err := w.job(d).AppendLog(t.Context(), batch(1, "a", "b", "c"))
	w.ok(err)
	w.build(d, "x")
	watch, err := w.Watch(t.Context(), ann, d.ID, 1)
	w.ok(err)
	defer watch.Close()
	e, err := watch.Next(t.Context())
	w.ok(err)
	if len(e.Lines) != 2 || e.Deployment == nil || e.Deployment.Status != hosting.StatusReady || e.End {
		t.Errorf("first: %+v", e)
	}
	for range 2 {
		if e, err = watch.Next(t.Context()); err != nil || !e.End {
			t.Errorf("then: %+v (%v)", e, err)
		}
	}
	_, err = w.Watch(t.Context(), ann, d.ID, -1)
	w.refused(err, hosting.CodeInvalid)
}

func TestWatch_LooksByItselfWhenTheBellIsLost(t *testing.T) {
	w := open(t)
	d := w.pushAdmitted(w.project("site"))
	watch, err := w.Watch(t.Context(), ann, d.ID, 0)
	w.ok(err)
	defer watch.Close()
	_, err = watch.Next(t.Context())
	w.ok(err)
	_, err = w.logs.Append(t.Context(), d.ID, 1, batch(1, "silent").Lines) // nobody rings
	w.ok(err)
	e, err := watch.Next(t.Context())
	w.ok(err)
	if len(e.Lines) != 1 {
		t.Errorf("it saw %+v", e)
	}
}

func TestWatch_EndsWithItsContextAndWhenClosed(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	watch, err := w.Watch(t.Context(), ann, d.ID, 0)
	w.ok(err)
	_, err = watch.Next(t.Context())
	w.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := watch.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with its context ended: %v", err)
	}
	ended := make(chan error)
	go func() {
		_, err := watch.Next(t.Context())
		ended <- err
	}()
	watch.Close()
	if err := <-ended; !errors.Is(err, bell.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// flood appends lines that were printed within one millisecond.
func (w *world) flood(a *deploy.Attempt, first, last int64) {
	w.t.Helper()
	for n := first; n <= last; {
		b := hosting.LogBatch{First: n}
		for ; n <= last && len(b.Lines) < 1000; n++ {
			b.Lines = append(b.Lines, hosting.LogLine{N: n, At: 1_700_000_000_000, Stream: "out", Text: fmt.Sprint(n)})
		}
		_, err := a.AppendLog(w.t.Context(), b)
		w.ok(err)
	}
}

func TestWatch_MarksTheLinesThatItLeavesOut(t *testing.T) {
	const rate, total = 100, 5000
	for name, tc := range map[string]struct {
		rate    int
		history bool // the lines were there before
		shown   int64
	}{
		"live": {rate, false, 2 * rate}, "there before": {rate, true, total}, "the control: no rate": {0, false, total},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, func(w *world) { w.logRate = tc.rate })
			d := w.pushAdmitted(w.project("site"))
			a := w.job(d)
			if tc.history {
				w.flood(a, 1, total)
			}
			watch, err := w.Watch(t.Context(), ann, d.ID, 0)
			w.ok(err)
			defer watch.Close()
			if !tc.history {
				_, err = watch.Next(t.Context()) // its state: the log is empty
				w.ok(err)
				w.flood(a, 1, total)
			}
			w.build(d, "x")
			var last, shown int64
			for end := false; !end; {
				e, err := watch.Next(t.Context())
				w.ok(err)
				for _, l := range e.Lines {
					if shown++; l.N != last+1 {
						t.Fatalf("line %d came after line %d", l.N, last)
					}
					last = l.N
				}
				if e.Gap != nil {
					if e.Gap.First != last+1 || e.Gap.Last < e.Gap.First {
						t.Fatalf("the gap %+v came after line %d", e.Gap, last)
					}
					last = e.Gap.Last
				}
				if end = e.End; end && last < total {
					t.Errorf("it ended behind line %d", last)
				}
			}
			if shown != tc.shown {
				t.Errorf("%d lines are shown, want %d", shown, tc.shown)
			}
			lines, err := w.ReadLog(t.Context(), ann, d.ID, total-1, 10)
			if err != nil || len(lines) == 0 || lines[0].N != total {
				t.Errorf("the stored log ends with %v, %v", lines, err)
			}
		})
	}
}
