package account

import (
	"cmp"
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

var (
	errSetup = hosting.Errorf(hosting.CodeSetup, "nobody owns this Fairway yet").
			WithHint("open the link that it prints when it starts")
	errClosed = hosting.Errorf(hosting.CodeForbidden, "sign-up is closed").WithHint("ask an owner of a team to invite you")
	errTaken  = hosting.Errorf(hosting.CodeConflict, "there already is an account with this address")
)

// Claimed reports whether the installation has an owner: once true, it stays so.
func (s *Service) Claimed(ctx context.Context) (bool, error) {
	if s.claimed.Load() {
		return true, nil
	}
	claimed := false
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		claimed, err = s.hasOwner(tx)
		return err
	})
	if err == nil && claimed {
		s.claimed.Store(true)
	}
	return claimed, err
}

// hasOwner reports whether there is anybody: the first person is the owner, and the last
// operator cannot leave.
func (s *Service) hasOwner(tx state.Tx) (bool, error) {
	list, err := s.sys.Users.List(tx, "", "", 1)
	return len(list) > 0, err
}

// OwnerLink makes the link with which the first person becomes the owner; one that was made
// before no longer works. It is CodeConflict once there is an owner.
func (s *Service) OwnerLink(ctx context.Context) (out Link, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		claimed, err := s.hasOwner(tx)
		if err != nil || claimed {
			return cmp.Or(err, error(hosting.Errorf(hosting.CodeConflict, "this Fairway already has an owner").
				WithHint("ask them for an invitation")))
		}
		if err := s.dropLinks(tx, state.LinkOwner, "", 0); err != nil {
			return err
		}
		secret, l, err := s.newLink(tx, state.Link{Kind: state.LinkOwner})
		out = Link{URL: s.cfg.URL("/signup?link=" + secret), ExpiresAt: l.ExpiresAt}
		return err
	})
	if err != nil {
		return Link{}, err
	}
	return out, nil
}

// admission is by what somebody may make an account.
type admission struct {
	owner      bool // they are the first
	invitation *state.Invitation
}

// admit says whether an account with this address may be made, and by what. It only reads, so
// that it can be asked before a password is hashed, and again in the transaction.
func (s *Service) admit(tx state.Tx, email, link string) (a admission, err error) {
	claimed, err := s.hasOwner(tx)
	if err != nil {
		return a, err
	}
	if !claimed {
		_, err := s.findLink(tx, state.LinkOwner, link)
		if hosting.Is(err, hosting.CodeNotFound) {
			err = errSetup
		}
		return admission{owner: true}, err
	}
	if link != "" {
		a.invitation, err = s.findInvitation(tx, email, link)
	} else if s.cfg.Signup != SignupOpen {
		err = errClosed
	}
	if err != nil {
		return a, err
	}
	_, taken, err := s.sys.Users.FindBy(tx, "email", state.K(email))
	switch {
	case err != nil || !taken:
		return a, err
	case a.invitation != nil:
		return a, errTaken.WithHint("sign in and accept the invitation")
	}
	return a, errTaken.WithHint("sign in, or ask for a new password")
}

// findInvitation returns the invitation of a link that can still be accepted by the address.
func (s *Service) findInvitation(tx state.Tx, email, link string) (*state.Invitation, error) {
	inv, ok, err := s.sys.Invitations.Find(tx, state.K(seal.Hash(link)))
	switch {
	case err != nil:
		return nil, err
	case !ok || !s.now().Before(inv.ExpiresAt):
		return nil, errLink
	case inv.Email != email:
		return nil, hosting.Errorf(hosting.CodeForbidden, "the invitation is for another address").
			WithHint("sign up with the address that it was sent to")
	}
	_, ok, err = s.sys.Teams.Find(tx, state.K(string(inv.Team)))
	if err == nil && !ok {
		err = errLink
	}
	return &inv, err
}

// spend uses up what somebody was admitted by.
func (s *Service) spend(tx state.Tx, a admission) error {
	if a.owner {
		return s.dropLinks(tx, state.LinkOwner, "", 0)
	}
	if a.invitation != nil {
		return s.sys.Invitations.Delete(tx, state.K(a.invitation.Hash))
	}
	return nil
}
