package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) teams() *cobra.Command {
	var everyOne bool
	cmd := a.command(spec{
		use:   "teams [--all]",
		short: "List, create and delete teams",
		example: `
fairway teams                             those you are in
fairway teams --all                       of the whole installation, for its operator
fairway teams create "The shop"
fairway teams delete the-shop             once it has no projects
fairway deployments shop --team the-shop  act in a team; or set FAIRWAY_TEAM`,
		flags: func(f *pflag.FlagSet) { f.BoolVar(&everyOne, "all", false, "list every team, for the operator") },
		run: func(ctx context.Context, s *session, _ []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			if everyOne {
				return s.listAllTeams(ctx, c)
			}
			return s.listTeams(ctx, c)
		},
	})
	cmd.AddCommand(a.createTeam(), a.deleteTeam())
	return cmd
}

func (s *session) listTeams(ctx context.Context, c *client.Client) error {
	l, err := c.ListTeams(ctx)
	if err != nil {
		return err
	}
	if l.Items == nil {
		l.Items = []hosting.TeamOf{}
	}
	if s.json {
		return s.document(l)
	}
	if len(l.Items) == 0 {
		s.say("You are in no team. The operator sees all of them with fairway teams --all")
		return nil
	}
	t := &table{heads: []string{"TEAM", "NAME", "YOU ARE", "STATE", "CREATED", "ID"}, flexible: 1, optional: []int{4, 3}}
	for _, team := range l.Items {
		t.row(append([]cell{{text: team.Slug}, {text: plain(team.Name)}, {text: string(team.Role)}}, s.teamCells(team.Team)...)...)
	}
	return t.write(s.out, s.outStyle, s.width())
}

func (s *session) listAllTeams(ctx context.Context, c *client.Client) error {
	l, err := all(func(p client.Page) (client.List[hosting.Team], error) { return c.ListAllTeams(ctx, p) })
	if err != nil {
		return err
	}
	if s.json {
		return s.document(l)
	}
	if len(l.Items) == 0 {
		s.say("There are no teams yet. The first comes with the owner: fairway owner-link")
		return nil
	}
	t := &table{heads: []string{"TEAM", "NAME", "STATE", "CREATED", "ID"}, flexible: 1, optional: []int{3}}
	for _, team := range l.Items {
		t.row(append([]cell{{text: team.Slug}, {text: plain(team.Name)}}, s.teamCells(team)...)...)
	}
	return t.write(s.out, s.outStyle, s.width())
}

// teamCells are a team's state, age and id.
func (s *session) teamCells(t hosting.Team) []cell {
	state := cell{}
	switch {
	case t.Suspended:
		state = cell{"suspended", s.outStyle.red}
	case t.Personal:
		state = cell{"personal", s.outStyle.muted}
	}
	return []cell{state, {text: ago(t.CreatedAt, s.env.Now())}, {text: string(t.ID)}}
}

func (a *app) createTeam() *cobra.Command {
	var in client.NewTeam
	return a.command(spec{
		use:   "create NAME [--slug SLUG]",
		short: "Make a team, whose owner you are",
		example: `
fairway teams create "The shop"           its short name is made from it
fairway teams create "The shop" --slug shop`,
		long: `Only a person who is signed in with a browser makes teams: where a token is refused, make
it there.`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&in.Slug, "slug", "", "its short `NAME`, for addresses and commands")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			in.Name = args[0]
			c, err := s.client()
			if err != nil {
				return err
			}
			t, err := c.CreateTeam(ctx, in)
			if err != nil {
				return err
			}
			if s.json {
				return s.document(t)
			}
			s.say("Created team %s. To ask somebody in: fairway members invite EMAIL --team %s", t.Slug, t.Slug)
			return s.result(t.Slug)
		},
	})
}

func (a *app) deleteTeam() *cobra.Command {
	var yes bool
	return a.command(spec{
		use:   "delete TEAM [--yes]",
		short: "Delete a team that has no projects",
		example: `
fairway teams delete shop                 asks you to type its name
fairway teams delete shop --yes           does not: for scripts`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) { f.BoolVar(&yes, "yes", false, "do it; there is no way back") },
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			t, err := c.FindTeam(ctx, args[0])
			if hosting.Is(err, hosting.CodeNotFound) {
				return errorf(ExitNotFound, "there is no team %q", plain(args[0])).hint("fairway teams lists them")
			}
			if err != nil {
				return err
			}
			if !yes {
				if err := s.confirm(ctx, "end team "+t.Slug+" and its tokens", "team", t.Slug); err != nil {
					return err
				}
			}
			d, err := c.DeleteTeam(ctx, string(t.ID))
			if err != nil {
				return err
			}
			return s.deleted(d, "Deleted team "+t.Slug+".")
		},
	})
}
