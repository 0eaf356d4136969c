package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) access() *cobra.Command {
	var production, previews bool
	return a.command(spec{
		use:   "access PROJECT [public|password|team] [--production | --previews]",
		short: "Show or set who may see a project's site",
		example: `
fairway access shop                       who may see it now
fairway access shop team --previews       members of the team alone see its previews
fairway access shop password              asks for the password of the whole site
fairway access shop password <file        reads it from stdin
fairway access shop public`,
		long: `Without a flag it is for production and previews alike. Whoever was let in before has to
come in again. Others do not learn which pages there are.`,
		min: 1, max: 2,
		flags: func(set *pflag.FlagSet) {
			set.BoolVar(&production, "production", false, "only the production hosts")
			set.BoolVar(&previews, "previews", false, "only the hosts of branches, pull requests and deployments")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			if len(args) == 1 {
				return s.inProject(ctx, args[0], func(_ *client.Client, p hosting.Project) error { return s.showAccess(p) })
			}
			change, err := s.readAccess(ctx, args[1])
			if err != nil {
				return err
			}
			var u hosting.AccessUpdate
			if production || !previews {
				u.Production = &change
			}
			if previews || !production {
				u.Previews = &change
			}
			return s.inProject(ctx, args[0], func(c *client.Client, p hosting.Project) error {
				p, err := c.SetAccess(ctx, string(p.ID), u)
				if err != nil {
					return err
				}
				return s.showAccess(p)
			})
		},
	})
}

// readAccess reads what is to hold, and the password that comes with it.
func (s *session) readAccess(ctx context.Context, mode string) (c hosting.AccessChange, err error) {
	c.Mode = hosting.AccessMode(mode)
	if err := c.Check(); err != nil {
		return c, errorf(ExitUsage, "%q is no access", mode).hint("say public, password or team")
	}
	if c.Mode != hosting.AccessPassword {
		return c, nil
	}
	if c.Password, err = s.secret(ctx, "the site's password"); err != nil {
		return c, err
	}
	if c.Password == "" {
		return c, errorf(ExitUsage, "the password is empty")
	}
	if err := c.Check(); err != nil {
		return c, errorf(ExitUsage, "%v", err)
	}
	return c, nil
}

func (s *session) showAccess(p hosting.Project) error {
	if s.json {
		return s.document(p.Access)
	}
	a := hosting.ProjectAccess{Production: hosting.AccessPublic, Previews: hosting.AccessPublic}
	if p.Access != nil {
		a = *p.Access
	}
	t := &table{heads: []string{"HOSTS", "WHO MAY SEE THEM"}}
	t.row(cell{text: "production"}, cell{text: audience(a.Production)})
	t.row(cell{text: "previews"}, cell{text: audience(a.Previews)})
	return t.write(s.out, s.outStyle, s.width())
}

func audience(m hosting.AccessMode) string {
	switch m {
	case hosting.AccessPublic:
		return "everybody"
	case hosting.AccessPassword:
		return "who knows the password"
	case hosting.AccessTeam:
		return "members of the team"
	}
	return string(m)
}
