package cli

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) usage() *cobra.Command {
	return a.command(spec{
		use:   "usage",
		short: "Show what the team uses, against what it may",
		example: `
fairway usage                             of your team
fairway usage --team shop`,
		run: func(ctx context.Context, s *session, _ []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error {
				u, err := c.Usage(ctx, team)
				if err != nil {
					return err
				}
				if s.json {
					return s.document(u)
				}
				return s.usageTable(u)
			})
		},
	})
}

func (s *session) usageTable(u hosting.Usage) error {
	t := &table{heads: []string{"", "USED", "OF"}}
	row := func(what, used, of string, over bool) {
		c := cell{text: used}
		if over {
			c.colour = s.outStyle.red
		}
		t.row(cell{text: what}, c, cell{text: of})
	}
	q := u.Quotas
	row("projects", digits(u.Projects), digits(q.Projects), q.Projects > 0 && u.Projects >= q.Projects)
	row("builds at once", digits(u.Builds), digits(q.Builds), q.Builds > 0 && u.Builds >= q.Builds)
	row("stored", size(u.Bytes), size(q.Bytes), q.Bytes > 0 && u.Bytes >= q.Bytes)
	row("files of a site", "", digits(q.Files), false)
	if err := t.write(s.out, s.outStyle, s.width()); err != nil {
		return err
	}
	if !u.Measured.IsZero() {
		s.say("What is stored was counted %s, and is never more than this.", ago(u.Measured, s.env.Now()))
	}
	return nil
}

func (a *app) audit() *cobra.Command {
	var everyOne bool
	return a.command(spec{
		use:   "audit [--all]",
		short: "List who did what in the team",
		example: `
fairway audit                             the newest 20
fairway audit --all --team shop
fairway audit --all --json | jq '.items[] | select(.action == "project.delete")'`,
		long:  `It is for the team's owners.`,
		flags: func(f *pflag.FlagSet) { f.BoolVar(&everyOne, "all", false, "list every one") },
		run: func(ctx context.Context, s *session, _ []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error {
				l, err := some(func(p client.Page) (client.List[hosting.AuditEntry], error) { return c.ListAudit(ctx, team, p) }, everyOne)
				if err != nil {
					return err
				}
				if s.json {
					return s.document(l)
				}
				return s.auditTable(l)
			})
		},
	})
}

func (s *session) auditTable(l client.List[hosting.AuditEntry]) error {
	if len(l.Items) == 0 {
		s.say("Nothing was done in this team yet.")
		return nil
	}
	t := &table{heads: []string{"WHEN", "WHO", "BY", "FROM", "ACTION", "TARGET", "DETAIL"}, flexible: 6, optional: []int{3, 2}}
	for _, e := range l.Items {
		t.row(
			cell{text: ago(e.At, s.env.Now())}, cell{text: shorten(plain(e.Name), 24)}, cell{text: string(e.Via)}, cell{text: plain(e.Addr)},
			cell{text: plain(e.Action)}, cell{text: plain(e.Target)}, cell{text: shorten(plain(e.Detail), 60)},
		)
	}
	if err := t.write(s.out, s.outStyle, s.width()); err != nil {
		return err
	}
	if l.Next != "" {
		s.say("There are more: fairway audit --all")
	}
	return nil
}
