package controlapi

import (
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// homeView is what the home page shows of a person and one of their teams.
type homeView struct {
	Name, Email      string
	Teams            []homeTeam
	Projects         []homeProject
	More             bool // there are more projects than are shown
	Control, Pattern string
}

type homeTeam struct {
	Name, Slug, Role string
	Here             bool
}

type homeProject struct{ Name, URL, State string }

// homeProjects is how many projects the home page shows.
const homeProjects = 50

// homePage shows who is signed in and their projects, and to everybody else the way in.
func (a *API) homePage(v *visit) (*page, error) {
	if !v.signedIn() {
		return &page{
			Title: "Fairway", Lead: []string{"Sites are built, hosted and served here."},
			Links: []anchor{{"/signin", "Sign in"}, {"/api/docs", "The API"}},
		}, nil
	}
	c, err := a.visitor(v.r, v.r.URL.Query().Get("team"))
	if err != nil {
		return nil, err
	}
	id, err := a.cfg.Account.Identity(v.r.Context(), c)
	if err != nil {
		return nil, err
	}
	home := &homeView{Name: id.Name, Control: a.controlURL(""), Pattern: a.cfg.SitePattern}
	if id.User != nil {
		home.Email = id.User.Email
	}
	for _, t := range id.Teams {
		home.Teams = append(home.Teams, homeTeam{Name: t.Name, Slug: t.Slug, Role: string(t.Role), Here: t.ID == c.Team.ID})
	}
	return &page{Title: c.Team.Name, Home: home}, a.listHome(v, c, home)
}

func (a *API) listHome(v *visit, c hosting.Caller, home *homeView) error {
	if err := c.May(hosting.PermitRead); err != nil {
		return err
	}
	l, err := a.cfg.Deploy.ListProjects(v.r.Context(), c, state.Page{Limit: homeProjects})
	for _, p := range l.Items {
		state := "none yet"
		if p.LatestDeployment != nil {
			state = string(p.LatestDeployment.Status)
		}
		home.Projects = append(home.Projects, homeProject{Name: p.Name, URL: p.URL, State: state})
	}
	home.More = l.Next != ""
	return err
}
