package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) projects() *cobra.Command {
	cmd := a.command(spec{
		use:   "projects",
		short: "List, create and delete projects",
		example: `
fairway projects                          list them, the newest first
fairway projects create shop              make one; fairway deploy does so by itself
fairway projects create shop --git https://github.com/ann/shop.git
fairway projects delete shop --yes        end its site and its deployments`,
		run: func(ctx context.Context, s *session, _ []string) error { return s.listProjects(ctx) },
	})
	cmd.AddCommand(a.createProject(), a.deleteProject())
	return cmd
}

func (s *session) listProjects(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	found, err := all(func(p client.Page) (client.List[hosting.Project], error) { return c.ListProjects(ctx, p) })
	if err != nil {
		return err
	}
	if s.json {
		return s.document(found)
	}
	if len(found.Items) == 0 {
		s.say("No projects yet. To make one of the folder you are in: fairway deploy")
		return nil
	}
	return s.projectTable(found.Items).write(s.out, s.outStyle, s.width())
}

func (s *session) projectTable(projects []hosting.Project) *table {
	t := &table{heads: []string{"PROJECT", "LATEST", "DEPLOYED", "SOURCE", "URL"}, flexible: 3}
	now := s.env.Now()
	for _, p := range projects {
		latest, when := cell{"none yet", s.outStyle.muted}, ""
		if d := p.LatestDeployment; d != nil {
			latest, when = s.statusCell(*d), ago(d.CreatedAt, now)
		}
		t.row(cell{text: p.Slug}, latest, cell{text: when}, cell{text: plain(p.GitURL)}, cell{text: plain(p.URL)})
	}
	return t
}

func (s *session) statusCell(d hosting.Deployment) cell {
	return cell{statusWord(d), func(text string) string { return statusColour(s.outStyle, d.Status, text) }}
}

// width bounds tables on a terminal alone: a pipe gets every character.
func (s *session) width() int {
	if s.env.IsTerminal == nil || !s.env.IsTerminal(s.out) {
		return 0
	}
	return s.env.Width
}

func (a *app) createProject() *cobra.Command {
	var in hosting.NewProject
	return a.command(spec{
		use:   "create NAME [--slug SLUG] [--git URL]",
		short: "Make a project",
		example: `
fairway projects create "Ann's shop"      its site's name is made from it
fairway projects create shop --git https://github.com/ann/shop.git`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&in.Slug, "slug", "", "the `NAME` of its site, below the platform's domain")
			f.StringVar(&in.GitURL, "git", "", "the `URL` of its repository")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			in.Name = args[0]
			c, err := s.client()
			if err != nil {
				return err
			}
			p, err := c.CreateProject(ctx, in)
			if err != nil {
				return err
			}
			if s.json {
				return s.document(p)
			}
			s.say("Created project %s. To publish something: fairway deploy --project %s", p.Slug, p.Slug)
			return s.result(plain(p.URL))
		},
	})
}

func (a *app) deleteProject() *cobra.Command {
	var yes bool
	return a.command(spec{
		use:   "delete PROJECT [--yes]",
		short: "Delete a project, its site and its deployments",
		example: `
fairway projects delete shop              asks you to type its name
fairway projects delete shop --yes        does not: for scripts`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) { f.BoolVar(&yes, "yes", false, "do it; there is no way back") },
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			p, err := findProject(ctx, c, args[0])
			if err != nil {
				return err
			}
			if !yes {
				err := s.confirm(ctx, "end "+plain(p.URL)+" and every deployment of project "+p.Slug, "project", p.Slug)
				if err != nil {
					return err
				}
			}
			d, err := c.DeleteProject(ctx, string(p.ID))
			if err != nil {
				return err
			}
			return s.deleted(d, "Deleted project "+p.Slug+". "+plain(p.URL)+" shows nothing any more.")
		},
	})
}

// deleted says what a deletion took along, and what goes later.
func (s *session) deleted(d hosting.Deletion, what string) error {
	if s.json {
		return s.document(d)
	}
	s.say("%s", what)
	for _, gone := range d.Gone {
		s.say("  gone   %s", plain(gone))
	}
	for _, later := range d.Later {
		s.say("  later  %s", plain(later))
	}
	return nil
}
