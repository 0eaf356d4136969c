package account

import (
	"cmp"
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

var (
	errSignedOut = hosting.Errorf(hosting.CodeUnauthenticated, "you are signed out").WithHint("sign in again")
	errSuspended = hosting.Errorf(hosting.CodeForbidden, "the account is suspended").WithHint("ask the operator of this Fairway")
	errToken     = hosting.Errorf(hosting.CodeUnauthenticated, "the token is no longer good").WithHint("make another with fairway login")
	errNoTeam    = hosting.Errorf(hosting.CodeNotFound, "there is no such team")
)

// operatorName is what the operator at the socket is called in lists.
const operatorName = "operator"

// defaultSlug is what the operator can call hosting.DefaultTeam; no personal team gets it.
const defaultSlug = "default"

// BySession returns who the cookie's secret belongs to, acting in the team (id or slug; "" is
// their own). CodeUnauthenticated if the session is over, CodeForbidden if the person is
// suspended, CodeNotFound if they are not in the team.
func (s *Service) BySession(ctx context.Context, secret, team string, from From) (c hosting.Caller, err error) {
	hash := seal.Hash(secret)
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		row, u, err := s.session(tx, hash)
		if err != nil {
			return err
		}
		c = hosting.Caller{
			Via: hosting.ViaSession, User: u.ID, Name: u.Name, Addr: from.Addr, Session: row.ID, Operator: u.Operator,
		}
		return s.actIn(tx, &c, cmp.Or(team, string(u.Team)))
	})
	if err != nil {
		return hosting.Caller{}, err
	}
	s.used.note(s.now(), use{useSession, hash}, use{useUser, string(c.User)})
	return c, nil
}

// session returns a session that goes on, and its person.
func (s *Service) session(tx state.Tx, hash string) (row state.Session, u state.User, err error) {
	row, ok, err := s.sys.Sessions.Find(tx, state.K(hash))
	if err != nil || !ok || s.over(&row) {
		return row, u, cmp.Or(err, error(errSignedOut))
	}
	u, ok, err = s.sys.Users.Find(tx, state.K(string(row.User)))
	switch {
	case err != nil:
		return row, u, err
	case !ok:
		return row, u, errSignedOut
	case u.Suspended:
		return row, u, errSuspended
	case u.Entered != row.Entered:
		return row, u, errSignedOut
	}
	return row, u, nil
}

// actIn puts a person into a team of theirs, by id or slug.
func (s *Service) actIn(tx state.Tx, c *hosting.Caller, name string) error {
	t, ok, err := s.findTeam(tx, name)
	if err != nil || !ok {
		return cmp.Or(err, error(errNoTeam))
	}
	m, ok, err := s.sys.Members.Find(tx, state.K(string(t.ID), string(c.User)))
	if err != nil || !ok {
		return cmp.Or(err, error(errNoTeam))
	}
	c.Team, c.Role, c.Held = t, m.Role, held(t)
	return nil
}

func held(t hosting.Team) string {
	if t.Suspended {
		return "the team is suspended"
	}
	return ""
}

// findTeam finds a team by id or slug. A slug has no "_", so it is nobody's id.
func (s *Service) findTeam(tx state.Tx, name string) (hosting.Team, bool, error) {
	t, ok, err := s.sys.Teams.Find(tx, state.K(name))
	if err != nil || ok {
		return t, ok, err
	}
	return s.sys.Teams.FindBy(tx, "slug", state.K(name))
}

// ByToken returns who an API token speaks for: its maker, with the role they have now. It acts
// in the token's own team; naming another is CodeNotFound. CodeUnauthenticated if the token is
// unknown or over, or its maker is suspended, gone, or no longer in the team.
func (s *Service) ByToken(ctx context.Context, secret, team string, from From) (c hosting.Caller, err error) {
	if !checkTokenSecret(secret) {
		return hosting.Caller{}, errToken
	}
	hash := seal.Hash(secret)
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		row, ok, err := s.sys.Tokens.Find(tx, state.K(hash))
		if err != nil || !ok || !s.now().Before(row.ExpiresAt) {
			return cmp.Or(err, error(errToken))
		}
		c, err = s.tokenCaller(tx, row.Token, from)
		if err == nil && team != "" && team != string(c.Team.ID) && team != c.Team.Slug {
			err = errNoTeam
		}
		return err
	})
	if err != nil {
		return hosting.Caller{}, err
	}
	s.used.note(s.now(), use{useToken, hash})
	return c, nil
}

// tokenCaller is who a token speaks for now.
func (s *Service) tokenCaller(tx state.Tx, t hosting.Token, from From) (hosting.Caller, error) {
	c := hosting.Caller{
		Via: hosting.ViaToken, User: t.User, Name: operatorName, Addr: from.Addr,
		Token: t.ID, Scope: t.Scope, Project: t.Project,
	}
	operator := true
	if t.User == "" {
		team, err := s.operatorTeam(tx, string(t.Team))
		if hosting.Is(err, hosting.CodeNotFound) {
			err = errToken
		}
		if err != nil {
			return c, err
		}
		c.Team, c.Role, c.Held = team, hosting.RoleOwner, held(team)
	} else {
		u, ok, err := s.sys.Users.Find(tx, state.K(string(t.User)))
		if err != nil || !ok || u.Suspended {
			return c, cmp.Or(err, error(errToken))
		}
		err = s.actIn(tx, &c, string(t.Team))
		if hosting.Is(err, hosting.CodeNotFound) {
			err = errToken // the maker left the team, or it is gone
		}
		if err != nil {
			return c, err
		}
		c.Name, operator = u.Name, u.Operator
	}
	c.Operator = operator && t.Scope == hosting.ScopeAdmin && t.Project == ""
	return c, nil
}

// Operator returns the operator, as the owner of any team (id or slug): by default of
// hosting.DefaultTeam, which needs not be stored yet. A suspended team does not hold them.
func (s *Service) Operator(ctx context.Context, via hosting.Via, team string, from From) (hosting.Caller, error) {
	c := hosting.Caller{Via: via, Name: operatorName, Addr: from.Addr, Role: hosting.RoleOwner, Operator: true}
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		c.Team, err = s.operatorTeam(tx, cmp.Or(team, string(hosting.DefaultTeam)))
		return err
	})
	if err != nil {
		return hosting.Caller{}, err
	}
	return c, nil
}

// operatorTeam finds any team. Before the first person came, nothing is stored of the default
// team; it is there all the same. Its slug is "default" to the operator whatever it is to others.
func (s *Service) operatorTeam(tx state.Tx, name string) (hosting.Team, error) {
	unnamed := hosting.Team{ID: hosting.DefaultTeam, Slug: defaultSlug, Name: "Default", Personal: true}
	if name == defaultSlug {
		name = string(hosting.DefaultTeam)
	}
	t, ok, err := s.findTeam(tx, name)
	switch {
	case err != nil || ok:
		return t, err
	case name == string(hosting.DefaultTeam):
		return unnamed, nil
	}
	return t, errNoTeam
}
