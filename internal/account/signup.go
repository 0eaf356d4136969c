package account

import (
	"context"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// SignUp makes an account and signs it in: by the owner link, by an invitation's link, or,
// where sign-up is open, without one.
func (s *Service) SignUp(ctx context.Context, in SignUp, from From) (out SignedIn, err error) {
	n := newcomer{email: hosting.NormalEmail(in.Email), name: strings.TrimSpace(in.Name), link: in.Link}
	if err := n.check(); err != nil {
		return SignedIn{}, err
	}
	if err := checkPassword(in.Password, n.email, n.name); err != nil {
		return SignedIn{}, err
	}
	// Who is not admitted costs no hash.
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		_, err := s.admit(tx, n.email, n.link)
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	if n.password, err = s.gate.hash(ctx, in.Password); err != nil {
		return SignedIn{}, err
	}
	err = s.cfg.DB.Update(ctx, func(tx state.Tx) (err error) {
		out, err = s.join(tx, n, from)
		return err
	})
	return s.joined(out, err)
}

// joined is what a transaction with join in it comes to.
func (s *Service) joined(out SignedIn, err error) (SignedIn, error) {
	if err != nil {
		return SignedIn{}, err
	}
	s.claimed.Store(true)
	return out, nil
}

// newcomer is somebody without an account.
type newcomer struct {
	email, name, link string
	password          string          // its hash; "" for those who sign in elsewhere
	identity          *state.Identity // where they sign in
}

func (n newcomer) check() error {
	if err := hosting.CheckEmail(n.email); err != nil {
		return err
	}
	return hosting.CheckPersonName(n.name)
}

// join makes an account with all that belongs to it, and begins its first session.
func (s *Service) join(tx state.Tx, n newcomer, from From) (SignedIn, error) {
	a, err := s.admit(tx, n.email, n.link)
	if err != nil {
		return SignedIn{}, err
	}
	if err := s.spend(tx, a); err != nil {
		return SignedIn{}, err
	}
	u := state.User{Password: n.password, Entered: 1, User: hosting.User{
		ID: hosting.NewUserID(), Email: n.email, Name: n.name, Operator: a.owner, CreatedAt: s.now(), LastSeenAt: s.now(),
		// An invitation's link went to the address; another place has vouched for it.
		Confirmed: a.invitation != nil || n.identity != nil,
	}}
	if err := s.settle(tx, &u); err != nil {
		return SignedIn{}, err
	}
	if n.identity != nil {
		n.identity.User = u.ID
		if err := s.sys.Identities.Insert(tx, n.identity); err != nil {
			return SignedIn{}, err
		}
	}
	if a.invitation != nil {
		if err := s.joinTeam(tx, &u, *a.invitation, from); err != nil {
			return SignedIn{}, err
		}
	}
	if err := s.noteOwn(tx, &u, from, hosting.AuditEntry{Action: "user.signup", Target: string(u.ID)}); err != nil {
		return SignedIn{}, err
	}
	if !u.Confirmed {
		if err := s.mailConfirm(tx, &u); err != nil {
			return SignedIn{}, err
		}
	}
	return s.begin(tx, &u, from)
}

// settle stores a new person with their own team. That of the first is the default team, so
// that what was deployed before is theirs.
func (s *Service) settle(tx state.Tx, u *state.User) error {
	slug, err := s.personalSlug(tx, u)
	if err != nil {
		return err
	}
	own := hosting.Team{ID: hosting.NewTeamID(), Slug: slug, Name: u.Name, Personal: true, CreatedAt: u.CreatedAt}
	if u.Operator {
		own.ID = hosting.DefaultTeam
		old, ok, err := s.sys.Teams.Find(tx, state.K(string(own.ID)))
		if err != nil {
			return err
		}
		if ok {
			own.Quotas, own.CreatedAt = old.Quotas, old.CreatedAt
		}
	}
	u.Team = own.ID
	if err := s.sys.Teams.Put(tx, &own); err != nil {
		return err
	}
	m := hosting.Membership{Team: own.ID, User: u.ID, Role: hosting.RoleOwner, JoinedAt: u.CreatedAt}
	if err := s.sys.Members.Insert(tx, &m); err != nil {
		return err
	}
	return s.sys.Users.Insert(tx, u)
}

// joinTeam takes a new person into the team of their invitation.
func (s *Service) joinTeam(tx state.Tx, u *state.User, inv state.Invitation, from From) error {
	m := hosting.Membership{Team: inv.Team, User: u.ID, Role: inv.Role, JoinedAt: s.now()}
	if err := s.sys.Members.Insert(tx, &m); err != nil {
		return err
	}
	return s.cfg.DB.Team(inv.Team).Note(tx, asPerson(u, from), s.now(), hosting.AuditEntry{
		Action: "member.join", Target: string(u.ID), Detail: u.Email + " as " + string(inv.Role),
	})
}

// personalSlug makes a free slug for a person's own team, of their name or, where that has too
// few Latin letters, of their address.
func (s *Service) personalSlug(tx state.Tx, u *state.User) (string, error) {
	local, _, _ := strings.Cut(u.Email, "@")
	base := hosting.SiteNameFrom(u.Name)
	if strings.HasPrefix(base, "site") {
		base = hosting.SiteNameFrom(local)
	}
	slug := base
	for {
		_, taken, err := s.sys.Teams.FindBy(tx, "slug", state.K(slug))
		if err != nil || !taken && slug != defaultSlug {
			return slug, err
		}
		slug = hosting.SiteNameSuffixed(base)
	}
}
