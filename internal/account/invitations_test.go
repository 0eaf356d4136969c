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

func TestInvite_MailsALinkThatIsStoredHashed(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	inv, secret := w.invited(ann, " New@Site.test ", hosting.RoleDeveloper)
	if secret != "" {
		t.Fatal("the mail went to the address as it was typed")
	}
	secret = w.post.secret("new@site.test")
	if inv.Email != "new@site.test" || inv.InvitedBy != "ann" || inv.ExpiresAt.Sub(inv.CreatedAt).Round(time.Second) != time.Hour || inv.Link != "" {
		t.Errorf("made %+v", inv)
	}
	if m := w.post.sent[0]; !m.Until.Equal(inv.ExpiresAt) || !strings.Contains(m.Text, "team acme on Fairway") {
		t.Errorf("mailed %+v", m)
	}
	if all := w.dump(); strings.Contains(all, secret) || !strings.Contains(all, stored(secret)) {
		t.Error("the secret is not stored as its hash alone")
	}
	w.logged(ann.Team.ID, "ann member.invite new@site.test as developer")
}

func TestInvite_RefusesWhatIsNotWellFormed(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	for _, email := range []string{"", "new", "a@b@c", "new@site.test\r\nBcc: x@y.z"} {
		if _, err := w.Invite(w.ctx(), ann, email, hosting.RoleViewer); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%q: %v", email, err)
		}
	}
	_, err := w.Invite(w.ctx(), ann, "new@site.test", "admin")
	w.refused(err, hosting.CodeInvalid)
	_, err = w.Invite(w.ctx(), ann, "new@site.test", hosting.RoleViewer)
	w.ok(err)
	_, err = w.Invite(w.ctx(), operator(hosting.Team{ID: hosting.DefaultTeam}), "new@site.test", hosting.RoleViewer)
	w.refused(err, hosting.CodeNotFound) // nobody has come yet whose team it is
}

func TestInvite_TellsTheLinkToTheOperatorAlone(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	boss := ann
	boss.Operator = true
	file := operator(ann.Team)
	file.Via = hosting.ViaFile
	cases := []struct {
		name           string
		caller         hosting.Caller
		withMail, with bool // told where mail is sent, and where none is
	}{
		{"owner", ann, false, false},
		{"operator by session", boss, false, true},
		{"operator at the socket", operator(ann.Team), true, true},
		{"operator by the file", file, true, true},
	}
	for i, c := range cases {
		for _, off := range []bool{false, true} {
			w.post.off = off
			before := len(w.post.sent)
			inv, err := w.Invite(w.ctx(), c.caller, fmt.Sprintf("new%d@site.test", i), hosting.RoleViewer)
			w.ok(err)
			want := c.withMail
			if off {
				want = c.with
			}
			if told := strings.HasPrefix(inv.Link, "https://control.test/join?link="); told != want {
				t.Errorf("%s, mail off %v: told %q", c.name, off, inv.Link)
			}
			if sent := len(w.post.sent) > before; sent == off {
				t.Errorf("%s, mail off %v: mailed %v", c.name, off, sent)
			}
		}
	}
	if strings.Contains(w.dump(), "join?link=") {
		t.Error("a link is stored")
	}
}

func TestInvite_ReplacesTheOneBefore(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	other := w.team("other", "olga")
	bob := w.person("bob")
	_, first := w.invited(ann, "bob@site.test", hosting.RoleOwner)
	_, elsewhere := w.invited(other, "bob@site.test", hosting.RoleViewer)
	_, second := w.invited(ann, "bob@site.test", hosting.RoleViewer)
	_, err := w.Accept(w.ctx(), bob, first)
	w.refused(err, hosting.CodeNotFound)
	for _, link := range []string{second, elsewhere} {
		in, err := w.Accept(w.ctx(), bob, link)
		w.ok(err)
		if in.Role != hosting.RoleViewer {
			t.Errorf("joined as %s", in.Role)
		}
	}
	_, err = w.Invite(w.ctx(), ann, "Bob@site.test", hosting.RoleOwner)
	w.refused(err, hosting.CodeConflict) // a member by now
}

func TestInvite_EndsAtAHundredThatAreOpen(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	invite := func(i int) error {
		_, err := w.Invite(w.ctx(), ann, fmt.Sprintf("n%d@site.test", i), hosting.RoleViewer)
		return err
	}
	for i := range 100 {
		w.ok(invite(i))
	}
	w.refused(invite(100), hosting.CodeQuota)
	w.ok(invite(7)) // in place of its own
	w.invited(w.team("other", "olga"), "n100@site.test", hosting.RoleViewer)
	w.pass(time.Hour)
	w.ok(invite(100))
}

func TestListInvitations_ShowsThoseThatAreOpen(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	list := func() (emails []string) {
		for _, inv := range everything(t, func(p state.Page) (state.List[hosting.Invitation], error) { return w.ListInvitations(w.ctx(), ann, p) }) {
			emails = append(emails, inv.Email)
		}
		return emails
	}
	for i := range 3 {
		w.invited(ann, fmt.Sprintf("old%d@site.test", i), hosting.RoleViewer)
	}
	w.pass(30 * time.Minute)
	for i := range 3 {
		w.invited(ann, fmt.Sprintf("new%d@site.test", i), hosting.RoleViewer)
	}
	want := []string{"new2@site.test", "new1@site.test", "new0@site.test", "old2@site.test", "old1@site.test", "old0@site.test"}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	w.pass(30 * time.Minute)
	if got := list(); !slices.Equal(got, want[:3]) {
		t.Errorf("an hour later %q", got)
	}
}

func TestWithdrawInvitation_MakesTheLinkWorthless(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob, carl := w.person("bob"), w.person("carl")
	inv, link := w.invited(ann, "bob@site.test", hosting.RoleViewer)
	_, other := w.invited(ann, "carl@site.test", hosting.RoleViewer)
	w.ok(w.WithdrawInvitation(w.ctx(), ann, inv.ID))
	w.logged(ann.Team.ID, "ann member.withdraw bob@site.test")
	w.refused(w.WithdrawInvitation(w.ctx(), ann, inv.ID), hosting.CodeNotFound)
	_, err := w.Accept(w.ctx(), bob, link)
	w.refused(err, hosting.CodeNotFound)
	_, err = w.Accept(w.ctx(), carl, other)
	w.ok(err)
}

func TestInvitationLink_ReplacesTheLink(t *testing.T) {
	w := newCrew(t)
	ann := w.team("acme", "ann")
	bob := w.person("bob")
	inv, old := w.invited(ann, "bob@site.test", hosting.RoleDeveloper)
	w.pass(59 * time.Minute)
	link, err := w.InvitationLink(w.ctx(), operator(hosting.Team{}), inv.ID)
	w.ok(err)
	w.pass(59 * time.Minute)
	_, secret, ok := strings.Cut(link.URL, "https://control.test/join?link=")
	if !ok || secret == old || !link.ExpiresAt.After(w.now()) {
		t.Fatalf("made %+v", link)
	}
	if strings.Contains(w.dump(), secret) {
		t.Error("the secret is stored")
	}
	_, err = w.Accept(w.ctx(), bob, old)
	w.refused(err, hosting.CodeNotFound)
	in, err := w.Accept(w.ctx(), bob, secret)
	w.ok(err)
	if in.Role != hosting.RoleDeveloper || in.ID != ann.Team.ID {
		t.Errorf("joined %+v", in)
	}
	_, err = w.InvitationLink(w.ctx(), operator(hosting.Team{}), inv.ID)
	w.refused(err, hosting.CodeNotFound)
	over, _ := w.invited(ann, "carl@site.test", hosting.RoleViewer)
	w.pass(time.Hour)
	_, err = w.InvitationLink(w.ctx(), operator(hosting.Team{}), over.ID)
	w.refused(err, hosting.CodeNotFound)
}
