package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) tokens() *cobra.Command {
	cmd := a.command(spec{
		use:   "tokens",
		short: "List, make and end API tokens",
		example: `
fairway tokens                            of your team
fairway tokens create ci --scope deploy --project shop
fairway tokens revoke tok_7d...`,
		long: `A token does no more than its maker may at that moment. Owners see all tokens of the
team, others their own. Tokens cannot make or end tokens: a person does, in the browser,
or the operator on the machine itself.`,
		run: func(ctx context.Context, s *session, _ []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error { return s.listTokens(ctx, c, team) })
		},
	})
	cmd.AddCommand(a.createToken(), a.revokeToken())
	return cmd
}

func (s *session) listTokens(ctx context.Context, c *client.Client, team string) error {
	l, err := all(func(p client.Page) (client.List[hosting.Token], error) { return c.ListTokens(ctx, team, p) })
	if err != nil {
		return err
	}
	if s.json {
		return s.document(l)
	}
	if len(l.Items) == 0 {
		s.say("No tokens yet. To make one: fairway tokens create NAME")
		return nil
	}
	t := &table{heads: []string{"NAME", "SCOPE", "PROJECT", "USED", "ENDS", "TOKEN"}, flexible: 0, optional: []int{2}}
	now := s.env.Now()
	for _, k := range l.Items {
		used, ends := cell{text: ago(k.LastUsedAt, now)}, cell{text: ahead(k.ExpiresAt, now)}
		if k.LastUsedAt.IsZero() {
			used = cell{"never", s.outStyle.muted}
		}
		if !k.ExpiresAt.After(now) {
			ends = cell{"ended", s.outStyle.red}
		}
		t.row(cell{text: plain(k.Name)}, cell{text: string(k.Scope)}, cell{text: string(k.Project)}, used, ends, cell{text: string(k.ID)})
	}
	return t.write(s.out, s.outStyle, s.width())
}

func (a *app) createToken() *cobra.Command {
	var in hosting.NewToken
	var scope string
	return a.command(spec{
		use:   "create NAME [--scope SCOPE] [--project PROJECT] [--days N]",
		short: "Make an API token, and print it this once",
		example: `
fairway tokens create ci                  deploys, for 90 days
fairway tokens create ci --scope deploy --project shop --days 30
token=$(fairway tokens create ci)         the token is all that goes to stdout`,
		long: `With scope read it looks at everything that is no secret; with deploy it deploys, cancels
and promotes, too; with admin it does whatever its maker may.`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&scope, "scope", string(hosting.ScopeDeploy), "the `SCOPE`: read, deploy or admin")
			f.StringVar(&in.Project, "project", "", "for one `PROJECT` alone")
			f.IntVar(&in.Days, "days", 0, "it ends after `N` days: 1 to 366, by default 90")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			in.Name, in.Scope = args[0], hosting.Scope(scope)
			return s.inTeam(ctx, func(c *client.Client, team string) error {
				t, err := c.CreateToken(ctx, team, in)
				if err != nil {
					return err
				}
				if s.json {
					return s.document(t)
				}
				s.say("Made token %s (%s), scope %s. It ends %s, and is shown this once:", plain(t.Name), t.ID, t.Scope, ahead(t.ExpiresAt, s.env.Now()))
				return s.result(t.Secret)
			})
		},
	})
}

func (a *app) revokeToken() *cobra.Command {
	return a.command(spec{
		use:     "revoke ID",
		short:   "End an API token",
		example: "fairway tokens revoke tok_7d...",
		long:    `It is refused from its next request on.`,
		min:     1, max: 1, mute: true,
		run: func(ctx context.Context, s *session, args []string) error {
			id := hosting.TokenID(args[0])
			if !hosting.ValidID(args[0]) || !strings.HasPrefix(args[0], "tok_") {
				// Not repeated: it may be the token itself.
				return errorf(ExitUsage, "that is not a token's id").hint("fairway tokens lists them")
			}
			return s.inTeam(ctx, func(c *client.Client, team string) error {
				if err := c.RevokeToken(ctx, team, id); err != nil {
					return err
				}
				if s.json {
					return s.document(map[string]hosting.TokenID{"revoked": id})
				}
				s.say("Ended token %s.", id)
				return nil
			})
		},
	})
}
