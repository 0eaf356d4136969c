package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestCreateToken_IsStoredHashed(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	tok, err := w.CreateToken(w.ctx(), ann, hosting.NewToken{Name: " CI ", Scope: hosting.ScopeDeploy})
	w.ok(err)
	if tok.Name != "CI" || tok.User != ann.User || tok.Team != ann.Team.ID || tok.Project != "" {
		t.Errorf("made %+v", tok.Token)
	}
	if days := tok.ExpiresAt.Sub(tok.CreatedAt); days != 90*24*time.Hour {
		t.Errorf("it lives for %s", days)
	}
	if all := w.dump(); strings.Contains(all, tok.Secret) || !strings.Contains(all, stored(tok.Secret)) {
		t.Error("the secret is not stored as its hash alone")
	}
	w.logged(ann.Team.ID, "ann token.create CI: deploy, all projects, until 2027-02-24")
}

func TestCreateToken_RefusesWhatIsNotWellFormed(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	for _, in := range []hosting.NewToken{
		{Scope: "read"}, {Name: "a\tb", Scope: "read"}, {Name: "a"}, {Name: "a", Scope: "write"},
		{Name: "a", Scope: "read", Days: -1}, {Name: "a", Scope: "read", Days: 367},
	} {
		if _, err := w.CreateToken(w.ctx(), ann, in); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	for days, want := range map[int]int{1: 1, 366: 366, 0: 90} {
		tok, err := w.CreateToken(w.ctx(), ann, hosting.NewToken{Name: "a", Scope: "read", Days: days})
		w.ok(err)
		if got := int(tok.ExpiresAt.Sub(tok.CreatedAt) / (24 * time.Hour)); got != want {
			t.Errorf("%d days: %d", days, got)
		}
	}
}

func TestCreateToken_IsBoundByTheRoleOfNow(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	stranger := w.person("stranger")
	stranger.Team, stranger.Role = ann.Team, hosting.RoleOwner
	was := w.joined(ann, "was", hosting.RoleOwner) // what the caller says may be a moment old
	w.enrol(ann.Team, was.User, hosting.RoleViewer)
	read, deploy, admin := hosting.ScopeRead, hosting.ScopeDeploy, hosting.ScopeAdmin
	for _, c := range []struct {
		name   string
		caller hosting.Caller
		may    []hosting.Scope
	}{
		{"viewer", w.joined(ann, "view", hosting.RoleViewer), []hosting.Scope{read}},
		{"owner until a moment ago", was, []hosting.Scope{read}},
		{"developer", w.joined(ann, "dev", hosting.RoleDeveloper), []hosting.Scope{read, deploy, admin}},
		{"owner", ann, []hosting.Scope{read, deploy, admin}},
		{"operator", operator(ann.Team), []hosting.Scope{read, deploy, admin}},
		{"no member", stranger, nil},
	} {
		for _, scope := range []hosting.Scope{read, deploy, admin} {
			_, err := w.CreateToken(w.ctx(), c.caller, hosting.NewToken{Name: "t", Scope: scope})
			if may := slices.Contains(c.may, scope); may != (err == nil) {
				t.Errorf("%s, %s: %v", c.name, scope, err)
			}
		}
	}
}

func TestCreateToken_FindsTheTeamsProjectsAlone(t *testing.T) {
	w := newCrew(t)
	ann, olga := w.team("acme", "ann"), w.team("other", "olga")
	own, other := w.project(ann.Team.ID, "shop"), w.project(olga.Team.ID, "blog")
	for name, want := range map[string]hosting.ProjectID{
		string(own): own, "shop": own, string(other): "", "blog": "", "no such": "", "prj_2": "", "\x00": "",
	} {
		tok, err := w.CreateToken(w.ctx(), ann, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Project: name})
		if want == "" {
			w.refused(err, hosting.CodeNotFound)
			continue
		}
		w.ok(err)
		if tok.Project != want {
			t.Errorf("%q: the token is for %q", name, tok.Project)
		}
	}
	_, err := w.CreateToken(w.ctx(), olga, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Project: string(other)})
	w.ok(err)
}

func TestCreateToken_EndsAtAHundredOfOnePersonInOneTeam(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	dev := w.joined(ann, "dev", hosting.RoleDeveloper)
	create := func(c hosting.Caller, days int) error {
		_, err := w.CreateToken(w.ctx(), c, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Days: days})
		return err
	}
	for range 40 {
		w.ok(create(dev, 1))
	}
	made, errs := together(100, func(int) error { return create(dev, 10) })
	if made != 60 {
		t.Fatalf("%d tokens were made", made)
	}
	for _, err := range errs {
		w.refused(err, hosting.CodeQuota)
	}
	w.ok(create(ann, 1))
	w.ok(create(w.as(dev.User, w.ownTeam(dev.User)), 1))
	w.pass(24 * time.Hour) // those that are over make room
	w.ok(create(dev, 10))
	if n := len(w.tokenNames(dev)); n != 61 {
		t.Errorf("%d tokens are left", n)
	}
}

func TestListTokens_ShowsAnOwnerAllAndOthersTheirOwn(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	dev, view := w.joined(ann, "dev", hosting.RoleDeveloper), w.joined(ann, "view", hosting.RoleViewer)
	var all, devs []string
	for i := range 5 { // so that each page mixes them
		for _, c := range []hosting.Caller{ann, dev, operator(ann.Team)} {
			name := fmt.Sprintf("%s %d", c.Name, i)
			w.token(c, name)
			all = append(all, name)
			if c.User == dev.User {
				devs = append(devs, name)
			}
		}
	}
	w.token(w.as(dev.User, w.ownTeam(dev.User)), "at home")
	slices.Reverse(all)
	slices.Reverse(devs)
	for name, c := range map[string]struct {
		caller hosting.Caller
		want   []string
	}{"owner": {ann, all}, "operator": {operator(ann.Team), all}, "developer": {dev, devs}, "viewer": {view, nil}} {
		if got := w.tokenNames(c.caller); !slices.Equal(got, c.want) {
			t.Errorf("%s sees %q", name, got)
		}
	}
	byToken := ann
	byToken.Via, byToken.Token, byToken.Scope, byToken.Project = hosting.ViaToken, hosting.NewTokenID(), hosting.ScopeAdmin, w.project(ann.Team.ID, "shop")
	_, err := w.ListTokens(w.ctx(), byToken, state.Page{})
	w.refused(err, hosting.CodeForbidden)
	byToken.Project = ""
	_, err = w.ListTokens(w.ctx(), byToken, state.Page{})
	w.ok(err)
}

func TestRevokeToken_IsForOwnersAndTheirMaker(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	dev, view := w.joined(ann, "dev", hosting.RoleDeveloper), w.joined(ann, "view", hosting.RoleViewer)
	oneProject := ann
	oneProject.Project = w.project(ann.Team.ID, "shop")
	of := map[string]hosting.Caller{"owner's": ann, "developer's": dev, "operator's": operator(ann.Team)}
	for _, c := range []struct {
		name   string
		caller hosting.Caller
		may    []string
		code   hosting.Code
	}{
		{"owner", ann, []string{"owner's", "developer's", "operator's"}, ""},
		{"operator", operator(ann.Team), []string{"owner's", "developer's", "operator's"}, ""},
		{"developer", dev, []string{"developer's"}, hosting.CodeNotFound},
		{"viewer", view, nil, hosting.CodeNotFound},
		{"by a project's token", oneProject, nil, hosting.CodeForbidden},
	} {
		for whose, maker := range of {
			tok := w.token(maker, whose)
			err := w.RevokeToken(w.ctx(), c.caller, tok.ID)
			gone := !slices.Contains(w.tokenNames(maker), whose)
			if slices.Contains(c.may, whose) {
				w.ok(err)
				w.logged(ann.Team.ID, c.caller.Name+" token.revoke "+whose)
				w.refused(w.RevokeToken(w.ctx(), c.caller, tok.ID), hosting.CodeNotFound)
			} else {
				w.refused(err, c.code)
			}
			if gone != (err == nil) {
				t.Errorf("%s, the %s token: gone %v, %v", c.name, whose, gone, err)
			}
			if !gone {
				w.ok(w.RevokeToken(w.ctx(), ann, tok.ID))
			}
		}
	}
}
