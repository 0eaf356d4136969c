package cli

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// listed is how many deployments are shown unless all are asked for.
const listed = 20

func (a *app) deployments() *cobra.Command {
	var everyOne bool
	return a.command(spec{
		use:   "deployments [PROJECT] [--all]",
		short: "List a project's deployments",
		example: `
fairway deployments shop                  the newest 20
fairway deployments                       of the project named like this folder`,
		long: `The one that visitors of the site see is marked live.`,
		max:  1,
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&everyOne, "all", false, "list every one")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			project := hosting.SiteNameFrom(filepath.Base(s.env.Dir))
			if len(args) > 0 {
				project = args[0]
			}
			return s.listDeployments(ctx, project, everyOne)
		},
	})
}

func (s *session) listDeployments(ctx context.Context, project string, everyOne bool) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	p, err := findProject(ctx, c, project)
	if err != nil {
		return err
	}
	shown, err := some(func(page client.Page) (client.List[hosting.Deployment], error) {
		return c.ListDeployments(ctx, string(p.ID), page)
	}, everyOne)
	if err != nil {
		return err
	}
	if s.json {
		return s.document(shown)
	}
	if len(shown.Items) == 0 {
		s.say("Project %s has no deployment yet. To make one: fairway deploy --project %s", p.Slug, p.Slug)
		return nil
	}
	if err := s.deploymentTable(shown.Items).write(s.out, s.outStyle, s.width()); err != nil {
		return err
	}
	if shown.Next != "" {
		s.say("There are more: fairway deployments %s --all", p.Slug)
	}
	return nil
}

func (s *session) deploymentTable(items []hosting.Deployment) *table {
	t := &table{
		heads:    []string{"STATUS", "TARGET", "COMMIT", "BRANCH", "BY", "CREATED", "TOOK", "DEPLOYMENT"},
		flexible: 2, optional: []int{4, 6, 3},
	}
	now := s.env.Now()
	for _, d := range items {
		t.row(
			s.statusCell(d), s.targetCell(d), cell{text: shorten(title(d), 48)}, cell{text: shorten(plain(d.Source.Ref), 24)},
			cell{text: shorten(plain(d.CreatedBy), 16)}, cell{text: ago(d.CreatedAt, now)}, cell{text: duration(d)},
			cell{text: string(d.ID)},
		)
	}
	return t
}

// targetCell marks the deployment that visitors see.
func (s *session) targetCell(d hosting.Deployment) cell {
	if d.Production {
		return cell{"live", s.outStyle.green}
	}
	return cell{text: string(d.Target)}
}
