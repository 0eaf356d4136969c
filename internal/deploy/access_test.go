package deploy_test

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestSetAccess_ReachesTheTableAndStays(t *testing.T) {
	w := open(t)
	ctx := t.Context()
	w.teams(hosting.DefaultTeam)
	p := w.project("shop")
	w.ship(p, "x")
	table := func() hosting.Site {
		t.Helper()
		r, ok := w.table.Lookup("shop.localhost")
		if !ok {
			t.Fatal("the site is gone")
		}
		return r.Site
	}
	set := func(u hosting.AccessUpdate) hosting.ProjectAccess {
		t.Helper()
		got, err := w.SetAccess(ctx, ann, "shop", u)
		w.ok(err)
		return *got.Access
	}
	if got, err := w.FindProject(ctx, ann, "shop"); err != nil || *got.Access != (hosting.ProjectAccess{Production: "public", Previews: "public"}) {
		t.Errorf("a new project: %+v, %v", got.Access, err)
	}
	password := &hosting.AccessChange{Mode: hosting.AccessPassword, Password: "correct horse"}
	if got := set(hosting.AccessUpdate{Production: password}); got != (hosting.ProjectAccess{Production: "password", Previews: "public"}) {
		t.Errorf("told as %+v", got)
	}
	first := table()
	if first.Production != (hosting.Access{Mode: "password", Hash: "hash of correct horse"}) || !first.Previews.IsPublic() {
		t.Errorf("the table has %+v", first)
	}
	set(hosting.AccessUpdate{Previews: &hosting.AccessChange{Mode: hosting.AccessTeam}})
	if got := table(); got.Production != first.Production || got.Previews.Mode != hosting.AccessTeam || got.Seq <= first.Seq {
		t.Errorf("the table has %+v", got)
	}
	// Without a password the one stays that there is; and so it does over what else changes a site.
	set(hosting.AccessUpdate{Production: &hosting.AccessChange{Mode: hosting.AccessPassword}})
	for _, suspended := range []bool{true, false} {
		if _, err := w.SuspendProject(ctx, root, p.ID, suspended); err != nil {
			t.Fatal(err)
		}
	}
	if got := table(); got.Production != first.Production || got.Previews.Mode != hosting.AccessTeam {
		t.Errorf("after a suspension the table has %+v", got)
	}
	seq := table().Seq
	set(hosting.AccessUpdate{})
	if table().Seq != seq {
		t.Error("a change of nothing ended the visitors' sessions")
	}
	set(hosting.AccessUpdate{Production: &hosting.AccessChange{Mode: hosting.AccessPublic}})
	_, err := w.SetAccess(ctx, ann, "shop", hosting.AccessUpdate{Production: &hosting.AccessChange{Mode: hosting.AccessPassword}})
	if !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "no password") {
		t.Errorf("without any password: %v", err)
	}

	// The next project of that name begins open: what the former had is not its own.
	set(hosting.AccessUpdate{Production: password})
	if _, err := w.DeleteProject(ctx, ann, "shop"); err != nil {
		t.Fatal(err)
	}
	if again := w.project("shop"); again.Access.Production != hosting.AccessPublic {
		t.Errorf("a new project has the access of the one before: %+v", again.Access)
	}
}

func TestSetAccess_RefusesWhatIsNoAccess(t *testing.T) {
	w := open(t)
	w.project("shop")
	for name, c := range map[string]hosting.AccessChange{
		"no mode": {}, "another mode": {Mode: "members"}, "short": {Mode: "password", Password: "1234567"},
		"long": {Mode: "password", Password: strings.Repeat("x", 257)}, "for nothing": {Mode: "team", Password: "correct horse"},
	} {
		if _, err := w.SetAccess(t.Context(), ann, "shop", hosting.AccessUpdate{Previews: &c}); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.SetAccess(t.Context(), in("team_bob"), "shop", hosting.AccessUpdate{}); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("another team's: %v", err)
	}
}
