package account_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestListUsersAndTeams_ShowEverybodyInPages(t *testing.T) {
	w := newCrew(t)
	for _, name := range []string{"ann", "bob", "carl", "dora", "emil"} {
		w.team(name+"s", name)
	}
	boss := operator(hosting.Team{})
	var users, teams []string
	for _, u := range everything(t, func(p state.Page) (state.List[hosting.User], error) { return w.ListUsers(w.ctx(), boss, p) }) {
		users = append(users, u.Email)
	}
	for _, team := range everything(t, func(p state.Page) (state.List[hosting.Team], error) { return w.ListAllTeams(w.ctx(), boss, p) }) {
		teams = append(teams, team.Slug)
	}
	slices.Sort(users)
	slices.Sort(teams)
	if got := strings.Join(users, " "); got != "ann@site.test bob@site.test carl@site.test dora@site.test emil@site.test" {
		t.Errorf("the users are %s", got)
	}
	if got := strings.Join(teams, " "); got != "ann-own anns bob-own bobs carl-own carls dora-own doras emil-own emils" {
		t.Errorf("the teams are %s", got)
	}
	_, err := w.ListUsers(w.ctx(), boss, state.Page{Limit: 101})
	w.refused(err, hosting.CodeInvalid)
}

func (w *crew) session(user hosting.UserID, hash string) {
	w.t.Helper()
	w.put(func(tx state.Tx) error {
		row := state.Session{Hash: hash, User: user, Entered: 1, Session: hosting.Session{ID: hosting.NewSessionID(), CreatedAt: w.now(), ExpiresAt: w.now().Add(time.Hour)}}
		return w.sys.Sessions.Insert(tx, &row)
	})
}

func TestSuspendUser_EndsSessionsAndLinksAndCanBeLifted(t *testing.T) {
	w := newCrew(t)
	bob, other := w.person("bob"), w.person("other")
	w.token(bob, "rests")
	w.session(bob.User, "one")
	w.session(bob.User, "two")
	w.session(other.User, "others")
	code := w.grant(bob)
	boss := operator(hosting.Team{})
	for range 2 { // the second time changes nothing
		u, err := w.SuspendUser(w.ctx(), boss, bob.User, true)
		w.ok(err)
		if !u.Suspended {
			t.Fatal("not suspended")
		}
		w.get(func(tx state.Tx) error {
			u, err := w.sys.Users.Get(tx, state.K(string(bob.User)))
			if u.Entered != 2 {
				t.Errorf("Entered is %d", u.Entered)
			}
			return err
		})
	}
	if left := rows(w.dump(), "s\x00session\x00"); strings.Contains(left, string(bob.User)) || !strings.Contains(left, string(other.User)) {
		t.Errorf("the sessions that are left: %q", left)
	}
	u, err := w.SuspendUser(w.ctx(), boss, bob.User, false)
	w.ok(err)
	if u.Suspended {
		t.Error("still suspended")
	}
	// What was promised before is over; the tokens only rested.
	_, err = w.Exchange(w.ctx(), code, verifier)
	w.refused(err, hosting.CodeUnauthenticated)
	if got := w.tokenNames(bob); !slices.Equal(got, []string{"rests"}) {
		t.Errorf("the tokens are %q", got)
	}
	if got := w.log(bob.Team.ID); got[0] != "operator user.resume" || got[1] != "operator user.suspend" || len(got) != 4 {
		t.Errorf("the log says %q", got)
	}
	_, err = w.SuspendUser(w.ctx(), boss, "usr_2", true)
	w.refused(err, hosting.CodeNotFound)
}

func TestSuspendUser_LeavesAnOperator(t *testing.T) {
	w := newCrew(t)
	ann, bob := w.person("ann"), w.person("bob")
	for _, c := range []*hosting.Caller{&ann, &bob} {
		w.change(c.User, func(u *state.User) { u.Operator = true })
		c.Operator = true
	}
	_, err := w.SuspendUser(w.ctx(), ann, ann.User, true)
	w.refused(err, hosting.CodeConflict) // not oneself, though there is another
	both := []hosting.UserID{ann.User, bob.User}
	good, errs := together(100, func(i int) error {
		_, err := w.SuspendUser(w.ctx(), operator(hosting.Team{}), both[i%2], true)
		return err
	})
	for _, err := range errs {
		w.refused(err, hosting.CodeConflict)
	}
	suspended := 0
	for _, u := range everything(t, func(p state.Page) (state.List[hosting.User], error) { return w.ListUsers(w.ctx(), ann, p) }) {
		if u.Suspended {
			suspended++
		}
	}
	if good == 0 || suspended != 1 {
		t.Fatalf("%d went, %d of 2 operators are suspended", good, suspended)
	}
}

func TestListAudit_IsTheTeamsAloneNewestFirst(t *testing.T) {
	w := newCrew(t)
	ann, bob := w.team("acme", "ann"), w.team("other", "bob")
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		_, err := w.UpdateTeam(w.ctx(), ann, name)
		w.ok(err)
		w.token(bob, name)
	}
	list := everything(t, func(p state.Page) (state.List[hosting.AuditEntry], error) { return w.ListAudit(w.ctx(), ann, p) })
	if len(list) != 5 {
		t.Fatalf("%d entries", len(list))
	}
	for i, e := range list {
		if e.Action != "team.update" || e.User != ann.User || e.Name != "ann" || e.Via != hosting.ViaSession || e.Addr != "192.0.2.7" {
			t.Errorf("entry %d: %+v", i, e)
		}
		if i > 0 && !e.At.Before(list[i-1].At) {
			t.Errorf("entry %d is not older than the one before", i)
		}
	}
}
