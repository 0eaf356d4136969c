package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// site tells in which state the routing table has a host.
func (w *world) site(host string) hosting.SiteState {
	r, ok := w.table.Lookup(host)
	if !ok {
		return ""
	}
	return r.Site.State
}

func TestSuspend_PausesWhatEitherOfThemPaused(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.teams(hosting.DefaultTeam, "team_bob")
	p, other := w.project("site"), w.project("other")
	live := w.ship(p, "x")
	w.ship(other, "y")
	far := w.projectOf(in("team_bob"), "bobs")
	bobs, _, err := w.Deploy(ctx, in("team_bob"), hosting.NewDeployment{Project: "bobs"})
	w.ok(err)
	w.admit()
	_, err = publish(ctx, w.job(bobs), map[string]string{"x": "bob"})
	w.ok(err)
	project := func(suspended bool) func() error {
		return func() error {
			got, err := w.SuspendProject(ctx, root, p.ID, suspended)
			if err == nil && (got.Suspended != suspended || got.URL == "" || got.LatestDeployment == nil) {
				t.Errorf("it answers %+v", got)
			}
			return err
		}
	}
	team := func(suspended bool) func() error {
		return func() error {
			got, err := w.SuspendTeam(ctx, root, ann.Team.ID, suspended)
			if err == nil && (got.Suspended != suspended || got.Slug != "default") {
				t.Errorf("it answers %+v", got)
			}
			return err
		}
	}
	const on, off = hosting.SiteActive, hosting.SiteSuspended
	for _, s := range []struct {
		name        string
		do          func() error
		site, other hosting.SiteState
	}{
		{"suspend the project", project(true), off, on},
		{"again", project(true), off, on},
		{"suspend the team", team(true), off, off},
		{"again", team(true), off, off},
		{"resume the team", team(false), off, on},
		{"suspend the team once more", team(true), off, off},
		{"resume the project", project(false), off, off},
		{"resume the team at last", team(false), on, on},
	} {
		w.ok(s.do())
		for host, want := range map[string]hosting.SiteState{ // at the moment of the answer
			"site.localhost": s.site, live.Label + "--site.localhost": s.site, "other.localhost": s.other, "bobs.localhost": on,
		} {
			if got := w.site(host); got != want {
				t.Errorf("%s: %s is %q, want %q", s.name, host, got, want)
			}
		}
	}
	if w.shows("site.localhost") != live.ID {
		t.Error("the site does not show what it showed before")
	}
	got, err := w.SuspendProject(ctx, root, far.ID, true) // of any team
	w.ok(err)
	if got.Team != "team_bob" || !got.Suspended {
		t.Errorf("it answers %+v", got)
	}
	for _, id := range []hosting.ProjectID{hosting.NewProjectID(), "../x", ""} {
		_, err = w.SuspendProject(ctx, root, id, true)
		w.refused(err, hosting.CodeNotFound)
	}
	_, err = w.SuspendTeam(ctx, root, "team_nobody", true)
	w.refused(err, hosting.CodeNotFound)
}

func TestSuspend_EndsBuildsAndUploads(t *testing.T) {
	for name, suspend := range map[string]func(w *world, p hosting.Project) error{
		"the project": func(w *world, p hosting.Project) error {
			_, err := w.SuspendProject(t.Context(), root, p.ID, true)
			return err
		},
		"the team": func(w *world, p hosting.Project) error {
			_, err := w.SuspendTeam(t.Context(), root, p.Team, true)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, func(w *world) { w.builds = 1 })
			ctx := t.Context()
			w.teams(hosting.DefaultTeam)
			p, q := w.project("site"), w.projectOf(in("team_bob"), "bobs")
			building, waiting := w.push(p), w.push(p)
			upload, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
			w.ok(err)
			w.admit()
			a := w.job(building)
			_, err = a.AppendLog(ctx, batch(1, "line"))
			w.ok(err)
			bobs, _, err := w.Deploy(ctx, in("team_bob"), hosting.NewDeployment{Project: string(q.ID)})
			w.ok(err)
			w.ok(suspend(w, p))
			for _, d := range []hosting.Deployment{building, waiting, upload} {
				if d = w.is(d, hosting.StatusCanceled); !strings.HasSuffix(d.Reason, name[len("the "):]+" was suspended") {
					t.Errorf("the reason is %q", d.Reason)
				}
			}
			if text := w.logText(building); !slices.Equal(text, []string{"line", "Canceled: " + name + " was suspended."}) {
				t.Errorf("the log is %q", text)
			}
			allRefuse(t, w, a, hosting.CodeGone)
			w.ok(w.StopEnded(ctx))
			w.admit()
			if got := w.runner.running(); !slices.Equal(got, []string{string(bobs.ID) + "-1"}) {
				t.Errorf("running: %v", got)
			}
			if n := w.Remembered(); n != 0 {
				t.Errorf("%d ended deployments are still in memory", n)
			}
		})
	}
}

func TestSuspendedProject_CanBeLookedAtAndNotChanged(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	p := w.project("site")
	d := w.ship(p, "x")
	up, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
	w.ok(err)
	_, err = w.SetVariable(ctx, ann, "site", "A", deploy.SetVariable{})
	w.ok(err)
	_, err = w.SuspendProject(ctx, root, p.ID, true)
	w.ok(err)
	name := "New"
	for what, call := range map[string]func() error{
		"deploy": func() error {
			_, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site"})
			return err
		},
		"deploy files": func() error {
			_, _, err := w.Deploy(ctx, ann, hosting.NewDeployment{Project: "site", Source: hosting.SourceFiles})
			return err
		},
		"redeploy": func() error { _, err := w.Redeploy(ctx, ann, d.ID); return err },
		"promote":  func() error { _, err := w.Promote(ctx, ann, d.ID); return err },
		"update": func() error {
			_, err := w.UpdateProject(ctx, ann, "site", hosting.ProjectUpdate{Name: &name})
			return err
		},
		"set":    func() error { _, err := w.SetVariable(ctx, ann, "site", "A", deploy.SetVariable{}); return err },
		"unset":  func() error { return w.DeleteVariable(ctx, ann, "site", "A", "") },
		"delete": func() error { _, err := w.DeleteProject(ctx, ann, "site"); return err },
	} {
		t.Run(what, func(t *testing.T) {
			err := call()
			w.refused(err, hosting.CodeForbidden)
			if !strings.Contains(err.Error(), "the project is suspended") {
				t.Errorf("it says %q", err)
			}
		})
	}
	_, err = w.Cancel(ctx, ann, up.ID)
	w.refused(err, hosting.CodeConflict) // it is canceled already
	got, err := w.FindProject(ctx, ann, "site")
	w.ok(err)
	if !got.Suspended || w.find(d).Status != hosting.StatusReady {
		t.Errorf("the project is %+v", got)
	}
	operator := ann
	operator.Operator = true
	w.deleted(ctx, operator, "site")
	if w.site("site.localhost") != "" && w.site("site.localhost") != hosting.SiteDeleted {
		t.Errorf("the site is %q", w.site("site.localhost"))
	}
}

func TestSuspendTeam_OfManySitesAndProjectsThatComeLater(t *testing.T) {
	w := open(t)
	w.teams(hosting.DefaultTeam)
	const many = 2100 // more than fit one change of routes
	w.ok(w.db.Update(t.Context(), func(tx state.Tx) error {
		for i := range many {
			p := hosting.Project{ID: hosting.NewProjectID(), Team: ann.Team.ID, Slug: fmt.Sprintf("site-%d", i)}
			if err := w.db.Team(ann.Team.ID).Projects.Insert(tx, &p); err != nil {
				return err
			}
		}
		return nil
	}))
	_, err := w.SuspendTeam(t.Context(), root, ann.Team.ID, true)
	w.ok(err)
	w.project("late") // the door refuses this; if it were not for the door, the site is paused
	w.ok(w.db.View(t.Context(), w.allSitesAre(hosting.SiteSuspended, many+1)))
	_, err = w.SuspendTeam(t.Context(), root, ann.Team.ID, false)
	w.ok(err)
	w.ok(w.db.View(t.Context(), w.allSitesAre(hosting.SiteActive, many+1)))
}

func (w *world) allSitesAre(want hosting.SiteState, n int) func(state.Tx) error {
	return func(tx state.Tx) error {
		sites, err := w.db.System().Sites.List(tx, "", "", n+1)
		if len(sites) != n {
			w.t.Errorf("%d sites, want %d", len(sites), n)
		}
		for _, site := range sites {
			if site.State != want {
				w.t.Errorf("%s is %q, want %q", site.Name, site.State, want)
			}
		}
		return err
	}
}
