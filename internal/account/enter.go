package account

import (
	"context"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// External is a person that another place vouches for.
type External struct {
	Provider, Subject string
	Email, Name       string
	Verified          bool // the place says that the address is theirs
}

// maxSubject is the longest subject that OpenID Connect allows, in bytes.
const maxSubject = 255

// Enter signs in whom another place vouches for. An account is found by provider and subject,
// never by address alone; one is made where the sign-up rules, or an invitation, allow it.
// CodeForbidden if the place does not vouch for the address, CodeConflict if the address has
// an account already.
func (s *Service) Enter(ctx context.Context, x External, link string, from From) (out SignedIn, err error) {
	if x.Provider == "" || x.Subject == "" || len(x.Subject) > maxSubject || strings.ContainsRune(x.Provider+x.Subject, 0) {
		return SignedIn{}, hosting.Errorf(hosting.CodeInvalid, "the other place does not say who you are")
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) error {
		id, known, err := s.sys.Identities.Find(tx, state.K(x.Provider, x.Subject))
		if err != nil {
			return err
		}
		if known {
			out, err = s.enterKnown(tx, id, from)
		} else {
			out, err = s.enterNew(tx, x, link, from)
		}
		return err
	})
	return s.joined(out, err)
}

func (s *Service) enterKnown(tx state.Tx, id state.Identity, from From) (SignedIn, error) {
	u, err := s.sys.Users.Get(tx, state.K(string(id.User)))
	if err != nil {
		return SignedIn{}, err
	}
	if u.Suspended {
		return SignedIn{}, errSuspended
	}
	e := hosting.AuditEntry{Action: "user.login", Target: string(u.ID), Detail: "by " + id.Provider}
	if err := s.noteOwn(tx, &u, from, e); err != nil {
		return SignedIn{}, err
	}
	return s.begin(tx, &u, from)
}

func (s *Service) enterNew(tx state.Tx, x External, link string, from From) (SignedIn, error) {
	n := newcomer{
		email: hosting.NormalEmail(x.Email), link: link,
		identity: &state.Identity{Provider: x.Provider, Subject: x.Subject},
	}
	n.name = callable(x.Name, n.email)
	if err := n.check(); err != nil {
		return SignedIn{}, err
	}
	if !x.Verified {
		return SignedIn{}, hosting.Errorf(hosting.CodeForbidden, "%s does not say that the address is yours", x.Provider).
			WithHint("confirm it there, then sign in again")
	}
	// Who has an address elsewhere may not be who has the account here: they know its password.
	_, taken, err := s.sys.Users.FindBy(tx, "email", state.K(n.email))
	if err != nil {
		return SignedIn{}, err
	}
	if taken {
		return SignedIn{}, errTaken.WithHint("sign in with its password")
	}
	return s.join(tx, n, from)
}

// callable is the name that another place gives somebody, or what stands before the "@".
func callable(name, email string) string {
	name = strings.TrimSpace(name)
	if hosting.CheckPersonName(name) == nil {
		return name
	}
	local, _, _ := strings.Cut(email, "@")
	return local
}
