package account

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// errQuiet rolls a transaction back without telling anybody.
var errQuiet = errors.New("account: nothing to do")

// Forgot mails a link for a new password, if the address has an account. It answers the same
// whether or not, and writes either way, so that neither the answer nor its time tells. Three
// times an hour for an address; more do nothing. Without mail it does nothing.
func (s *Service) Forgot(ctx context.Context, email string, _ From) error {
	email = hosting.NormalEmail(email)
	if err := hosting.CheckEmail(email); err != nil {
		return err
	}
	if !s.cfg.Mail.Enabled() {
		return nil
	}
	err := s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		_, wait, err := s.take(tx, resetTries, email)
		if err != nil {
			return err
		}
		if wait > 0 {
			return errQuiet
		}
		u, ok, err := s.sys.Users.FindBy(tx, "email", state.K(email))
		if err != nil || !ok || u.Suspended {
			return err
		}
		secret, l, err := s.resetLink(tx, &u)
		if err != nil {
			return err
		}
		return s.mailReset(tx, &u, s.cfg.URL("/reset?link="+secret), l.ExpiresAt)
	})
	if errors.Is(err, errQuiet) {
		return nil
	}
	return err
}

// ResetLink makes a link for a new password that the operator hands over.
func (s *Service) ResetLink(ctx context.Context, c hosting.Caller, id hosting.UserID) (out Link, err error) {
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.sys.Users.Get(tx, state.K(string(id)))
		if err != nil {
			return err
		}
		secret, l, err := s.resetLink(tx, &u)
		if err != nil {
			return err
		}
		out = Link{URL: s.cfg.URL("/reset?link=" + secret), ExpiresAt: l.ExpiresAt}
		return s.cfg.DB.Team(u.Team).Note(tx, c, s.now(), hosting.AuditEntry{Action: "user.reset_link", Target: string(u.ID)})
	})
	if err != nil {
		return Link{}, err
	}
	return out, nil
}

// Reset sets a new password by such a link, and ends all sessions. Only a link that works is
// worth a hash, and a password that is refused leaves it as it was.
func (s *Service) Reset(ctx context.Context, link, password string, from From) error {
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		l, err := s.findLink(tx, state.LinkReset, link)
		if err != nil {
			return err
		}
		u, err := s.linkUser(tx, l)
		if err != nil {
			return err
		}
		return checkPassword(password, u.Email, u.Name)
	})
	if err != nil {
		return err
	}
	hash, err := s.gate.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		l, err := s.useLink(tx, state.LinkReset, link)
		if err != nil {
			return err
		}
		u, err := s.linkUser(tx, l)
		if err != nil {
			return err
		}
		u.Confirmed = true // the link came by mail, or from the operator who vouches for it
		if err := s.setPassword(tx, &u, hash); err != nil {
			return err
		}
		// Who was locked out by a stranger's tries gets in now.
		if err := s.sys.Tries.Delete(tx, state.K(loginTries.account(u.Email))); err != nil {
			return err
		}
		return s.noteOwn(tx, &u, from, hosting.AuditEntry{Action: "user.reset", Target: string(u.ID)})
	})
}

// setPassword stores a new hash, and ends all sessions and links that came before it.
func (s *Service) setPassword(tx state.Tx, u *state.User, hash string) error {
	u.Password = hash
	u.Entered++
	if _, err := s.endSessions(tx, u.ID); err != nil {
		return err
	}
	if err := s.dropLinks(tx, state.LinkReset, u.ID, 0); err != nil {
		return err
	}
	return s.sys.Users.Put(tx, u)
}

// Confirm notes that an address is its user's, by the link that was mailed to it.
func (s *Service) Confirm(ctx context.Context, link string) error {
	return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		l, err := s.useLink(tx, state.LinkConfirm, link)
		if err != nil {
			return err
		}
		u, err := s.linkUser(tx, l)
		if err != nil {
			return err
		}
		u.Confirmed = true
		if err := s.sys.Users.Put(tx, &u); err != nil {
			return err
		}
		return s.noteOwn(tx, &u, From{}, hosting.AuditEntry{Action: "user.confirm", Target: string(u.ID)})
	})
}
