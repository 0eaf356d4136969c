package account

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const maxInvitations = 100 // open ones of one team

var errInvitation = hosting.Errorf(hosting.CodeNotFound, "there is no such invitation")

// inviteText holds the team's slug alone, and no text that somebody could choose to say
// something else to a stranger with.
const inviteText = `You are invited to the team %s on Fairway, as a member with the role %s.

Accept here. The link works once, within an hour, and for this address alone:

%s

If you do not know the team, do nothing.
`

// Invite asks an address into the team, by mail where there is one. What was sent to the
// address before no longer works. The link is only told to the operator: at the machine itself
// always, else where no mail is sent. Where it is told to nobody, InvitationLink tells it.
// CodeConflict if the address is a member's, CodeQuota above 100 open invitations.
func (s *Service) Invite(ctx context.Context, c hosting.Caller, email string, role hosting.Role) (out hosting.Invitation, err error) {
	email = hosting.NormalEmail(email)
	if err := hosting.CheckEmail(email); err != nil {
		return out, err
	}
	if err := checkRole(role); err != nil {
		return out, err
	}
	inv := state.Invitation{Invitation: hosting.Invitation{
		ID: hosting.NewInvitationID(), Team: c.Team.ID, Email: email, Role: role, InvitedBy: c.Name, CreatedAt: s.now(),
	}}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		if err := s.makeRoom(tx, c.Team.ID, email); err != nil {
			return err
		}
		link, err := s.renew(tx, &inv)
		if err != nil {
			return err
		}
		out = inv.Invitation
		if s.tellsLink(c) {
			out.Link = link
		}
		if err := s.mailInvitation(tx, &inv, link); err != nil {
			return err
		}
		return s.note(tx, c, inv.Team, hosting.AuditEntry{
			Action: "member.invite", Target: string(inv.ID), Detail: email + " as " + string(role),
		})
	})
	if err != nil {
		return hosting.Invitation{}, err
	}
	return out, nil
}

// makeRoom refuses an invitation of a member or one too many, and removes what the address was
// sent before and what is over.
func (s *Service) makeRoom(tx state.Tx, team hosting.TeamID, email string) error {
	u, known, err := s.sys.Users.FindBy(tx, "email", state.K(email))
	if err != nil {
		return err
	}
	if known {
		_, in, err := s.sys.Members.Find(tx, state.K(string(team), string(u.ID)))
		if err != nil {
			return err
		}
		if in {
			return hosting.Errorf(hosting.CodeConflict, "%s is a member of the team already", email)
		}
	}
	// Those that are over leave within minutes, so this is all of them.
	list, _, err := s.sys.Invitations.ListBy(tx, "team", state.K(string(team), ""), "", sweepMost)
	if err != nil {
		return err
	}
	open := 0
	for _, i := range list {
		if i.Email != email && s.opens(&i) {
			open++
			continue
		}
		if err := s.sys.Invitations.Delete(tx, state.K(i.Hash)); err != nil {
			return err
		}
	}
	if open >= maxInvitations {
		return hosting.Errorf(hosting.CodeQuota, "the team has %d open invitations, and no team may have more", open).
			WithHint("withdraw some, or wait: they are over within an hour")
	}
	return nil
}

// opens reports whether an invitation can still be accepted.
func (s *Service) opens(i *state.Invitation) bool { return s.now().Before(i.ExpiresAt) }

// renew stores an invitation under a fresh secret, which lives for an hour, and returns its
// link. What it was stored under before no longer works.
func (s *Service) renew(tx state.Tx, inv *state.Invitation) (link string, err error) {
	if _, err := s.sys.Teams.Get(tx, state.K(string(inv.Team))); err != nil {
		return "", err
	}
	if inv.Hash != "" {
		if err := s.sys.Invitations.Delete(tx, state.K(inv.Hash)); err != nil {
			return "", err
		}
	}
	secret := seal.NewToken()
	inv.Hash, inv.ExpiresAt = seal.Hash(secret), s.now().Add(linkLife)
	return s.cfg.URL("/join?link=" + secret), s.sys.Invitations.Insert(tx, inv)
}

func (s *Service) mails() bool { return s.cfg.Mail != nil && s.cfg.Mail.Enabled() }

func (s *Service) tellsLink(c hosting.Caller) bool {
	return c.Operator && (c.Via == hosting.ViaSocket || c.Via == hosting.ViaFile || !s.mails())
}

func (s *Service) mailInvitation(tx state.Tx, inv *state.Invitation, link string) error {
	if !s.mails() {
		return nil
	}
	t, err := s.sys.Teams.Get(tx, state.K(string(inv.Team)))
	if err != nil {
		return err
	}
	return s.cfg.Mail.Queue(tx, hosting.Mail{
		To: inv.Email, Subject: "An invitation to a team on Fairway",
		Text: fmt.Sprintf(inviteText, t.Slug, inv.Role, link), Until: inv.ExpiresAt,
	})
}

// ListInvitations lists the team's invitations that can still be accepted, newest first. A part
// of the list may hold fewer than were asked for though others follow.
func (s *Service) ListInvitations(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Invitation], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Invitations.Page(tx, "team", state.K(string(c.Team.ID), ""), p)
		if err != nil {
			return err
		}
		list = state.List[hosting.Invitation]{Items: []hosting.Invitation{}, Next: rows.Next}
		for _, i := range rows.Items {
			if s.opens(&i) {
				list.Items = append(list.Items, i.Invitation)
			}
		}
		return nil
	})
	return list, err
}

// WithdrawInvitation makes an invitation's link worthless.
func (s *Service) WithdrawInvitation(ctx context.Context, c hosting.Caller, id hosting.InvitationID) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		inv, err := s.invitation(tx, id)
		if err == nil && inv.Team != c.Team.ID {
			err = errInvitation
		}
		if err != nil {
			return err
		}
		if err := s.sys.Invitations.Delete(tx, state.K(inv.Hash)); err != nil {
			return err
		}
		return s.note(tx, c, inv.Team, hosting.AuditEntry{Action: "member.withdraw", Target: string(id), Detail: inv.Email})
	})
}

// InvitationLink makes another link for an invitation of any team, which lives for an hour, for
// the operator to hand over. The link before it no longer works.
func (s *Service) InvitationLink(ctx context.Context, c hosting.Caller, id hosting.InvitationID) (out Link, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		inv, err := s.invitation(tx, id)
		if err != nil {
			return err
		}
		if out.URL, err = s.renew(tx, &inv); err != nil {
			return err
		}
		out.ExpiresAt = inv.ExpiresAt
		return s.note(tx, c, inv.Team, hosting.AuditEntry{Action: "member.link", Target: string(id), Detail: inv.Email})
	})
	if err != nil {
		return Link{}, err
	}
	return out, nil
}

// invitation returns one, of whatever team, that can still be accepted.
func (s *Service) invitation(tx state.Tx, id hosting.InvitationID) (state.Invitation, error) {
	inv, ok, err := s.sys.Invitations.FindBy(tx, "id", state.K(string(id)))
	if err == nil && (!ok || !s.opens(&inv)) {
		err = errInvitation
	}
	return inv, err
}

// Accept takes the caller, whose address it must be for, into the invitation's team. The link
// is used up in the same transaction. CodeNotFound if it does not work, CodeForbidden if it is
// for another address, CodeConflict for members, CodeQuota above 200 members.
func (s *Service) Accept(ctx context.Context, c hosting.Caller, link string) (out hosting.TeamOf, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		inv, ok, err := s.sys.Invitations.Find(tx, state.K(seal.Hash(link)))
		if err != nil {
			return err
		}
		if !ok || !s.opens(&inv) {
			return errLink
		}
		u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
		if err != nil {
			return err
		}
		if u.Email != inv.Email {
			return hosting.Errorf(hosting.CodeForbidden, "the invitation is for another address").
				WithHint("sign in with the account of the address that it was sent to")
		}
		t, err := s.sys.Teams.Get(tx, state.K(string(inv.Team)))
		if err != nil {
			return err
		}
		if t.Suspended {
			return hosting.Errorf(hosting.CodeForbidden, "the team is suspended").WithHint("ask the operator of this Fairway")
		}
		if err := s.sys.Invitations.Delete(tx, state.K(inv.Hash)); err != nil {
			return err
		}
		out = hosting.TeamOf{Team: t, Role: inv.Role}
		return s.takeIn(tx, c, &u, &inv)
	})
	if err != nil {
		return hosting.TeamOf{}, err
	}
	return out, nil
}
