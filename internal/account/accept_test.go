package account_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestAccept_IsForTheAddressAlone(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob, eve := w.person("bob"), w.person("eve")
	_, link := w.invited(ann, "bob@site.test", hosting.RoleDeveloper)
	before := w.dump()
	_, err := w.Accept(w.ctx(), eve, link)
	w.refused(err, hosting.CodeForbidden)
	if got := err.(*hosting.Error).Message; got != "the invitation is for another address" {
		t.Errorf("the message is %q", got)
	}
	if w.dump() != before {
		t.Fatal("a refusal changed something")
	}
	in, err := w.Accept(w.ctx(), bob, link)
	w.ok(err)
	if in.ID != ann.Team.ID || in.Role != hosting.RoleDeveloper || w.as(bob.User, ann.Team).Role != hosting.RoleDeveloper {
		t.Errorf("joined %+v", in)
	}
	w.logged(ann.Team.ID, "bob member.join bob@site.test as developer")
}

func TestAccept_WorksOnceOfAThousandTimes(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob := w.person("bob")
	_, link := w.invited(ann, "bob@site.test", hosting.RoleViewer)
	joined, errs := together(1000, func(int) error {
		_, err := w.Accept(w.ctx(), bob, link)
		return err
	})
	if joined != 1 {
		t.Fatalf("%d of 1000 joined", joined)
	}
	for _, err := range errs {
		w.refused(err, hosting.CodeNotFound)
	}
	// Nor after they left again.
	w.ok(w.Leave(w.ctx(), w.as(bob.User, ann.Team)))
	_, err := w.Accept(w.ctx(), bob, link)
	w.refused(err, hosting.CodeNotFound)
}

func TestAccept_RefusesWhatIsOver(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob := w.person("bob")
	for _, link := range []string{"", "x", w.over(ann, "bob@site.test"), w.ofDeleted("bob@site.test")} {
		_, err := w.Accept(w.ctx(), bob, link)
		w.refused(err, hosting.CodeNotFound)
	}
	_, link := w.invited(ann, "bob@site.test", hosting.RoleViewer)
	w.pass(59 * time.Minute)
	_, err := w.Accept(w.ctx(), bob, link)
	w.ok(err)
}

func (w *crew) over(c hosting.Caller, email string) string {
	_, link := w.invited(c, email, hosting.RoleViewer)
	w.pass(time.Hour)
	return link
}

func (w *crew) ofDeleted(email string) string {
	c := w.team("gone", "gregor")
	_, link := w.invited(c, email, hosting.RoleViewer)
	_, err := w.DeleteTeam(w.ctx(), c)
	w.ok(err)
	return link
}

func TestAccept_RefusesAMemberAndASuspendedTeam(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob := w.person("bob")
	_, link := w.invited(ann, "bob@site.test", hosting.RoleOwner)
	w.enrol(ann.Team, bob.User, hosting.RoleViewer)
	_, err := w.Accept(w.ctx(), bob, link)
	w.refused(err, hosting.CodeConflict)
	if got := w.as(bob.User, ann.Team).Role; got != hosting.RoleViewer {
		t.Errorf("the invitation made a viewer %s", got)
	}
	w.ok(w.Leave(w.ctx(), w.as(bob.User, ann.Team)))
	w.suspendTeam(ann.Team, true)
	_, err = w.Accept(w.ctx(), bob, link)
	w.refused(err, hosting.CodeForbidden)
	w.suspendTeam(ann.Team, false)
	_, err = w.Accept(w.ctx(), bob, link)
	w.ok(err)
}

func (w *crew) suspendTeam(t hosting.Team, suspended bool) {
	w.t.Helper()
	t.Suspended = suspended
	w.put(func(tx state.Tx) error { return w.sys.Teams.Put(tx, &t) })
}

func TestAccept_EndsAtTwoHundredMembers(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob := w.person("bob")
	w.put(func(tx state.Tx) error {
		for i := range 199 {
			m := hosting.Membership{Team: ann.Team.ID, User: hosting.UserID(fmt.Sprintf("usr_%d", i)), Role: hosting.RoleViewer}
			if err := w.sys.Members.Put(tx, &m); err != nil {
				return err
			}
		}
		return nil
	})
	_, link := w.invited(ann, "bob@site.test", hosting.RoleViewer)
	_, err := w.Accept(w.ctx(), bob, link)
	w.refused(err, hosting.CodeQuota)
	w.put(func(tx state.Tx) error { return w.sys.Members.Delete(tx, state.K(string(ann.Team.ID), "usr_0")) })
	_, err = w.Accept(w.ctx(), bob, link)
	w.ok(err)
}
