package account

import (
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	linkLife  = time.Hour
	maxResets = 3 // links for a new password that one person can have at once
)

// errLink is the one answer to links that were used, are over, or never were.
var errLink = hosting.Errorf(hosting.CodeNotFound, "the link does not work any more").
	WithHint("a link works once, for an hour: ask for another")

// newLink stores a link and returns its secret, which is known to nobody else. It lives for an
// hour unless l.ExpiresAt says otherwise.
func (s *Service) newLink(tx state.Tx, l state.Link) (secret string, stored state.Link, err error) {
	secret = seal.NewToken()
	l.Hash = seal.Hash(secret)
	if l.ExpiresAt.IsZero() {
		l.ExpiresAt = s.now().Add(linkLife)
	}
	return secret, l, s.sys.Links.Insert(tx, &l)
}

// findLink returns the link of a secret that can still be used for the kind, else errLink.
func (s *Service) findLink(tx state.Tx, kind state.LinkKind, secret string) (state.Link, error) {
	l, ok, err := s.sys.Links.Find(tx, state.K(seal.Hash(secret)))
	if err == nil && (!ok || l.Kind != kind || !s.now().Before(l.ExpiresAt)) {
		err = errLink
	}
	return l, err
}

// useLink finds a link and deletes it: of any number of transactions one gets it.
func (s *Service) useLink(tx state.Tx, kind state.LinkKind, secret string) (state.Link, error) {
	l, err := s.findLink(tx, kind, secret)
	if err != nil {
		return l, err
	}
	return l, s.sys.Links.Delete(tx, state.K(l.Hash))
}

// linkUser returns whom a link is for. A link from before the credential changed is over.
func (s *Service) linkUser(tx state.Tx, l state.Link) (state.User, error) {
	u, ok, err := s.sys.Users.Find(tx, state.K(string(l.User)))
	if err == nil && (!ok || u.Entered != l.Entered) {
		err = errLink
	}
	return u, err
}

// dropLinks deletes the oldest links of a kind and person until at most keep are left.
func (s *Service) dropLinks(tx state.Tx, kind state.LinkKind, user hosting.UserID, keep int) error {
	for {
		list, _, err := s.sys.Links.ListBy(tx, "kind", state.K(string(kind), string(user)), "", 100)
		if err != nil || len(list) <= keep {
			return err
		}
		oldest := list[0]
		for _, l := range list[1:] {
			if l.ExpiresAt.Before(oldest.ExpiresAt) {
				oldest = l
			}
		}
		if err := s.sys.Links.Delete(tx, state.K(oldest.Hash)); err != nil {
			return err
		}
	}
}

// resetLink makes a link for a new password of u.
func (s *Service) resetLink(tx state.Tx, u *state.User) (secret string, l state.Link, err error) {
	if err := s.dropLinks(tx, state.LinkReset, u.ID, maxResets-1); err != nil {
		return "", state.Link{}, err
	}
	return s.newLink(tx, state.Link{Kind: state.LinkReset, User: u.ID, Email: u.Email, Entered: u.Entered})
}
