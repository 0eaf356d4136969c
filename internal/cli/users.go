package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) ownerLink() *cobra.Command {
	return a.command(spec{
		use:   "owner-link",
		short: "Print the link that makes its user the owner",
		example: `
fairway owner-link                        on the machine that Fairway runs on`,
		long: `Until it was used, the network gets nothing of this Fairway but its sites. The link works
once; each one that is made ends the one before. Once there is an owner there is none.`,
		run: func(ctx context.Context, s *session, _ []string) error {
			return s.printLink(func(c *client.Client) (client.Link, error) { return c.OwnerLink(ctx) })
		},
	})
}

// printLink prints a link that is to be handed over, alone on standard output.
func (s *session) printLink(make func(c *client.Client) (client.Link, error)) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := make(c)
	if err != nil {
		return err
	}
	if s.json {
		return s.document(l)
	}
	s.say("It works once, and ends %s:", ahead(l.ExpiresAt, s.env.Now()))
	return s.result(plain(l.URL))
}

func (a *app) invitationLink() *cobra.Command {
	return a.command(spec{
		use:     "link ID",
		short:   "Print an invitation's link, for the operator to hand over",
		example: "fairway members link inv_3f...            fairway members lists the ids",
		long:    `The link that was sent before no longer works.`,
		min:     1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.printLink(func(c *client.Client) (client.Link, error) {
				return c.InvitationLink(ctx, hosting.InvitationID(args[0]))
			})
		},
	})
}

func (a *app) users() *cobra.Command {
	cmd := a.command(spec{
		use:   "users",
		short: "List, suspend and help people, for the operator",
		example: `
fairway users
fairway users suspend bo@example.com      their sessions end, their tokens rest
fairway users resume bo@example.com
fairway users reset bo@example.com        a link for a new password`,
		run: func(ctx context.Context, s *session, _ []string) error { return s.listUsers(ctx) },
	})
	cmd.AddCommand(a.suspendUser(true), a.suspendUser(false), a.resetUser())
	return cmd
}

func (s *session) listUsers(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	l, err := all(func(p client.Page) (client.List[hosting.User], error) { return c.ListUsers(ctx, p) })
	if err != nil {
		return err
	}
	if s.json {
		return s.document(l)
	}
	if len(l.Items) == 0 {
		s.say("Nobody has an account yet. The first person comes by the link of fairway owner-link")
		return nil
	}
	t := &table{heads: []string{"PERSON", "NAME", "STATE", "SEEN", "SINCE", "ID"}, flexible: 1, optional: []int{4}}
	now := s.env.Now()
	for _, u := range l.Items {
		t.row(cell{text: plain(u.Email)}, cell{text: plain(u.Name)}, s.userState(u), cell{text: ago(u.LastSeenAt, now)}, cell{text: ago(u.CreatedAt, now)}, cell{text: string(u.ID)})
	}
	return t.write(s.out, s.outStyle, s.width())
}

func (s *session) userState(u hosting.User) cell {
	switch {
	case u.Suspended:
		return cell{"suspended", s.outStyle.red}
	case u.Operator:
		return cell{"operator", s.outStyle.green}
	case !u.Confirmed:
		return cell{"not confirmed", s.outStyle.muted}
	}
	return cell{}
}

// findUser accepts an id and an address.
func findUser(ctx context.Context, c *client.Client, arg string) (hosting.User, error) {
	var found hosting.User
	err := every(func(p client.Page) (client.List[hosting.User], error) { return c.ListUsers(ctx, p) }, func(u hosting.User) bool {
		if string(u.ID) == arg || strings.EqualFold(u.Email, arg) {
			found = u
		}
		return found.ID == ""
	})
	if err == nil && found.ID == "" {
		err = errorf(ExitNotFound, "nobody is known as %q", plain(arg)).hint("fairway users lists everybody")
	}
	return found, err
}

func (a *app) suspendUser(suspend bool) *cobra.Command {
	sp := spec{
		use: "suspend EMAIL|ID", short: "Suspend a person", example: "fairway users suspend bo@example.com",
		long: `Their sessions end and their tokens rest. The sites of their teams stay up: those are
paused with fairway suspend.`,
	}
	if !suspend {
		sp = spec{use: "resume EMAIL|ID", short: "Let a suspended person in again", example: "fairway users resume bo@example.com"}
	}
	sp.min, sp.max = 1, 1
	sp.run = func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		u, err := findUser(ctx, c, args[0])
		if err != nil {
			return err
		}
		if u, err = c.SuspendUser(ctx, u.ID, suspend); err != nil {
			return err
		}
		if s.json {
			return s.document(u)
		}
		if suspend {
			s.say("Suspended %s. To undo: fairway users resume %s", plain(u.Email), plain(u.Email))
		} else {
			s.say("%s is let in again.", plain(u.Email))
		}
		return nil
	}
	return a.command(sp)
}

func (a *app) resetUser() *cobra.Command {
	return a.command(spec{
		use:     "reset EMAIL|ID",
		short:   "Print a link for a person's new password",
		example: "fairway users reset bo@example.com",
		long:    `Hand it over yourself. Whoever opens it sets the password, which ends all sessions.`,
		min:     1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			return s.printLink(func(c *client.Client) (client.Link, error) {
				u, err := findUser(ctx, c, args[0])
				if err != nil {
					return client.Link{}, err
				}
				return c.ResetLink(ctx, u.ID)
			})
		},
	})
}
