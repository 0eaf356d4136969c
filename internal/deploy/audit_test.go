package deploy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// dump is all that is stored, as one text for each row.
func (w *world) dump() (rows []string) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx state.Tx) error {
		pairs, err := tx.Scan(nil, nil, 1_000_000)
		for _, p := range pairs {
			rows = append(rows, fmt.Sprintf("%q=%q", p.Key, p.Value))
		}
		return err
	}))
	return rows
}

func (w *world) audit(team hosting.TeamID) (lines []string) {
	w.t.Helper()
	w.ok(w.db.View(w.t.Context(), func(tx state.Tx) error {
		rows, err := w.db.Team(team).Audit.List(tx, "", "", 1000)
		for _, e := range slices.Backward(rows) {
			lines = append(lines, fmt.Sprintf("%s %s: %s", e.Name, e.Action, e.Detail))
			if e.ID == "" || e.At.IsZero() || e.Via == "" || e.Target == "" {
				w.t.Errorf("the entry is %+v", e)
			}
		}
		return err
	}))
	return lines
}

// journey makes every change that is audited, in an order in which all of them succeed. step
// is called with each, and makes it.
func (w *world) journey(step func(action string, do func() error)) {
	ctx := w.t.Context()
	w.teams(hosting.DefaultTeam)
	var p hosting.Project
	var first, second hosting.Deployment
	deploys := func() (d hosting.Deployment, err error) {
		d, _, err = w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site"})
		return d, err
	}
	for _, s := range []struct {
		action string
		do     func() error
	}{
		{"project.create", func() (err error) {
			p, err = w.CreateProject(ctx, ann, hosting.NewProject{Name: "site", GitURL: "https://git.test/site"})
			return err
		}},
		{"project.update", func() error {
			name, cmd := "Site", "make"
			_, err := w.UpdateProject(ctx, ann, "site", hosting.ProjectUpdate{Name: &name, BuildCommand: &cmd})
			return err
		}},
		{"variable.set", func() error {
			_, err := w.SetVariable(ctx, ann, "site", "KEY", deploy.SetVariable{Value: "hunter2", Secret: true})
			return err
		}},
		{"variable.delete", func() error { return w.DeleteVariable(ctx, ann, "site", "KEY", hosting.TargetPreview) }},
		{"deployment.create", func() (err error) { first, err = deploys(); return err }},
		{"deployment.redeploy", func() (err error) { second, err = w.Redeploy(ctx, ann, first.ID); return err }},
		{"deployment.cancel", func() error { _, err := w.Cancel(ctx, ann, second.ID); return err }},
		{"", func() error { w.admit(); w.build(first, "first"); return nil }},
		{"", func() error { second = w.ship(p, "second"); return nil }},
		{"deployment.promote", func() error { _, err := w.Promote(ctx, ann, first.ID); return err }},
		{"project.suspend", func() error { _, err := w.SuspendProject(ctx, root, p.ID, true); return err }},
		{"project.resume", func() error { _, err := w.SuspendProject(ctx, root, p.ID, false); return err }},
		{"team.suspend", func() error { _, err := w.SuspendTeam(ctx, root, ann.Team.ID, true); return err }},
		{"team.resume", func() error { _, err := w.SuspendTeam(ctx, root, ann.Team.ID, false); return err }},
		{"team.quotas", func() error { _, err := w.SetQuotas(ctx, root, ann.Team.ID, hosting.Quotas{Projects: 7}); return err }},
		{"project.delete", func() error { _, err := w.DeleteProject(ctx, ann, "site"); return err }},
	} {
		step(s.action, s.do)
	}
}

func TestAudit_SaysWhoDidWhat(t *testing.T) {
	w := open(t)
	w.journey(func(_ string, do func() error) { w.ok(do()) })
	want := []string{
		"ann project.create: site",
		"ann project.update: site: name, buildCommand",
		"ann variable.set: site: KEY for preview and production",
		"ann variable.delete: site: KEY for preview",
		"ann deployment.create: site: number 1, git for production",
		"ann deployment.redeploy: site: number 2, git for production",
		"ann deployment.cancel: site: number 2, git for production",
		"ann deployment.create: site: number 3, git for production", // that it went live by itself is not noted
		"ann deployment.promote: site: number 1, git for production",
		"operator project.suspend: site", "operator project.resume: site",
		"operator team.suspend: default", "operator team.resume: default",
		"operator team.quotas: projects 7, builds 0, bytes 0, files 0",
		"ann project.delete: site",
	}
	got := w.audit(ann.Team.ID)
	slices.Sort(want) // entries of one moment have no order among them, and this clock stands still
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the audit log is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if own := w.audit(root.Team.ID); len(own) != 0 {
		t.Errorf("the operator's own team has %q", own)
	}
}

func TestAudit_NotesNothingWhereNothingChanges(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.teams(hosting.DefaultTeam)
	d := w.ship(w.project("site"), "x")
	before := w.dump()
	same := "https://git.test/site"
	_, err := w.UpdateProject(ctx, ann, "site", hosting.ProjectUpdate{GitURL: &same})
	w.ok(err)
	_, err = w.Promote(ctx, ann, d.ID)
	w.ok(err)
	_, err = w.SuspendProject(ctx, root, d.Project, false)
	w.ok(err)
	_, err = w.SuspendTeam(ctx, root, ann.Team.ID, false)
	w.ok(err)
	_, err = w.SetQuotas(ctx, root, ann.Team.ID, hosting.Quotas{})
	w.ok(err)
	if after := w.dump(); !slices.Equal(before, after) {
		t.Error("repeating what is so already changed the store")
	}
}

func TestAuditFailClosed(t *testing.T) {
	w := open(t)
	w.journey(func(action string, do func() error) {
		if action != "" {
			before := w.dump()
			w.mute.Store(true)
			err := do()
			w.mute.Store(false)
			if !errors.Is(err, errMute) || !slices.Equal(before, w.dump()) {
				t.Errorf("%s: without a note it answers %v, and the store changed: %v", action, err, !slices.Equal(before, w.dump()))
			}
			w.ok(do())
			if slices.Equal(before, w.dump()) {
				t.Errorf("%s: with a note it changes nothing either", action)
			}
			return
		}
		w.ok(do())
	})
}
