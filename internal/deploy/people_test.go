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

// root is the operator, who acts in another team than those they operate on.
var root = hosting.Caller{Via: hosting.ViaSocket, Name: "operator", Operator: true, Role: hosting.RoleOwner, Team: hosting.Team{ID: "team_root"}}

// in is a caller of another team, or with another token.
func in(team hosting.TeamID) hosting.Caller {
	c := ann
	c.Team.ID, c.Name = team, "bob"
	return c
}

// people adds accounts, as package account would.
func (w *world) people(names ...string) {
	w.t.Helper()
	w.ok(w.db.Update(w.t.Context(), func(tx state.Tx) error {
		for _, name := range names {
			u := state.User{User: hosting.User{ID: hosting.UserID("usr_" + name), Email: name + "@x.test", Name: name}}
			if err := w.db.System().Users.Insert(tx, &u); err != nil {
				return err
			}
		}
		return nil
	}))
}

// teams adds teams, as package account would.
func (w *world) teams(ids ...hosting.TeamID) {
	w.t.Helper()
	w.ok(w.db.Update(w.t.Context(), func(tx state.Tx) error {
		for _, id := range ids {
			if err := w.db.System().Teams.Insert(tx, &hosting.Team{ID: id, Slug: string(id[len("team_"):]), Name: string(id)}); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (w *world) projectOf(c hosting.Caller, name string) hosting.Project {
	w.t.Helper()
	p, err := w.CreateProject(w.t.Context(), c, hosting.NewProject{Name: name, GitURL: "https://git.test/" + name})
	w.ok(err)
	return p
}

func TestBuilds_OfSeveralPeopleNeedASandboxOrTheOperatorsWord(t *testing.T) {
	ctx := t.Context()
	archive := hosting.NewDeployment{Project: "site", Source: hosting.SourceArchive}
	files := hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles}
	for name, c := range map[string]struct {
		people []string
		config deploy.Config
		refuse bool
	}{
		"nobody":                  {},
		"one person":              {people: []string{"ann"}},
		"two people":              {people: []string{"ann", "bob"}, refuse: true},
		"two, and the word given": {people: []string{"ann", "bob"}, config: deploy.Config{Unsandboxed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, func(w *world) { w.config = c.config })
			old := w.ship(w.project("site"), "x")
			w.people(c.people...)
			_, errGit := w.Redeploy(ctx, ann, old.ID)
			_, _, errArchive := w.Deploy(ctx, ann, archive)
			for _, err := range []error{errGit, errArchive} {
				if !c.refuse {
					w.ok(err)
					continue
				}
				w.refused(err, hosting.CodeForbidden)
				for _, part := range []string{"rights of Fairway itself", "FAIRWAY_UNSANDBOXED_BUILDS", "everybody who can deploy can read all"} {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q does not say %q", err, part)
					}
				}
			}
			d, up, err := w.Deploy(ctx, ann, files) // it needs no job, so it goes on
			w.ok(err)
			a, err := w.Attempt(ctx, d.ID, up.Token)
			w.ok(err)
			d, err = publish(ctx, a, map[string]string{"index.html": "files"})
			w.ok(err)
			_, err = w.Redeploy(ctx, ann, d.ID)
			w.ok(err)
		})
	}
}

func TestQueue_EndsWhatWaitsWhenASecondPersonComes(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 1 })
	w.people("ann")
	p := w.project("site")
	building, waiting, also := w.push(p), w.push(p), w.push(p)
	w.admit()
	w.people("bob")
	w.admit()
	for _, d := range []hosting.Deployment{waiting, also} {
		d = w.is(d, hosting.StatusFail)
		if d.Code != hosting.FailSandbox || !strings.Contains(d.Reason, "FAIRWAY_UNSANDBOXED_BUILDS") {
			t.Errorf("it failed with %s: %s", d.Code, d.Reason)
		}
		if text := w.logText(d); len(text) != 1 || text[0] != d.Reason {
			t.Errorf("its log is %q", text)
		}
	}
	w.build(w.is(building, hosting.StatusInProgress), "began before")
	w.admit()
	if n := len(w.runner.started); n != 1 {
		t.Errorf("%d jobs were started", n)
	}
}

func TestSources_AreAnywhereOnlyForAPersonAlone(t *testing.T) {
	ctx := t.Context()
	var asked []hosting.SourcePolicy
	allowed := []string{"https://git.intranet"}
	w := open(t, func(w *world) {
		w.config = deploy.Config{
			Unsandboxed: true, Policy: hosting.SourcePolicy{Open: true, AllowPrivate: allowed},
			CheckURL: func(p hosting.SourcePolicy, url string) error {
				if asked = append(asked, p); !p.Open && strings.HasPrefix(url, "http://") {
					return hosting.Errorf(hosting.CodeInvalid, "not public")
				}
				return nil
			},
		}
	})
	w.people("ann")
	local := hosting.NewDeployment{GitURL: "http://127.0.0.1/site"}
	d, _, err := w.Deploy(ctx, ann, local)
	w.ok(err)
	w.admit()
	job, err := w.job(d).Job(ctx)
	w.ok(err)
	if !job.Policy.Open || !slices.Equal(job.Policy.AllowPrivate, allowed) || !asked[0].Open {
		t.Errorf("alone: the job has %+v, the URL was checked with %+v", job.Policy, asked)
	}
	w.people("bob")
	_, _, err = w.Deploy(ctx, ann, local)
	w.refused(err, hosting.CodeInvalid)
	_, _, err = w.Deploy(ctx, ann, hosting.NewDeployment{GitURL: "https://git.test/site"})
	w.ok(err)
	job, err = w.job(d).Job(ctx)
	w.ok(err)
	if job.Policy.Open || !slices.Equal(job.Policy.AllowPrivate, allowed) {
		t.Errorf("with two people the job has %+v", job.Policy)
	}
}

func TestTokenOfOneProject_SeesAndMakesNoOther(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	mine, other := w.project("mine"), w.project("other")
	d := w.ship(other, "x")
	c := ann
	c.Via, c.Token, c.Scope, c.Project = hosting.ViaToken, "tok_a", hosting.ScopeAdmin, mine.ID
	list, err := w.ListProjects(ctx, c, page("", 0))
	w.ok(err)
	if len(list.Items) != 1 || list.Items[0].ID != mine.ID || list.Next != "" || list.Items[0].URL == "" {
		t.Errorf("it lists %+v", list)
	}
	_, err = w.ListProjects(ctx, c, page("", 101))
	w.refused(err, hosting.CodeInvalid)
	for name, call := range map[string]func() error{
		"find":     func() error { _, err := w.FindProject(ctx, c, "other"); return err },
		"cancel":   func() error { _, err := w.Cancel(ctx, c, d.ID); return err },
		"variable": func() error { _, err := w.SetVariable(ctx, c, "other", "A", deploy.SetVariable{}); return err },
		"list":     func() error { _, err := w.ListVariables(ctx, c, string(other.ID)); return err },
	} {
		t.Run(name, func(t *testing.T) { w.refused(call(), hosting.CodeNotFound) })
	}
	for name, call := range map[string]func() error{
		"create":           func() error { _, err := w.CreateProject(ctx, c, hosting.NewProject{Name: "third"}); return err },
		"deploy another's": func() error { _, _, err := w.Deploy(ctx, c, hosting.NewDeployment{GitURL: other.GitURL}); return err },
		"deploy unknown": func() error {
			_, _, err := w.Deploy(ctx, c, hosting.NewDeployment{GitURL: "https://git.test/x"})
			return err
		},
		"usage of the team": func() error { _, err := w.Usage(ctx, c); return err },
	} {
		t.Run(name, func(t *testing.T) { w.refused(call(), hosting.CodeForbidden) })
	}
	own, _, err := w.Deploy(ctx, c, hosting.NewDeployment{GitURL: mine.GitURL})
	w.ok(err)
	if own.Project != mine.ID {
		t.Errorf("its own repository was deployed to %s", own.Project)
	}
	w.deleted(ctx, ann, "mine")
	if list, err = w.ListProjects(ctx, c, page("", 0)); err != nil || len(list.Items) != 0 {
		t.Errorf("of a project that is gone it lists %+v, %v", list, err)
	}
}

func TestDeploy_ThatMakesAProjectNeedsWhatMakingOneNeeds(t *testing.T) {
	w := open(t)
	c := ann
	c.Via, c.Token, c.Scope = hosting.ViaToken, "tok_a", hosting.ScopeDeploy
	n := hosting.NewDeployment{GitURL: "https://git.test/new"}
	_, _, err := w.Deploy(t.Context(), c, n)
	w.refused(err, hosting.CodeForbidden)
	c.Scope = hosting.ScopeAdmin
	_, _, err = w.Deploy(t.Context(), c, n)
	w.ok(err)
	c.Scope = hosting.ScopeDeploy
	_, _, err = w.Deploy(t.Context(), c, n) // there is one now
	w.ok(err)
}

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
