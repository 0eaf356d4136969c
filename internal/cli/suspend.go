package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) suspend() *cobra.Command {
	return a.command(spec{
		use:   "suspend PROJECT | --team TEAM",
		short: "Pause the sites of a project or a team, for the operator",
		example: `
fairway suspend shop                      the site of one project, of any team
fairway suspend https://shop.example.com
fairway suspend --team bad-team           all sites of a team, which may then only look`,
		long: `Visitors read that the site is paused, within a second. Nothing is deleted.`,
		max:  1,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.setSuspended(ctx, args, true)
		},
	})
}

func (a *app) resume() *cobra.Command {
	return a.command(spec{
		use:   "resume PROJECT | --team TEAM",
		short: "Show the sites again that were paused, for the operator",
		example: `
fairway resume shop
fairway resume --team bad-team`,
		max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.setSuspended(ctx, args, false)
		},
	})
}

// setSuspended takes a team only where the flag names one: FAIRWAY_TEAM says where to look,
// and not what to end.
func (s *session) setSuspended(ctx context.Context, args []string, suspend bool) error {
	if len(args) == 0 && s.g.team == "" {
		return errorf(ExitUsage, "no project and no team is named").hint("give PROJECT, or --team TEAM for all of a team")
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return s.suspendTeam(ctx, c, suspend)
	}
	p, err := s.findAnywhere(ctx, c, args[0])
	if err != nil {
		return err
	}
	if p, err = c.SuspendProject(ctx, p.ID, suspend); err != nil {
		return err
	}
	if s.json {
		return s.document(p)
	}
	if suspend {
		s.say("%s answers that it is paused. To undo: fairway resume %s", plain(p.URL), p.ID)
	} else {
		s.say("%s shows project %s again.", plain(p.URL), p.Slug)
	}
	return nil
}

func (s *session) suspendTeam(ctx context.Context, c *client.Client, suspend bool) error {
	c = c.In("") // the flag names what is suspended, not where the operator acts
	t, err := findAnyTeam(ctx, c, s.g.team)
	if err != nil {
		return err
	}
	if t, err = c.SuspendTeam(ctx, t.ID, suspend); err != nil {
		return err
	}
	if s.json {
		return s.document(t)
	}
	if suspend {
		s.say("All sites of team %s answer that they are paused. To undo: fairway resume --team %s", t.Slug, t.Slug)
	} else {
		s.say("Team %s and its sites are back.", t.Slug)
	}
	return nil
}

// findAnywhere returns a project of the team that is named, or where none is of any: the
// operator knows a site by its address, and not whose it is.
func (s *session) findAnywhere(ctx context.Context, c *client.Client, arg string) (hosting.Project, error) {
	if strings.HasPrefix(arg, "prj_") && hosting.ValidID(arg) {
		return hosting.Project{ID: hosting.ProjectID(arg)}, nil
	}
	p, err := findProject(ctx, c, arg)
	if ExitCode(err) != ExitNotFound || s.teamName() != "" {
		return p, err
	}
	teams, err := all(func(page client.Page) (client.List[hosting.Team], error) { return c.ListAllTeams(ctx, page) })
	if err != nil {
		return p, err
	}
	for _, t := range teams.Items {
		p, err := findProject(ctx, c.In(string(t.ID)), arg)
		if ExitCode(err) != ExitNotFound {
			return p, err
		}
	}
	return p, errorf(ExitNotFound, "no team has a project %q", plain(arg))
}

// findAnyTeam accepts an id and a slug, of teams that the caller is not in, too.
func findAnyTeam(ctx context.Context, c *client.Client, arg string) (hosting.Team, error) {
	var found hosting.Team
	err := every(func(p client.Page) (client.List[hosting.Team], error) { return c.ListAllTeams(ctx, p) }, func(t hosting.Team) bool {
		if string(t.ID) == arg || t.Slug == arg {
			found = t
		}
		return found.ID == ""
	})
	if err == nil && found.ID == "" {
		err = errorf(ExitNotFound, "there is no team %q", plain(arg)).hint("fairway teams --all lists them")
	}
	return found, err
}
