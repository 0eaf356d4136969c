package account_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestCreateTeam_MakesItsMakerTheOwner(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	team, err := w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "  Acme & Söhne  "})
	w.ok(err)
	if team.Name != "Acme & Söhne" || team.Slug != "acme-s-hne" || team.Personal {
		t.Fatalf("made %+v", team)
	}
	teams, err := w.ListTeams(w.ctx(), ann)
	w.ok(err)
	if len(teams) != 2 || teams[0].ID != ann.Team.ID || teams[1].ID != team.ID || teams[1].Role != hosting.RoleOwner {
		t.Fatalf("ann's teams are %+v", teams)
	}
	w.logged(team.ID, "ann team.create acme-s-hne")
}

func TestCreateTeam_MakesAFreeSlugAndRefusesATakenOne(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	first, err := w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Acme"})
	w.ok(err)
	second, err := w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Acme"})
	w.ok(err)
	if first.Slug != "acme" || !strings.HasPrefix(second.Slug, "acme-") {
		t.Fatalf("the slugs are %q and %q", first.Slug, second.Slug)
	}
	_, err = w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Other", Slug: "acme"})
	w.refused(err, hosting.CodeConflict)
	_, err = w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Other", Slug: "acme2"})
	w.ok(err)
}

func TestCreateTeam_RefusesWhatIsNotWellFormed(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	for _, in := range []account.NewTeam{
		{Name: ""}, {Name: "a\nb"}, {Name: strings.Repeat("x", 101)}, {Name: "a", Slug: "ab"}, {Name: "a", Slug: "Acme"},
		{Name: "a", Slug: "-acme"}, {Name: "a", Slug: "team_default"}, {Name: "a", Slug: "default"}, {Name: "a", Slug: strings.Repeat("a", 41)},
	} {
		_, err := w.CreateTeam(w.ctx(), ann, in)
		if !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	_, err := w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: strings.Repeat("x", 100), Slug: strings.Repeat("a", 40)})
	w.ok(err)
}

func TestCreateTeam_EndsAtTwentyOfOneOwner(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	made, errs := together(30, func(i int) error {
		_, err := w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Many"})
		return err
	})
	if made != 20 {
		t.Fatalf("%d teams were made", made)
	}
	for _, err := range errs {
		w.refused(err, hosting.CodeQuota)
	}
	teams, err := w.ListTeams(w.ctx(), ann)
	w.ok(err)
	_, err = w.DeleteTeam(w.ctx(), w.as(ann.User, teams[1].Team))
	w.ok(err)
	_, err = w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Again"})
	w.ok(err)
	// Teams that somebody else owns do not count.
	bob := w.team("bobs", "bob")
	w.enrol(bob.Team, ann.User, hosting.RoleDeveloper)
	_, err = w.DeleteTeam(w.ctx(), w.as(ann.User, teams[2].Team))
	w.ok(err)
	_, err = w.CreateTeam(w.ctx(), ann, account.NewTeam{Name: "Once more"})
	w.ok(err)
}

func TestListTeams_TellsATokenOfItsTeamAlone(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	byToken := ann
	byToken.Via, byToken.Token, byToken.Scope = hosting.ViaToken, hosting.NewTokenID(), hosting.ScopeAdmin
	for name, c := range map[string]struct {
		caller hosting.Caller
		want   []string
	}{
		"session":  {ann, []string{"ann-own", "acme"}},
		"token":    {byToken, []string{"acme"}},
		"operator": {operator(ann.Team), []string{"acme"}},
		"nowhere":  {operator(hosting.Team{}), nil},
	} {
		teams, err := w.ListTeams(w.ctx(), c.caller)
		w.ok(err)
		var got []string
		for _, team := range teams {
			got = append(got, team.Slug)
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestUpdateTeam_ChangesTheNameAlone(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	other := w.team("other", "bob")
	team, err := w.UpdateTeam(w.ctx(), ann, " New name ")
	w.ok(err)
	want := ann.Team
	want.Name = "New name"
	if team != want {
		t.Fatalf("got %+v, want %+v", team, want)
	}
	w.logged(team.ID, "ann team.update name")
	_, err = w.UpdateTeam(w.ctx(), ann, "a\x1bb")
	w.refused(err, hosting.CodeInvalid)
	w.get(func(tx state.Tx) error {
		got, err := w.sys.Teams.Get(tx, state.K(string(other.Team.ID)))
		if got != other.Team {
			t.Errorf("the other team is %+v", got)
		}
		return err
	})
}

func TestDeleteTeam_NamesTheProjectsThatKeepIt(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	var ids []hosting.ProjectID
	for i := range 7 {
		ids = append(ids, w.project(ann.Team.ID, fmt.Sprintf("site-%d", i)))
	}
	_, err := w.DeleteTeam(w.ctx(), ann)
	w.refused(err, hosting.CodeConflict)
	if n := strings.Count(err.Error(), "site-"); n != 5 || !strings.Contains(err.Error(), "and more") {
		t.Errorf("the error is %q", err)
	}
	w.put(func(tx state.Tx) error {
		for _, id := range ids {
			if err := w.db.Team(ann.Team.ID).Projects.Delete(tx, state.K(string(id))); err != nil {
				return err
			}
		}
		// What they have left is no reason to keep the team.
		return w.sys.Trash.Put(tx, &state.Trash{Project: ids[0], Team: ann.Team.ID, DeletedAt: w.now()})
	})
	_, err = w.DeleteTeam(w.ctx(), ann)
	w.ok(err)
}

func TestDeleteTeam_LeavesAPersonTheirOwn(t *testing.T) {
	w := newCrew(t)
	ann := w.person("ann")
	_, err := w.DeleteTeam(w.ctx(), ann)
	w.refused(err, hosting.CodeConflict)
	_, err = w.DeleteTeam(w.ctx(), operator(ann.Team))
	w.refused(err, hosting.CodeConflict)
}

func TestDeleteTeam_TakesWhatBelongsToItAndKeepsItsLog(t *testing.T) {
	w := newCrew(t)
	ann, bob := w.team("acme", "ann"), w.team("other", "bob")
	for _, c := range []hosting.Caller{ann, bob} {
		w.joined(c, c.Name+"s-friend", hosting.RoleViewer)
		w.token(c, "ci")
		w.invited(c, "new@"+c.Name+".test", hosting.RoleViewer)
	}
	out, err := w.DeleteTeam(w.ctx(), ann)
	w.ok(err)
	if got := fmt.Sprint(out.Gone); got != "[memberships: 2 API tokens: 1 open invitations: 1]" || len(out.Later) != 1 {
		t.Errorf("the answer is %+v", out)
	}
	all := w.dump()
	for _, table := range []string{"team", "member", "token", "invitation"} {
		if strings.Contains(rows(all, "s\x00"+table), string(ann.Team.ID)) {
			t.Errorf("rows of %s are left", table)
		}
		if !strings.Contains(rows(all, "s\x00"+table), string(bob.Team.ID)) {
			t.Errorf("the other team's rows of %s are gone", table)
		}
	}
	w.logged(ann.Team.ID, "ann team.delete acme")
	_, err = w.DeleteTeam(w.ctx(), ann)
	w.refused(err, hosting.CodeNotFound)
}

// rows are the lines of a dump that begin with a prefix.
func rows(dump, prefix string) string {
	var out []string
	for _, line := range strings.Split(dump, "\n") {
		if strings.HasPrefix(line, prefix) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
