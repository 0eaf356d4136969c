package account_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestListMembers_ShowsNamesAndPages(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	for i := range 4 {
		w.joined(ann, fmt.Sprintf("dev%d", i), hosting.RoleDeveloper)
	}
	w.joined(w.team("other", "bob"), "carl", hosting.RoleViewer)
	var got []string
	for _, m := range everything(t, func(p state.Page) (state.List[hosting.Member], error) { return w.ListMembers(w.ctx(), ann, p) }) {
		got = append(got, fmt.Sprintf("%s %s %s", m.Name, m.Email, m.Role))
	}
	slices.Sort(got)
	want := []string{
		"ann ann@site.test owner", "dev0 dev0@site.test developer", "dev1 dev1@site.test developer",
		"dev2 dev2@site.test developer", "dev3 dev3@site.test developer",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the members are %q", got)
	}
}

func TestSetRole_ChangesAndNotes(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	dev := w.joined(ann, "dev", hosting.RoleDeveloper)
	m, err := w.SetRole(w.ctx(), ann, dev.User, hosting.RoleViewer)
	w.ok(err)
	if m.Role != hosting.RoleViewer || m.Name != "dev" || w.as(dev.User, ann.Team).Role != hosting.RoleViewer {
		t.Fatalf("got %+v", m)
	}
	w.logged(ann.Team.ID, "ann member.role developer to viewer")
	_, err = w.SetRole(w.ctx(), ann, dev.User, hosting.RoleViewer)
	w.ok(err)
	if n := len(w.log(ann.Team.ID)); n != 1 {
		t.Errorf("%d entries for one change", n)
	}
	_, err = w.SetRole(w.ctx(), ann, dev.User, "admin")
	w.refused(err, hosting.CodeInvalid)
	_, err = w.SetRole(w.ctx(), ann, w.person("stranger").User, hosting.RoleViewer)
	w.refused(err, hosting.CodeNotFound)
}

func TestLastOwner_Stays(t *testing.T) {
	for name, act := range map[string]func(*crew, hosting.Caller, hosting.Caller) error{
		"demoted": func(w *crew, by, who hosting.Caller) error {
			_, err := w.SetRole(w.ctx(), by, who.User, hosting.RoleDeveloper)
			return err
		},
		"removed": func(w *crew, by, who hosting.Caller) error { return w.RemoveMember(w.ctx(), by, who.User) },
		"leaving": func(w *crew, _, who hosting.Caller) error { return w.Leave(w.ctx(), who) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newCrew(t)
			ann := w.team("acme", "ann")
			dev := w.joined(ann, "dev", hosting.RoleDeveloper)
			err := act(w, operator(ann.Team), ann)
			w.refused(err, hosting.CodeConflict)
			if got := err.(*hosting.Error).Message; got != "the team needs an owner" {
				t.Errorf("the message is %q", got)
			}
			w.ok(act(w, ann, dev)) // who is no owner
			w.enrol(ann.Team, w.person("second").User, hosting.RoleOwner)
			w.ok(act(w, operator(ann.Team), ann)) // who is not the last
		})
	}
}

func TestLastOwner_StaysWhenTwoGoAtOnce(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob := w.joined(ann, "bob", hosting.RoleOwner)
	both := []hosting.Caller{ann, bob}
	done, errs := together(1000, func(i int) error {
		who := both[i%2]
		switch i % 3 {
		case 0:
			return w.RemoveMember(w.ctx(), ann, who.User)
		case 1:
			return w.Leave(w.ctx(), who)
		}
		_, err := w.SetRole(w.ctx(), ann, who.User, hosting.RoleDeveloper)
		return err
	})
	owners := 0
	for _, m := range everything(t, func(p state.Page) (state.List[hosting.Member], error) { return w.ListMembers(w.ctx(), ann, p) }) {
		if m.Role == hosting.RoleOwner {
			owners++
		}
	}
	if owners != 1 {
		t.Fatalf("%d owners are left", owners)
	}
	for _, err := range errs {
		if !hosting.Is(err, hosting.CodeConflict) && !hosting.Is(err, hosting.CodeNotFound) {
			t.Fatal(err)
		}
	}
	if done == 0 {
		t.Error("not even the first went")
	}
}

func TestOwnTeam_KeepsItsPerson(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	guest := w.joined(ann, "guest", hosting.RoleOwner)
	stays := func() {
		t.Helper()
		w.refused(w.RemoveMember(w.ctx(), guest, ann.User), hosting.CodeConflict)
		w.refused(w.Leave(w.ctx(), ann), hosting.CodeConflict)
		_, err := w.SetRole(w.ctx(), guest, ann.User, hosting.RoleViewer)
		w.refused(err, hosting.CodeConflict)
	}
	stays() // though there is another owner
	w.ok(w.Leave(w.ctx(), guest))
	if w.isMember(guest) {
		t.Error("the guest could not leave")
	}
	stays()
}

func (w *crew) isMember(c hosting.Caller) (is bool) {
	w.t.Helper()
	w.get(func(tx state.Tx) (err error) {
		_, is, err = w.sys.Members.Find(tx, state.K(string(c.Team.ID), string(c.User)))
		return err
	})
	return is
}

func TestRemoveMember_EndsTheirTokensForTheTeamAlone(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	dev := w.joined(ann, "dev", hosting.RoleDeveloper)
	w.token(dev, "in acme")
	w.token(dev, "in acme, too")
	w.token(w.as(dev.User, w.ownTeam(dev.User)), "at home")
	w.token(ann, "of ann")
	w.ok(w.RemoveMember(w.ctx(), ann, dev.User))
	w.logged(ann.Team.ID, "ann member.remove dev@site.test")
	if got := w.tokenNames(ann); !slices.Equal(got, []string{"of ann"}) {
		t.Errorf("the team's tokens are %q", got)
	}
	if got := w.tokenNames(w.as(dev.User, w.ownTeam(dev.User))); !slices.Equal(got, []string{"at home"}) {
		t.Errorf("their own team's tokens are %q", got)
	}
	w.refused(w.RemoveMember(w.ctx(), ann, dev.User), hosting.CodeNotFound)
}

func TestLeave_EndsTheCallersTokensForTheTeam(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	dev := w.joined(ann, "dev", hosting.RoleDeveloper)
	w.token(dev, "in acme")
	w.ok(w.Leave(w.ctx(), dev))
	if w.isMember(dev) || len(w.tokenNames(ann)) != 0 {
		t.Error("something is left")
	}
	w.logged(ann.Team.ID, "dev member.leave dev@site.test")
	w.refused(w.Leave(w.ctx(), dev), hosting.CodeNotFound)
	w.refused(w.Leave(w.ctx(), operator(ann.Team)), hosting.CodeNotFound)
}

func (w *crew) ownTeam(id hosting.UserID) (t hosting.Team) {
	w.t.Helper()
	w.get(func(tx state.Tx) error {
		u, err := w.sys.Users.Get(tx, state.K(string(id)))
		if err != nil {
			return err
		}
		t, err = w.sys.Teams.Get(tx, state.K(string(u.Team)))
		return err
	})
	return t
}

// tokenNames are the names of the tokens that a caller is shown.
func (w *crew) tokenNames(c hosting.Caller) (names []string) {
	w.t.Helper()
	for _, tok := range everything(w.t, func(p state.Page) (state.List[hosting.Token], error) { return w.ListTokens(w.ctx(), c, p) }) {
		names = append(names, tok.Name)
	}
	return names
}
