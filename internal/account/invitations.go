package account

import (
	"context"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// maxInvitations is how many invitations of a team can be open.
const maxInvitations = 100

const inviteText = `You are invited into a team on Fairway.

Accept here. The link works once, within an hour:

%s

If you do not know what this is, do nothing.
`

// Invite asks an address into the team, by mail where there is one. An earlier invitation of
// the address is replaced. Invitation.Link is told to the operator alone: whoever has the link
// can make the account of that address.
func (s *Service) Invite(ctx context.Context, c hosting.Caller, email string, role hosting.Role) (out hosting.Invitation, err error) {
	email = hosting.NormalEmail(email)
	if err := hosting.CheckEmail(email); err != nil {
		return hosting.Invitation{}, err
	}
	if !role.Valid() {
		return hosting.Invitation{}, errRole
	}
	now, secret := s.now(), seal.NewToken()
	inv := state.Invitation{Hash: seal.Hash(secret), Invitation: hosting.Invitation{
		ID: hosting.NewInvitationID(), Team: c.Team.ID, Email: email, Role: role, InvitedBy: c.Name, CreatedAt: now, ExpiresAt: now.Add(linkLife),
	}}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		if err := s.makeRoom(tx, c.Team.ID, email); err != nil {
			return err
		}
		if err := s.sys.Invitations.Insert(tx, &inv); err != nil {
			return err
		}
		if err := s.mailInvitation(tx, email, secret, inv.ExpiresAt); err != nil {
			return err
		}
		return s.noteIn(tx, c.Team.ID, c, hosting.AuditEntry{Action: "member.invite", Target: email, Detail: "as " + string(role)})
	})
	if err != nil {
		return hosting.Invitation{}, fmt.Errorf("invite: %w", err)
	}
	out = inv.Invitation
	if c.Operator && c.Via != hosting.ViaToken {
		out.Link = s.joinURL(secret)
	}
	return out, nil
}

func (s *Service) joinURL(secret string) string { return s.cfg.URL("/join?link=" + secret) }

func (s *Service) mailInvitation(tx state.Tx, email, secret string, until time.Time) error {
	if !s.cfg.Mail.Enabled() {
		return nil
	}
	return s.cfg.Mail.Queue(tx, hosting.Mail{
		To: email, Subject: "An invitation to Fairway", Text: fmt.Sprintf(inviteText, s.joinURL(secret)), Until: until,
	})
}

// makeRoom removes an earlier invitation of the address, and refuses members and too many.
func (s *Service) makeRoom(tx state.Tx, team hosting.TeamID, email string) error {
	if u, ok, err := s.sys.Users.FindBy(tx, "email", state.K(email)); err != nil {
		return err
	} else if ok {
		if _, is, err := s.sys.Members.Find(tx, state.K(string(team), string(u.ID))); err != nil || is {
			return firstOf(err, hosting.Errorf(hosting.CodeConflict, "%s is a member already", email))
		}
	}
	members, err := s.sys.Members.List(tx, state.K(string(team), ""), "", maxMembers)
	if err != nil {
		return err
	}
	open, _, err := s.sys.Invitations.ListBy(tx, "team", state.K(string(team), ""), "", maxInvitations)
	if err != nil {
		return err
	}
	for i := range open {
		if open[i].Email == email {
			return s.sys.Invitations.Delete(tx, state.K(open[i].Hash))
		}
	}
	switch {
	case len(members) >= maxMembers:
		return hosting.Errorf(hosting.CodeQuota, "the team has %d members, which is the limit", maxMembers)
	case len(open) >= maxInvitations:
		return hosting.Errorf(hosting.CodeQuota, "the team has %d invitations open, which is the limit", maxInvitations).WithHint("withdraw some, or wait until they are over")
	}
	return nil
}

func firstOf(err error, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// ListInvitations lists the team's invitations that can still be accepted, newest first.
func (s *Service) ListInvitations(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.Invitation], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		rows, err := s.sys.Invitations.Page(tx, "team", state.K(string(c.Team.ID), ""), p)
		list = state.List[hosting.Invitation]{Items: []hosting.Invitation{}, Next: rows.Next}
		for i := range rows.Items {
			if s.now().Before(rows.Items[i].ExpiresAt) {
				list.Items = append(list.Items, rows.Items[i].Invitation)
			}
		}
		return err
	})
	return list, err
}

var errNoInvitation = hosting.Errorf(hosting.CodeNotFound, "there is no such invitation")

// WithdrawInvitation makes an invitation's link worthless.
func (s *Service) WithdrawInvitation(ctx context.Context, c hosting.Caller, id hosting.InvitationID) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		inv, ok, err := s.sys.Invitations.FindBy(tx, "id", state.K(string(id)))
		if err != nil || !ok || inv.Team != c.Team.ID {
			return firstOf(err, errNoInvitation)
		}
		if err := s.sys.Invitations.Delete(tx, state.K(inv.Hash)); err != nil {
			return err
		}
		return s.noteIn(tx, inv.Team, c, hosting.AuditEntry{Action: "member.uninvite", Target: inv.Email})
	})
}

// InvitationLink makes another link for an invitation, for the operator to hand over; the one
// before works no more.
func (s *Service) InvitationLink(ctx context.Context, c hosting.Caller, id hosting.InvitationID) (out Link, err error) {
	secret := seal.NewToken()
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		inv, ok, err := s.sys.Invitations.FindBy(tx, "id", state.K(string(id)))
		if err != nil || !ok || !s.now().Before(inv.ExpiresAt) {
			return firstOf(err, errNoInvitation)
		}
		if err := s.sys.Invitations.Delete(tx, state.K(inv.Hash)); err != nil {
			return err
		}
		inv.Hash, inv.ExpiresAt = seal.Hash(secret), s.now().Add(linkLife)
		out = Link{URL: s.joinURL(secret), ExpiresAt: inv.ExpiresAt}
		if err := s.sys.Invitations.Insert(tx, &inv); err != nil {
			return err
		}
		return s.noteIn(tx, inv.Team, c, hosting.AuditEntry{Action: "member.invite", Target: inv.Email, Detail: "another link"})
	})
	return out, err
}

// Accept takes the caller, whose address it must be for, into the invitation's team.
func (s *Service) Accept(ctx context.Context, c hosting.Caller, link string) (out hosting.TeamOf, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
		if err != nil {
			return err
		}
		inv, err := s.findInvitation(tx, u.Email, link)
		if err != nil {
			return err
		}
		if err := s.sys.Invitations.Delete(tx, state.K(inv.Hash)); err != nil {
			return err
		}
		m := hosting.Membership{Team: inv.Team, User: u.ID, Role: inv.Role, JoinedAt: s.now()}
		if err := s.sys.Members.Insert(tx, &m); hosting.Is(err, hosting.CodeConflict) {
			return hosting.Errorf(hosting.CodeConflict, "you are a member of the team already")
		} else if err != nil {
			return err
		}
		if out.Team, err = s.sys.Teams.Get(tx, state.K(string(inv.Team))); err != nil {
			return err
		}
		out.Role = inv.Role
		return s.noteIn(tx, inv.Team, c, hosting.AuditEntry{Action: "member.join", Target: string(u.ID), Detail: u.Email + " as " + string(inv.Role)})
	})
	return out, err
}
