package account

import (
	"context"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// errPassword is what a person who is signed in is told: they are known, so CodeForbidden.
var errPassword = hosting.Errorf(hosting.CodeForbidden, "the password is wrong")

// UpdateUser changes the caller's name.
func (s *Service) UpdateUser(ctx context.Context, c hosting.Caller, name string) (out hosting.User, err error) {
	name = strings.TrimSpace(name)
	if err := hosting.CheckPersonName(name); err != nil {
		return out, err
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.sys.Users.Get(tx, state.K(string(c.User)))
		if err != nil {
			return err
		}
		u.Name = name
		out = s.seen(u)
		if err := s.sys.Users.Put(tx, &u); err != nil {
			return err
		}
		e := hosting.AuditEntry{Action: "user.update", Target: string(u.ID), Detail: "name"}
		return s.cfg.DB.Team(u.Team).Note(tx, c, s.now(), e)
	})
	return out, err
}

// ChangePassword sets another password, ends all sessions, and begins a new one. A wrong
// current one is CodeForbidden, and counted as a failed login.
func (s *Service) ChangePassword(ctx context.Context, c hosting.Caller, current, next string, from From) (out SignedIn, err error) {
	p, err := s.proveCaller(ctx, c, current, from)
	if err != nil {
		return SignedIn{}, err
	}
	err = checkPassword(next, p.user.Email, p.user.Name)
	if err == nil && next == current {
		err = hosting.Errorf(hosting.CodeInvalid, "the new password is the old one").WithHint("choose another")
	}
	hash := ""
	if err == nil {
		hash, err = s.gate.hash(ctx, next)
	}
	if err != nil {
		return SignedIn{}, s.release(ctx, p, err)
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		u, err := s.proven(tx, p)
		if err != nil {
			return err
		}
		if err := s.setPassword(tx, &u, hash); err != nil {
			return err
		}
		e := hosting.AuditEntry{Action: "user.password", Target: string(u.ID)}
		if err := s.cfg.DB.Team(u.Team).Note(tx, c, s.now(), e); err != nil {
			return err
		}
		out, err = s.begin(tx, &u, from)
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	return out, nil
}

// proveCaller compares a password with that of somebody who is signed in.
func (s *Service) proveCaller(ctx context.Context, c hosting.Caller, password string, from From) (proof, error) {
	var u state.User
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		u, err = s.sys.Users.Get(tx, state.K(string(c.User)))
		return err
	})
	if err != nil {
		return proof{}, err
	}
	if u.Password == "" {
		return proof{}, hosting.Errorf(hosting.CodeConflict, "the account has no password yet").
			WithHint("sign out and use the link for a forgotten one, or ask the operator for it")
	}
	p, err := s.prove(ctx, u.Email, password, from)
	if hosting.Is(err, hosting.CodeUnauthenticated) {
		err = errPassword
	}
	return p, err
}

// release takes the try of a right password back where what it was for failed before its
// transaction, and returns why it failed.
func (s *Service) release(ctx context.Context, p proof, why error) error {
	_ = s.cfg.DB.Update(context.WithoutCancel(ctx), func(tx state.Tx) error { return s.takeBack(tx, p.try) })
	return why
}
