package account

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// errWrong is the one answer to logins that fail, whatever of them was wrong.
var errWrong = hosting.Errorf(hosting.CodeUnauthenticated, "the address or the password is wrong")

// LogIn begins a session. Unknown addresses and wrong passwords cannot be told apart: both are
// counted, cost one hash and get the same answer (CodeUnauthenticated). CodeLimited after ten
// failures within a minute, and while too many hashes wait.
func (s *Service) LogIn(ctx context.Context, email, password string, from From) (out SignedIn, err error) {
	p, err := s.prove(ctx, hosting.NormalEmail(email), password, from)
	if err != nil {
		return SignedIn{}, err
	}
	renewed := ""
	if p.stale {
		// Where the gate is full the old hash does for another time.
		renewed, _ = s.gate.hash(ctx, password)
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.proven(tx, p)
		if err != nil {
			return err
		}
		if renewed != "" {
			u.Password = renewed
			if err := s.sys.Users.Put(tx, &u); err != nil {
				return err
			}
		}
		if err := s.noteOwn(tx, &u, from, hosting.AuditEntry{Action: "user.login", Target: string(u.ID)}); err != nil {
			return err
		}
		out, err = s.begin(tx, &u, from)
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	s.used.note(s.now(), use{useUser, string(out.User.ID)})
	return out, nil
}

// proof is a password that was found right.
type proof struct {
	user  state.User
	try   try
	stale bool // its hash should be made anew
}

// prove compares a password with that of an address's account, as a counted try. It answers
// errWrong where there is no account, or none with a password, too.
func (s *Service) prove(ctx context.Context, email, password string, from From) (p proof, err error) {
	leave, err := s.gate.enter(ctx)
	if err != nil {
		return proof{}, err
	}
	defer leave()
	if p.try, err = s.tryLogin(ctx, email, from); err != nil {
		return proof{}, err
	}
	found := false
	err = s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		p.user, found, err = s.sys.Users.FindBy(tx, "email", state.K(email))
		return err
	})
	if err != nil {
		return proof{}, err
	}
	ok, stale, err := s.gate.verify(p.user.Password, password)
	if err != nil {
		return proof{}, err
	}
	if !found || !ok {
		return proof{}, errWrong
	}
	p.stale = stale
	return p, nil
}

// proven takes the try back in the transaction of what the password was for, and returns the
// person as they are there. A password that was changed meanwhile proves nothing.
func (s *Service) proven(tx state.Tx, p proof) (state.User, error) {
	u, ok, err := s.sys.Users.Find(tx, state.K(string(p.user.ID)))
	switch {
	case err != nil:
		return u, err
	case !ok || u.Password != p.user.Password || u.Entered != p.user.Entered:
		return u, errWrong
	case u.Suspended:
		return u, errSuspended
	}
	return u, s.takeBack(tx, p.try)
}
