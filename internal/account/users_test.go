package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestUpdateUser_ChangesTheName(t *testing.T) {
	w := newWorld(t)
	in := w.owner()
	c := w.caller(in.Secret)
	u, err := w.UpdateUser(t.Context(), c, " Ann Smith ")
	w.is(err, "")
	if u.Name != "Ann Smith" || w.caller(in.Secret).Name != "Ann Smith" {
		t.Errorf("the name is %q", u.Name)
	}
	_, err = w.UpdateUser(t.Context(), c, "a\nb")
	w.is(err, hosting.CodeInvalid)
}

func TestDeleteUser_TakesAllOfThePersonAndNothingElse(t *testing.T) {
	w := newWorld(t)
	ann := w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleDeveloper)
	alone := w.team("alone")
	w.enrol(alone.ID, bob.User.ID, hosting.RoleOwner)
	w.logIn("bob@site.test")
	tokens := []string{
		w.token(hosting.Token{Team: hosting.DefaultTeam, User: bob.User.ID, Scope: hosting.ScopeRead}),
		w.token(hosting.Token{Team: alone.ID, User: ann.User.ID, Scope: hosting.ScopeRead}),
	}
	kept := w.token(hosting.Token{Team: hosting.DefaultTeam, User: ann.User.ID, Scope: hosting.ScopeRead})
	invitation := w.invitation("eve@site.test", bob.User.Team, hosting.RoleViewer)
	w.update(func(tx state.Tx) error {
		return w.sys.Identities.Insert(tx, &state.Identity{Provider: "git", Subject: "7", User: bob.User.ID})
	})

	_, err := w.DeleteUser(t.Context(), w.caller(bob.Secret), "wrong password")
	w.is(err, hosting.CodeForbidden)
	w.clock.turn(time.Millisecond)
	gone, err := w.DeleteUser(t.Context(), w.caller(bob.Secret), good)
	w.is(err, "")
	want := []string{"2 sessions", "1 token", "1 outside login", "your place in 1 team", "the team alone", "the team bob"}
	slices.Sort(want)
	slices.Sort(gone.Gone)
	if gone.What != "the account bob@site.test" || !slices.Equal(gone.Gone, want) || gone.Later == nil {
		t.Errorf("what goes is told as %+v", gone)
	}
	_, err = w.BySession(t.Context(), bob.Secret, "", here)
	w.is(err, hosting.CodeUnauthenticated)
	for _, secret := range tokens {
		_, err = w.ByToken(t.Context(), secret, "", here)
		w.is(err, hosting.CodeUnauthenticated)
	}
	_, err = w.LogIn(t.Context(), "bob@site.test", good, here)
	w.is(err, hosting.CodeUnauthenticated)
	_, err = w.Enter(t.Context(), External{Provider: "git", Subject: "7", Email: "bob@site.test", Verified: true}, "", here)
	w.is(err, hosting.CodeForbidden)
	_, err = w.SignUp(t.Context(), SignUp{Email: "eve@site.test", Name: "Eve", Password: good, Link: invitation}, here)
	w.is(err, hosting.CodeNotFound)
	if log := w.audit(bob.User.Team); len(log) != 0 {
		t.Errorf("the log of a team that is gone is kept: %v", log)
	}
	if log := w.audit(hosting.DefaultTeam); log[0] != "member.leave" {
		t.Errorf("the other team is told %v", log)
	}
	w.caller(ann.Secret)
	_, err = w.ByToken(t.Context(), kept, "", here)
	w.is(err, "")
	w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer) // the address is free again
}

func TestDeleteUser_NamesAllThatIsInTheWay(t *testing.T) {
	for name, tc := range map[string]struct {
		who    string
		before func(w *world, bob SignedIn)
		want   []string // nil: nothing
	}{
		"the only operator": {"owner", nil, []string{"only operator"}},
		"one of two operators": {"bob", func(w *world, bob SignedIn) {
			w.changeUser(bob.User.ID, func(u *state.User) { u.Operator = true })
		}, nil},
		"the other operator is suspended": {"bob", func(w *world, bob SignedIn) {
			w.changeUser(bob.User.ID, func(u *state.User) { u.Operator = true })
			w.suspend(w.byEmail("owner@site.test"), true)
		}, []string{"only operator"}},
		"projects of their own": {"bob", func(w *world, bob SignedIn) { w.project(bob.User.Team, "shop") }, []string{"the team bob has projects (shop)"}},
		"the last owner of a team with others": {"bob", func(w *world, bob SignedIn) {
			w.lastOwner("club", bob, hosting.RoleDeveloper)
			w.lastOwner("guild", bob, hosting.RoleViewer)
			w.project(bob.User.Team, "shop")
		}, []string{"owner of the team club", "owner of the team guild", "(shop)"}},
		"an owner among others":       {"bob", func(w *world, bob SignedIn) { w.lastOwner("club", bob, hosting.RoleOwner) }, nil},
		"alone in a team":             {"bob", func(w *world, bob SignedIn) { w.enrol(w.team("club").ID, bob.User.ID, hosting.RoleOwner) }, nil},
		"alone in one with a project": {"bob", func(w *world, bob SignedIn) { w.project(w.lonely("club", bob), "shop") }, []string{"the team club has projects (shop)"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			people := map[string]SignedIn{"owner": w.owner()}
			people["bob"] = w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleDeveloper)
			if tc.before != nil {
				tc.before(w, people["bob"])
			}
			c := w.caller(people[tc.who].Secret)
			for range 11 { // a right password is no failed try, whatever is in the way
				_, err := w.DeleteUser(t.Context(), c, good)
				if tc.want == nil {
					w.is(err, "")
					return
				}
				w.is(err, hosting.CodeConflict)
				for _, part := range tc.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("%q is not told in %q", part, err)
					}
				}
			}
			w.caller(people[tc.who].Secret)
		})
	}
}

func TestDeleteUser_AsksNoPasswordOfWhoHasNone(t *testing.T) {
	w := newWorld(t)
	w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	w.changeUser(bob.User.ID, noPassword)
	_, err := w.DeleteUser(t.Context(), w.caller(bob.Secret), "")
	w.is(err, "")
}

func (w *world) project(team hosting.TeamID, slug string) {
	w.t.Helper()
	w.update(func(tx state.Tx) error {
		return w.cfg.DB.Team(team).Projects.Insert(tx, &hosting.Project{ID: hosting.NewProjectID(), Slug: slug, Name: slug, CreatedAt: w.now()})
	})
}

// lastOwner makes a team in which bob is an owner and the first person has a role.
func (w *world) lastOwner(slug string, bob SignedIn, other hosting.Role) {
	w.t.Helper()
	team := w.lonely(slug, bob)
	w.enrol(team, w.byEmail("owner@site.test"), other)
}

func (w *world) byEmail(email string) (id hosting.UserID) {
	w.t.Helper()
	w.view(func(tx state.Tx) error {
		u, _, err := w.sys.Users.FindBy(tx, "email", state.K(email))
		id = u.ID
		return err
	})
	return id
}

func (w *world) lonely(slug string, bob SignedIn) hosting.TeamID {
	w.t.Helper()
	team := w.team(slug).ID
	w.enrol(team, bob.User.ID, hosting.RoleOwner)
	return team
}
