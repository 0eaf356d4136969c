package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
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

func TestBuilds_AreOffWhereTheInstallationBuildsNothing(t *testing.T) {
	w := open(t)
	p := w.project("site")
	waiting := w.push(p)
	w.config.NoBuilds = true
	w.restart()
	w.admit()
	if d := w.is(waiting, hosting.StatusFail); d.Code != hosting.FailNoBuilds || !strings.Contains(d.Reason, "fairway deploy DIR") {
		t.Errorf("it failed with %s: %s", d.Code, d.Reason)
	}
	_, _, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site"})
	w.refused(err, hosting.CodeForbidden)
	d, up, err := w.Deploy(t.Context(), ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	a, err := w.Attempt(t.Context(), d.ID, up.Token)
	w.ok(err)
	_, err = publish(t.Context(), a, map[string]string{"index.html": "files"})
	w.ok(err)
	if len(w.runner.started) != 0 {
		t.Error("a job was started")
	}
}

func TestQueue_AdmitsNothingMoreAtTheMomentASecondPersonComes(t *testing.T) {
	w := open(t, func(w *world) { w.builds = 2 })
	w.people("ann")
	p := w.project("site")
	first, second := w.push(p), w.push(p)
	w.runner.onStart = func(runner.Spec) { w.people("bob") }
	w.admit()
	w.is(first, hosting.StatusInProgress)
	w.is(second, hosting.StatusQueued)
	w.admit()
	w.is(second, hosting.StatusFail)
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
