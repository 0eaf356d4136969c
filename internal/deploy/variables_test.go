package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

func (w *world) set(name, value string, secret bool, targets ...hosting.Target) []hosting.Variable {
	w.t.Helper()
	set, err := w.SetVariable(w.t.Context(), ann, "site", name, deploy.SetVariable{Value: value, Secret: secret, Targets: targets})
	w.ok(err)
	return set
}

func brief(vars []hosting.Variable) (lines []string) {
	for _, v := range vars {
		lines = append(lines, fmt.Sprintf("%s %s %q %v", v.Name, v.Target, v.Value, v.Secret))
	}
	return lines
}

// jobOf is what a new build for the target is told of variables.
func (w *world) jobOf(target hosting.Target) (lines []string) {
	w.t.Helper()
	d, _, err := w.Deploy(w.t.Context(), ann, hosting.NewDeployment{Project: "site", Target: target})
	w.ok(err)
	w.admit()
	job, err := w.job(d).Job(w.t.Context())
	w.ok(err)
	for _, v := range job.Variables {
		lines = append(lines, fmt.Sprintf("%s=%s %v", v.Name, v.Value, v.Secret))
	}
	return lines
}

func TestVariables_GoToTheBuildsOfTheirTarget(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 100 })
	ctx := t.Context()
	w.project("site")
	w.project("other")
	set := w.set("B", "both", false)
	if got := brief(set); !slices.Equal(got, []string{`B preview "both" false`, `B production "both" false`}) || set[0].UpdatedBy != "ann" {
		t.Errorf("set: %+v", set)
	}
	w.set("A", "line\none", true, hosting.TargetProduction, hosting.TargetProduction)
	w.set("C", "", false, hosting.TargetPreview)
	list, err := w.ListVariables(ctx, ann, "site")
	w.ok(err)
	want := []string{`A production "" true`, `B preview "both" false`, `B production "both" false`, `C preview "" false`}
	if got := brief(list); !slices.Equal(got, want) {
		t.Errorf("listed: %q", got)
	}
	if got := w.jobOf(hosting.TargetProduction); !slices.Equal(got, []string{"A=line\none true", "B=both false"}) {
		t.Errorf("production gets %q", got)
	}
	if got := w.jobOf(hosting.TargetPreview); !slices.Equal(got, []string{"B=both false", "C= false"}) {
		t.Errorf("preview gets %q", got)
	}
	if list, err := w.ListVariables(ctx, ann, "other"); err != nil || list == nil || len(list) != 0 {
		t.Errorf("another project has %v, %v", list, err)
	}
	d, up, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	a, err := w.Attempt(ctx, d.ID, up.Token)
	w.ok(err)
	if job, err := a.Job(ctx); err != nil || len(job.Variables) != 0 {
		t.Errorf("an uploader gets %v, %v", job.Variables, err)
	}
	w.ok(w.DeleteVariable(ctx, ann, "site", "B", hosting.TargetPreview))
	w.refused(w.DeleteVariable(ctx, ann, "site", "B", hosting.TargetPreview), hosting.CodeNotFound)
	w.refused(w.DeleteVariable(ctx, ann, "site", "A\x00", ""), hosting.CodeNotFound)
	w.ok(w.DeleteVariable(ctx, ann, "site", "B", ""))
	if list, _ := w.ListVariables(ctx, ann, "site"); len(list) != 2 {
		t.Errorf("left: %q", brief(list))
	}
}

func TestVariables_ThatAreSecretAreNeverShown(t *testing.T) {
	const canary = "canary-5b1f"
	w := open(t)
	w.project("site")
	shown := fmt.Sprint(w.set("KEY", canary, true))
	list, err := w.ListVariables(t.Context(), ann, "site")
	w.ok(err)
	shown += fmt.Sprint(list, w.audit(ann.Team.ID))
	for _, bad := range []deploy.SetVariable{{Value: canary + "\x00"}, {Value: canary + "\xff"}, {Value: canary, Targets: []hosting.Target{"x"}}} {
		_, err := w.SetVariable(t.Context(), ann, "site", "KEY", bad)
		w.refused(err, hosting.CodeInvalid)
		shown += err.Error()
	}
	if strings.Contains(shown, canary) {
		t.Errorf("the value is in %q", shown)
	}
	// It may be made readable, together with another value alone.
	if got := brief(w.set("KEY", "other", false)); got[0] != `KEY preview "other" false` {
		t.Errorf("made readable: %q", got)
	}
	if got := brief(w.set("KEY", "other", true)); got[0] != `KEY preview "" true` {
		t.Errorf("made secret again: %q", got)
	}
	w.close()
	db, err := os.ReadFile(filepath.Join(w.dir, "state.db"))
	w.ok(err)
	if bytes.Contains(db, []byte(canary)) || !bytes.Contains(db, []byte(`"KEY"`)) {
		t.Error("the database holds the value as it is, or not even its name")
	}
}

func TestVariables_AreBounded(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.project("site")
	for _, name := range []string{"PATH", "GIT_DIR", "FAIRWAY_X", "1", ""} {
		_, err := w.SetVariable(ctx, ann, "site", name, deploy.SetVariable{})
		w.refused(err, hosting.CodeInvalid)
	}
	_, err := w.SetVariable(ctx, ann, "nothing", "A", deploy.SetVariable{})
	w.refused(err, hosting.CodeNotFound)
	big := strings.Repeat("x", hosting.MaxVariableValue)
	for i := range 8 {
		w.set(fmt.Sprintf("BIG%d", i), big, false, hosting.TargetPreview)
	}
	w.set("BIG0", big, false, hosting.TargetPreview) // in its own place
	_, err = w.SetVariable(ctx, ann, "site", "ONE_BYTE_MORE", deploy.SetVariable{Value: "x", Targets: []hosting.Target{hosting.TargetPreview}})
	w.refused(err, hosting.CodeTooLarge)
	for i := range 192 {
		w.set(fmt.Sprintf("V%d", i), "", false)
	}
	_, err = w.SetVariable(ctx, ann, "site", "ONE_MORE", deploy.SetVariable{})
	w.refused(err, hosting.CodeTooLarge)
	w.set("V0", "", true)
	if list, err := w.ListVariables(ctx, ann, "site"); err != nil || len(list) != 8+2*192 {
		t.Errorf("%d are there, %v", len(list), err)
	}
}

// rekey starts the service again under another ring.
func (w *world) rekey(r seal.Ring) {
	w.t.Helper()
	w.close()
	w.ring = r
	w.start()
}

func (w *world) newKey(name string) seal.Key {
	w.t.Helper()
	k, err := seal.OpenFile(filepath.Join(w.dir, name))
	w.ok(err)
	return k
}

func TestResealVariables_LetsTheOldKeyGo(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.teams("team_bob")
	w.project("site")
	for i := range 60 { // more than fit one transaction
		w.set(fmt.Sprintf("V%d", i), fmt.Sprint(i), true)
	}
	w.projectOf(in("team_bob"), "bobs")
	_, err := w.SetVariable(ctx, in("team_bob"), "bobs", "B", deploy.SetVariable{Value: "bob"})
	w.ok(err)
	key := w.newKey("key2")
	w.rekey(seal.NewRing(key, w.key))
	if n, err := w.ResealVariables(ctx); err != nil || n != 122 {
		t.Fatalf("%d were sealed anew, %v", n, err)
	}
	before := w.dump()
	if n, err := w.ResealVariables(ctx); err != nil || n != 0 || !slices.Equal(before, w.dump()) {
		t.Errorf("the second time %d were, %v", n, err)
	}
	w.rekey(seal.NewRing(key))
	if got := w.jobOf(hosting.TargetProduction); len(got) != 60 || got[59] != "V9=9 true" {
		t.Errorf("under the new key alone a build gets %q", got)
	}
	if list, err := w.ListVariables(ctx, in("team_bob"), "bobs"); err != nil || list[0].Value != "bob" {
		t.Errorf("the other team has %v, %v", list, err)
	}
}

// heard is a log handler that tells of each message.
type heard struct {
	slog.Handler
	messages chan string
}

func (h heard) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	h.messages <- text
	return nil
}

func (h heard) Enabled(context.Context, slog.Level) bool { return true }

func TestRun_SealsVariablesAnewAtItsStart(t *testing.T) {
	messages := make(chan string, 10)
	w := open(t, func(w *world) { w.config.Log = slog.New(heard{slog.DiscardHandler, messages}) })
	w.project("site")
	w.set("A", "hunter2", true)
	w.rekey(seal.NewRing(w.newKey("key2"), w.key))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.Run(ctx) })
	if got := <-messages; got != "variables were sealed anew under the current key count=2" {
		t.Errorf("it says %q", got)
	}
	cancel()
	running.Wait()
}

func TestJob_WhoseVariableDoesNotOpenEndsAndSaysWhich(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	w.set("GOOD", "good", false)
	w.set("KEY", "hunter2", true, hosting.TargetProduction)
	w.rekey(seal.NewRing(w.newKey("key2")))
	w.set("GOOD", "good", false)
	if n, err := w.ResealVariables(ctx); n != 0 || err != nil {
		t.Errorf("%d values that do not open were sealed anew, %v", n, err)
	}
	d := w.push(p)
	w.admit()
	_, err := w.job(d).Job(ctx)
	w.refused(err, hosting.CodeConflict)
	d = w.is(d, hosting.StatusFail)
	for _, text := range []string{err.Error(), d.Reason} {
		if !strings.Contains(text, "KEY") || !strings.Contains(text, "set the variable again") || strings.Contains(text, "hunter2") {
			t.Errorf("it says %q", text)
		}
	}
	if got := w.jobOf(hosting.TargetPreview); len(got) != 1 { // the other target does not need it
		t.Errorf("preview gets %q", got)
	}
	w.set("KEY", "hunter3", true)
	if got := w.jobOf(hosting.TargetProduction); !slices.Equal(got, []string{"GOOD=good false", "KEY=hunter3 true"}) {
		t.Errorf("set again, a build gets %q", got)
	}
}

func TestVariables_MovedToAnotherPlaceDoNotOpen(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.project("site")
	w.set("A", "secret", true)
	rows := w.db.Team(ann.Team.ID).Variables
	w.ok(w.db.Update(ctx, func(tx state.Tx) error { // as who can write to the store but has no key
		all, err := rows.List(tx, "", "", 1)
		w.ok(err)
		all[0].Name, all[0].Secret = "B", false
		return rows.Put(tx, &all[0])
	}))
	list, err := w.ListVariables(ctx, ann, "site")
	w.ok(err)
	if got := brief(list); !slices.Contains(got, `B preview "" false`) {
		t.Errorf("listed: %q", got)
	}
}
