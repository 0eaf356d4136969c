package account_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// victim is a team with one of everything, and the ids of it.
type victim struct {
	owner      hosting.Caller
	member     hosting.UserID
	invitation hosting.InvitationID
	token      hosting.TokenID
	project    hosting.ProjectID
}

func (w *crew) victim(slug, owner string) victim {
	w.t.Helper()
	v := victim{owner: w.team(slug, owner)}
	v.member = w.joined(v.owner, owner+"-dev", hosting.RoleDeveloper).User
	inv, _ := w.invited(v.owner, "new@"+owner+".test", hosting.RoleViewer)
	v.invitation, v.project = inv.ID, w.project(v.owner.Team.ID, "site-of-"+owner)
	v.token = w.token(v.owner, "token of "+owner).ID
	return v
}

// touches is all that can be done to something of a team by an id of it.
func (w *crew) touches(v victim) map[string]func(hosting.Caller) error {
	return map[string]func(hosting.Caller) error{
		"SetRole": func(c hosting.Caller) error {
			_, err := w.SetRole(w.ctx(), c, v.member, hosting.RoleViewer)
			return err
		},
		"WithdrawInvitation": func(c hosting.Caller) error { return w.WithdrawInvitation(w.ctx(), c, v.invitation) },
		"RevokeToken":        func(c hosting.Caller) error { return w.RevokeToken(w.ctx(), c, v.token) },
		"RemoveMember":       func(c hosting.Caller) error { return w.RemoveMember(w.ctx(), c, v.member) },
		"CreateToken": func(c hosting.Caller) error {
			_, err := w.CreateToken(w.ctx(), c, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Project: string(v.project)})
			return err
		},
		"Grant": func(c hosting.Caller) error {
			_, err := w.Grant(w.ctx(), c, challenge, hosting.NewToken{Name: "t", Scope: hosting.ScopeRead, Project: string(v.project)})
			return err
		},
	}
}

func TestTeams_AreOutOfReachByAnyID(t *testing.T) {
	for name := range new(crew).touches(victim{}) {
		t.Run(name, func(t *testing.T) {
			w := newCrew(t)
			v, o := w.victim("acme", "ann"), w.victim("other", "olga")
			before := w.dump()
			w.refused(w.touches(v)[name](o.owner), hosting.CodeNotFound)
			if w.dump() != before {
				t.Fatal("the refusal changed something")
			}
			w.ok(w.touches(v)[name](v.owner))
		})
	}
}

func TestTeams_AreOutOfSight(t *testing.T) {
	w := newCrew(t)
	v, o := w.victim("acme", "ann"), w.victim("other", "olga")
	lists := map[string]func(hosting.Caller) (any, error){
		"ListTeams":       func(c hosting.Caller) (any, error) { return w.ListTeams(w.ctx(), c) },
		"ListMembers":     func(c hosting.Caller) (any, error) { return w.ListMembers(w.ctx(), c, state.Page{}) },
		"ListInvitations": func(c hosting.Caller) (any, error) { return w.ListInvitations(w.ctx(), c, state.Page{}) },
		"ListTokens":      func(c hosting.Caller) (any, error) { return w.ListTokens(w.ctx(), c, state.Page{}) },
		"ListAudit":       func(c hosting.Caller) (any, error) { return w.ListAudit(w.ctx(), c, state.Page{}) },
	}
	for name, list := range lists {
		for _, c := range []struct{ own, other victim }{{v, o}, {o, v}} {
			got, err := list(c.own.owner)
			w.ok(err)
			text, err := json.Marshal(got)
			w.ok(err)
			if strings.Contains(string(text), c.other.owner.Name) {
				t.Errorf("%s shows %s something of %s: %s", name, c.own.owner.Name, c.other.owner.Name, text)
			}
			if !strings.Contains(string(text), c.own.owner.Name) && !strings.Contains(string(text), string(c.own.owner.Team.ID)) {
				t.Errorf("%s shows %s nothing of their own: %s", name, c.own.owner.Name, text)
			}
		}
	}
	// A cursor of one team's list leads to nothing of it in another's.
	for range 3 {
		w.token(v.owner, "more of ann")
	}
	first, err := w.ListTokens(w.ctx(), v.owner, state.Page{Limit: 2})
	w.ok(err)
	rest, err := w.ListTokens(w.ctx(), o.owner, state.Page{Limit: 2, After: first.Next})
	w.ok(err)
	for _, tok := range rest.Items {
		if tok.Team != o.owner.Team.ID {
			t.Errorf("a cursor of another team shows %+v", tok)
		}
	}
}

// What cannot be noted does not happen: one change of each kind, first while no entry can be
// written, then as its own control.
func TestChanges_DoNotHappenWithoutTheirNote(t *testing.T) {
	changes := map[string]func(*crew, victim) error{
		"CreateTeam": func(w *crew, v victim) error {
			_, err := w.CreateTeam(w.ctx(), v.owner, account.NewTeam{Name: "Another"})
			return err
		},
		"UpdateTeam": func(w *crew, v victim) error {
			_, err := w.UpdateTeam(w.ctx(), v.owner, "Another name")
			return err
		},
		"DeleteTeam": func(w *crew, v victim) error {
			_, err := w.DeleteTeam(w.ctx(), w.as(v.owner.User, w.empty))
			return err
		},
		"Leave": func(w *crew, v victim) error { return w.Leave(w.ctx(), w.as(v.member, v.owner.Team)) },
		"Invite": func(w *crew, v victim) error {
			_, err := w.Invite(w.ctx(), v.owner, "another@site.test", hosting.RoleViewer)
			return err
		},
		"InvitationLink": func(w *crew, v victim) error {
			_, err := w.InvitationLink(w.ctx(), operator(v.owner.Team), v.invitation)
			return err
		},
		"Accept": func(w *crew, _ victim) error {
			_, err := w.Accept(w.ctx(), w.guest, w.post.secret("guest@site.test"))
			return err
		},
		"SuspendUser": func(w *crew, v victim) error {
			_, err := w.SuspendUser(w.ctx(), operator(v.owner.Team), v.member, true)
			return err
		},
	}
	for name := range new(crew).touches(victim{}) {
		changes[name] = func(w *crew, v victim) error { return w.touches(v)[name](v.owner) }
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := newCrew(t)
			v := w.victim("acme", "ann")
			w.guest = w.person("guest")
			w.invited(v.owner, "guest@site.test", hosting.RoleViewer)
			w.empty = hosting.Team{ID: hosting.NewTeamID(), Slug: "empty", Name: "empty"}
			w.put(func(tx state.Tx) error { return w.sys.Teams.Insert(tx, &w.empty) })
			w.enrol(w.empty, v.owner.User, hosting.RoleOwner)
			w.enrol(w.empty, v.member, hosting.RoleViewer)
			before := w.dump()
			w.mute.Store(true)
			if err := change(w, v); !errors.Is(err, errMuted) {
				t.Fatalf("without a note: %v", err)
			}
			w.mute.Store(false)
			if w.dump() != before {
				t.Fatal("it happened all the same")
			}
			w.ok(change(w, v))
			if after := w.dump(); after == before || strings.Count(after, "\x00audit\x00") != strings.Count(before, "\x00audit\x00")+1 {
				t.Error("the change and its note are not there")
			}
		})
	}
}
