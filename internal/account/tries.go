package account

import (
	"context"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// bound is how often something may be tried with one address, whether or not it has an account.
type bound struct {
	prefix string // keeps the kinds apart
	most   int
	within time.Duration
}

var (
	loginTries = bound{"", 10, time.Minute}
	// resetTries also bounds the mails that a stranger can have sent to somebody.
	resetTries = bound{"reset ", maxResets, linkLife}
)

// notedEvery is how often a flood of failed logins is worth a line of the audit log: strangers
// cannot fill it.
const notedEvery = time.Hour

func (b bound) account(email string) string { return seal.Hash(b.prefix + email) }

// take notes a try now, or returns how long none is allowed, and has then written nothing.
func (s *Service) take(tx state.Tx, b bound, email string) (row state.Tries, wait time.Duration, err error) {
	now := s.now()
	row, _, err = s.sys.Tries.Find(tx, state.K(b.account(email)))
	if err != nil {
		return row, 0, err
	}
	row.Account = b.account(email)
	for len(row.At) > 0 && now.Sub(row.At[0]) >= b.within {
		row.At = row.At[1:]
	}
	if n := len(row.At); n >= b.most {
		return row, row.At[n-b.most].Add(b.within).Sub(now), nil
	}
	row.At, row.Last = append(row.At, now), now
	return row, 0, s.sys.Tries.Put(tx, &row)
}

// try is a login that was counted as failed before its password is looked at, so that no
// number of logins at once gets around the bound. What succeeds takes it back.
type try struct {
	account string
	at      time.Time
}

// tryLogin counts a login, or refuses it with CodeLimited.
func (s *Service) tryLogin(ctx context.Context, email string, from From) (t try, err error) {
	var limited error
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		row, wait, err := s.take(tx, loginTries, email)
		if err != nil || wait == 0 {
			t = try{row.Account, row.Last}
			return err
		}
		limited = hosting.Errorf(hosting.CodeLimited, "there were too many failed logins for this address").
			WithHint("try again in %d seconds", (wait+time.Second-1)/time.Second)
		if s.now().Sub(row.Noted) < notedEvery {
			return limited // rolls back: a refusal costs the disk nothing
		}
		return s.noteBurst(tx, row, email, from)
	})
	if err == nil {
		err = limited
	}
	return t, err
}

// noteBurst tells the address's person, if there is one, that somebody tries passwords.
func (s *Service) noteBurst(tx state.Tx, row state.Tries, email string, from From) error {
	row.Noted = s.now()
	if err := s.sys.Tries.Put(tx, &row); err != nil {
		return err
	}
	u, ok, err := s.sys.Users.FindBy(tx, "email", state.K(email))
	if err != nil || !ok {
		return err
	}
	somebody := hosting.Caller{Via: hosting.ViaSystem, Name: "somebody", Addr: from.Addr}
	return s.cfg.DB.Team(u.Team).Note(tx, somebody, s.now(), hosting.AuditEntry{
		Action: "user.login_failed", Target: string(u.ID), Detail: "ten times within a minute; more are refused",
	})
}

// takeBack forgets a try that has succeeded. Others stay: who knows the
// password must not give a stranger ten more tries.
func (s *Service) takeBack(tx state.Tx, t try) error {
	row, ok, err := s.sys.Tries.Find(tx, state.K(t.account))
	if err != nil || !ok {
		return err
	}
	for i, at := range row.At {
		if at.Equal(t.at) {
			row.At = append(row.At[:i:i], row.At[i+1:]...)
			return s.sys.Tries.Put(tx, &row)
		}
	}
	return nil
}
