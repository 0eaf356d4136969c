package account

import (
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// token stores an API token and returns its secret.
func (w *world) token(tok hosting.Token) string {
	w.t.Helper()
	secret := newTokenSecret()
	tok.ID, tok.CreatedAt = hosting.NewTokenID(), w.now()
	if tok.ExpiresAt.IsZero() {
		tok.ExpiresAt = w.now().Add(24 * time.Hour)
	}
	w.update(func(tx state.Tx) error {
		return w.sys.Tokens.Insert(tx, &state.Token{Token: tok, Hash: seal.Hash(secret)})
	})
	return secret
}

func TestBySession_ActsInOnesOwnTeamsAlone(t *testing.T) {
	w := newWorld(t)
	ann := w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleDeveloper)
	other := w.team("others")
	own := w.caller(bob.Secret)
	if own.Team.ID != bob.User.Team || own.Role != hosting.RoleOwner || own.Operator || own.Via != hosting.ViaSession ||
		own.User != bob.User.ID || own.Addr != here.Addr || own.Session != bob.Session.ID {
		t.Errorf("bob is %+v", own)
	}
	for team, want := range map[string]hosting.Role{
		string(hosting.DefaultTeam): hosting.RoleDeveloper, ann.User.Name: hosting.RoleDeveloper, own.Team.Slug: hosting.RoleOwner,
		string(other.ID): "", other.Slug: "", "default": "", "nothing": "", "a\x00b": "", string(bob.User.ID): "",
	} {
		c, err := w.BySession(t.Context(), bob.Secret, team, here)
		if want == "" {
			w.is(err, hosting.CodeNotFound)
		} else if err != nil || c.Role != want {
			t.Errorf("in %q bob is %q, %v", team, c.Role, err)
		}
	}
	c := w.caller(ann.Secret)
	if !c.Operator || c.Team.ID != hosting.DefaultTeam || c.Team.Slug != "owner" {
		t.Errorf("ann is %+v", c)
	}
	_, err := w.BySession(t.Context(), ann.Secret, other.Slug, here) // operators, too
	w.is(err, hosting.CodeNotFound)
	w.enrol(other.ID, bob.User.ID, hosting.RoleViewer)
	c, err = w.BySession(t.Context(), bob.Secret, other.Slug, here)
	w.is(err, "")
	if c.Role != hosting.RoleViewer || c.Held != "" {
		t.Errorf("bob is %+v", c)
	}
	other.Suspended = true
	w.update(func(tx state.Tx) error { return w.sys.Teams.Put(tx, &other) })
	c, err = w.BySession(t.Context(), bob.Secret, other.Slug, here)
	if err != nil || c.Held == "" || c.May(hosting.PermitRead) != nil {
		t.Errorf("in a suspended team bob is %+v, %v", c, err)
	}
}

func TestByToken_SpeaksForItsMakerAsTheyAreNow(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(w *world, bob SignedIn)
		want   hosting.Code
		role   hosting.Role
	}{
		"as made":            {func(*world, SignedIn) {}, "", hosting.RoleDeveloper},
		"the role went down": {func(w *world, bob SignedIn) { w.enrol(hosting.DefaultTeam, bob.User.ID, hosting.RoleViewer) }, "", hosting.RoleViewer},
		"the maker left": {func(w *world, bob SignedIn) {
			w.update(func(tx state.Tx) error {
				return w.sys.Members.Delete(tx, state.K(string(hosting.DefaultTeam), string(bob.User.ID)))
			})
		}, hosting.CodeUnauthenticated, ""},
		"the maker is suspended": {func(w *world, bob SignedIn) { w.suspend(bob.User.ID, true) }, hosting.CodeUnauthenticated, ""},
		"the maker is gone": {func(w *world, bob SignedIn) {
			w.update(func(tx state.Tx) error { return w.sys.Users.Delete(tx, state.K(string(bob.User.ID))) })
		}, hosting.CodeUnauthenticated, ""},
		"the team is gone": {func(w *world, _ SignedIn) {
			w.update(func(tx state.Tx) error { return w.sys.Teams.Delete(tx, state.K(string(hosting.DefaultTeam))) })
		}, hosting.CodeUnauthenticated, ""},
		"just before its end": {func(w *world, _ SignedIn) { w.clock.turn(24*time.Hour - time.Second) }, "", hosting.RoleDeveloper},
		"at its end":          {func(w *world, _ SignedIn) { w.clock.turn(24 * time.Hour) }, hosting.CodeUnauthenticated, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.owner()
			bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleDeveloper)
			secret := w.token(hosting.Token{Team: hosting.DefaultTeam, User: bob.User.ID, Scope: hosting.ScopeDeploy, Project: "prj_a"})
			tc.change(w, bob)
			c, err := w.ByToken(t.Context(), secret, "", here)
			w.is(err, tc.want)
			if err != nil {
				return
			}
			if c.Role != tc.role || c.Via != hosting.ViaToken || c.Scope != hosting.ScopeDeploy || c.Project != "prj_a" ||
				c.Token == "" || c.Operator || c.Team.ID != hosting.DefaultTeam || c.User != bob.User.ID || c.Name != "bob" {
				t.Errorf("the token speaks for %+v", c)
			}
		})
	}
}

func TestByToken_IsOperatorOnlyWithTheWidestScope(t *testing.T) {
	w := newWorld(t)
	ann := w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleOwner)
	for name, tc := range map[string]struct {
		token hosting.Token
		want  bool
	}{
		"operator's, admin":       {hosting.Token{User: ann.User.ID, Scope: hosting.ScopeAdmin}, true},
		"operator's, deploy":      {hosting.Token{User: ann.User.ID, Scope: hosting.ScopeDeploy}, false},
		"operator's, one project": {hosting.Token{User: ann.User.ID, Scope: hosting.ScopeAdmin, Project: "prj_a"}, false},
		"an owner's, admin":       {hosting.Token{User: bob.User.ID, Scope: hosting.ScopeAdmin}, false},
		"made at the socket":      {hosting.Token{Scope: hosting.ScopeAdmin}, true},
		"made there, read":        {hosting.Token{Scope: hosting.ScopeRead}, false},
	} {
		tc.token.Team = hosting.DefaultTeam
		c, err := w.ByToken(t.Context(), w.token(tc.token), "", here)
		w.is(err, "")
		if c.Operator != tc.want || c.Role != hosting.RoleOwner {
			t.Errorf("%s: operator %v as %s", name, c.Operator, c.Role)
		}
	}
}

func TestByToken_ActsInItsOwnTeamAlone(t *testing.T) {
	w := newWorld(t)
	ann := w.owner()
	other := w.team("others")
	w.enrol(other.ID, ann.User.ID, hosting.RoleOwner)
	secret := w.token(hosting.Token{Team: hosting.DefaultTeam, User: ann.User.ID, Scope: hosting.ScopeRead})
	for team, want := range map[string]hosting.Code{
		"": "", "owner": "", string(hosting.DefaultTeam): "",
		"others": hosting.CodeNotFound, string(other.ID): hosting.CodeNotFound, "nothing": hosting.CodeNotFound,
	} {
		_, err := w.ByToken(t.Context(), secret, team, here)
		w.is(err, want)
	}
	for _, unknown := range []string{"", "fwy_", newTokenSecret(), ann.Secret, secret + "a"} {
		_, err := w.ByToken(t.Context(), unknown, "", here)
		w.is(err, hosting.CodeUnauthenticated)
	}
	w.clock.turn(time.Hour)
	c, err := w.ByToken(t.Context(), secret, "", here)
	w.is(err, "")
	w.is(w.flush(t.Context()), "")
	who, err := w.Identity(t.Context(), c)
	w.is(err, "")
	if who.Token == nil || !who.Token.LastUsedAt.Equal(w.now()) || len(who.Teams) != 1 || who.Teams[0].ID != hosting.DefaultTeam {
		t.Errorf("a token is told %+v", who)
	}
}

func TestOperator_OwnsEveryTeam(t *testing.T) {
	w := newWorld(t)
	c, err := w.Operator(t.Context(), hosting.ViaSocket, "", From{})
	w.is(err, "")
	if c.Team.ID != hosting.DefaultTeam || c.Team.Slug != "default" || c.Role != hosting.RoleOwner || !c.Operator || c.Name != "operator" {
		t.Errorf("before anybody came the operator is %+v", c)
	}
	_, err = w.Operator(t.Context(), hosting.ViaSocket, "nothing", From{})
	w.is(err, hosting.CodeNotFound)
	w.owner()
	other := w.team("others")
	other.Suspended = true
	w.update(func(tx state.Tx) error { return w.sys.Teams.Put(tx, &other) })
	for team, want := range map[string]hosting.TeamID{
		"": hosting.DefaultTeam, "default": hosting.DefaultTeam, "owner": hosting.DefaultTeam, "others": other.ID, string(other.ID): other.ID,
	} {
		c, err := w.Operator(t.Context(), hosting.ViaFile, team, here)
		w.is(err, "")
		if c.Team.ID != want || c.Via != hosting.ViaFile || c.Held != "" || c.May(hosting.PermitManage) != nil {
			t.Errorf("in %q the operator is %+v", team, c)
		}
	}
	if c, _ := w.Operator(t.Context(), hosting.ViaSocket, "default", From{}); c.Team.Slug != "owner" {
		t.Errorf("the default team is %+v, not what is stored", c.Team)
	}
}

func TestIdentity_TellsPeopleTheirTeams(t *testing.T) {
	w := newWorld(t)
	w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleDeveloper)
	who, err := w.Identity(t.Context(), w.caller(bob.Secret))
	w.is(err, "")
	roles := map[hosting.TeamID]hosting.Role{}
	for _, team := range who.Teams {
		roles[team.ID] = team.Role
	}
	if who.User == nil || who.User.Email != "bob@site.test" || !who.User.Confirmed || who.Team.ID != bob.User.Team || len(roles) != 2 ||
		roles[bob.User.Team] != hosting.RoleOwner || roles[hosting.DefaultTeam] != hosting.RoleDeveloper {
		t.Errorf("bob is told %+v", who)
	}
	c, err := w.Operator(t.Context(), hosting.ViaSocket, "", From{})
	w.is(err, "")
	who, err = w.Identity(t.Context(), c)
	w.is(err, "")
	if who.User != nil || who.Name != "operator" || len(who.Teams) != 1 || who.Teams[0].Role != hosting.RoleOwner {
		t.Errorf("the operator is told %+v", who)
	}
}
