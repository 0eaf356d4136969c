package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) members() *cobra.Command {
	cmd := a.command(spec{
		use:   "members",
		short: "List, invite and remove a team's members",
		example: `
fairway members                           of your team, and who is invited
fairway members invite bo@example.com --role developer
fairway members role bo@example.com owner
fairway members remove bo@example.com     or withdraw the invitation
fairway members link inv_3f...            an invitation's link, for the operator`,
		long: `A viewer looks, a developer deploys and changes projects, an owner does everything. A
person is named by address or id.`,
		run: func(ctx context.Context, s *session, _ []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error { return s.listMembers(ctx, c, team) })
		},
	})
	cmd.AddCommand(a.invite(), a.role(), a.removeMember(), a.invitationLink())
	return cmd
}

// memberList is what --json prints of a team's members.
type memberList struct {
	Items       []hosting.Member     `json:"items"`
	Invitations []hosting.Invitation `json:"invitations"`
}

func collectMembers(ctx context.Context, c *client.Client, team string) (memberList, error) {
	members, err := all(func(p client.Page) (client.List[hosting.Member], error) { return c.ListMembers(ctx, team, p) })
	if err != nil {
		return memberList{}, err
	}
	invited, err := all(func(p client.Page) (client.List[hosting.Invitation], error) { return c.ListInvitations(ctx, team, p) })
	if hosting.Is(err, hosting.CodeForbidden) {
		err = nil // only owners see whom they invited
	}
	return memberList{members.Items, invited.Items}, err
}

func (s *session) listMembers(ctx context.Context, c *client.Client, team string) error {
	l, err := collectMembers(ctx, c, team)
	if err != nil {
		return err
	}
	if s.json {
		return s.document(l)
	}
	t := &table{heads: []string{"MEMBER", "NAME", "ROLE", "SINCE", "ID"}, flexible: 1, optional: []int{3}}
	now := s.env.Now()
	for _, m := range l.Items {
		t.row(cell{text: plain(m.Email)}, cell{text: plain(m.Name)}, cell{text: string(m.Role)}, cell{text: ago(m.JoinedAt, now)}, cell{text: string(m.User)})
	}
	for _, i := range l.Invitations {
		until := cell{"invited, ends " + ahead(i.ExpiresAt, now), s.outStyle.muted}
		t.row(cell{text: plain(i.Email)}, cell{}, cell{text: string(i.Role)}, until, cell{text: string(i.ID)})
	}
	return t.write(s.out, s.outStyle, s.width())
}

func (a *app) invite() *cobra.Command {
	var role string
	return a.command(spec{
		use:   "invite EMAIL [--role ROLE]",
		short: "Ask somebody into the team",
		example: `
fairway members invite bo@example.com     as a developer
fairway members invite bo@example.com --role viewer --team shop`,
		long: `The link works once, for an hour, and for that address alone. It is mailed; without a
mail server the operator is told it, and hands it over.`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&role, "role", string(hosting.RoleDeveloper), "the `ROLE`: viewer, developer or owner")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error {
				i, err := c.Invite(ctx, team, args[0], hosting.Role(role))
				if err != nil {
					return err
				}
				return s.invited(i)
			})
		},
	})
}

func (s *session) invited(i hosting.Invitation) error {
	if s.json {
		return s.document(i)
	}
	s.say("Invited %s as %s. The link ends %s.", plain(i.Email), i.Role, ahead(i.ExpiresAt, s.env.Now()))
	if i.Link != "" {
		s.say("No mail is sent here. Hand the link over:")
		return s.result(plain(i.Link))
	}
	return nil
}

func (a *app) role() *cobra.Command {
	return a.command(spec{
		use:   "role EMAIL|ID ROLE",
		short: "Give a member another role",
		example: `
fairway members role bo@example.com viewer
fairway members role bo@example.com owner`,
		long: `It holds from their next request on. The last owner of a team keeps theirs.`,
		min:  2, max: 2,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error {
				l, err := collectMembers(ctx, c, team)
				if err != nil {
					return err
				}
				i := l.member(args[0])
				if i < 0 {
					return noMember(args[0])
				}
				m, err := c.SetRole(ctx, team, l.Items[i].User, hosting.Role(args[1]))
				if err != nil {
					return err
				}
				if s.json {
					return s.document(m)
				}
				s.say("%s is %s now, and was %s.", plain(m.Email), m.Role, l.Items[i].Role)
				return nil
			})
		},
	})
}

func noMember(arg string) error {
	return errorf(ExitNotFound, "%q is not in the team", plain(arg)).hint("fairway members lists who is")
}

// member and invitation return the index of whom an address or id names, -1 for nobody.
func (l memberList) member(arg string) int {
	return slices.IndexFunc(l.Items, func(m hosting.Member) bool {
		return string(m.User) == arg || strings.EqualFold(m.Email, arg)
	})
}

func (l memberList) invitation(arg string) int {
	return slices.IndexFunc(l.Invitations, func(i hosting.Invitation) bool {
		return string(i.ID) == arg || strings.EqualFold(i.Email, arg)
	})
}

func (a *app) removeMember() *cobra.Command {
	return a.command(spec{
		use:   "remove EMAIL|ID",
		short: "Take a member out of the team, or withdraw an invitation",
		example: `
fairway members remove bo@example.com
fairway members remove inv_3f...          an invitation by its id`,
		long: `Their tokens for the team end with it. The last owner of a team stays.`,
		min:  1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.inTeam(ctx, func(c *client.Client, team string) error { return s.removeMember(ctx, c, team, args[0]) })
		},
	})
}

func (s *session) removeMember(ctx context.Context, c *client.Client, team, who string) error {
	l, err := collectMembers(ctx, c, team)
	if err != nil {
		return err
	}
	var said, email, id string
	if i := l.member(who); i >= 0 {
		m := l.Items[i]
		said, email, id = "Took %s out of the team.", m.Email, string(m.User)
		err = c.RemoveMember(ctx, team, m.User)
	} else if i := l.invitation(who); i >= 0 {
		inv := l.Invitations[i]
		said, email, id = "Withdrew the invitation of %s.", inv.Email, string(inv.ID)
		err = c.WithdrawInvitation(ctx, team, inv.ID)
	} else {
		err = noMember(who)
	}
	if err != nil {
		return err
	}
	if s.json {
		return s.document(map[string]string{"removed": id, "email": email})
	}
	s.say(said, plain(email))
	return nil
}
