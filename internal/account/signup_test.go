package account

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestSignUp_MakesTheFirstPersonTheOwner(t *testing.T) {
	w := newWorld(t)
	in := w.owner()
	if !in.User.Operator || in.User.Team != hosting.DefaultTeam || in.User.Confirmed || !in.Session.Current {
		t.Errorf("the first person is %+v", in)
	}
	c := w.caller(in.Secret)
	if c.Role != hosting.RoleOwner || !c.Team.Personal || c.Team.Slug != "owner" || c.Team.Name != "owner" {
		t.Errorf("they act as %+v", c)
	}
	if log := w.audit(hosting.DefaultTeam); !slices.Equal(log, []string{"user.signup"}) {
		t.Errorf("the log says %v", log)
	}
	confirm := w.mails.links("owner@site.test", "/confirm")
	if len(confirm) != 1 {
		t.Fatalf("%d mails ask for a confirmation", len(confirm))
	}
	w.is(w.Confirm(t.Context(), confirm[0]), "")
	if !w.user(in.User.ID).Confirmed {
		t.Error("the address is not confirmed")
	}
	w.is(w.Confirm(t.Context(), confirm[0]), hosting.CodeNotFound)
}

func TestSignUp_TakesWhoMayCome(t *testing.T) {
	for name, tc := range map[string]struct {
		signup Signup
		email  string
		link   func(w *world) string
		want   hosting.Code
	}{
		"closed":                    {SignupClosed, "bob@site.test", nil, hosting.CodeForbidden},
		"closed when nothing said":  {"", "bob@site.test", nil, hosting.CodeForbidden},
		"by invitation, without":    {SignupInvite, "bob@site.test", nil, hosting.CodeForbidden},
		"open":                      {SignupOpen, "bob@site.test", nil, ""},
		"open, an address of ours":  {SignupOpen, " OWNER@site.test", nil, hosting.CodeConflict},
		"closed, of ours":           {SignupClosed, "owner@site.test", nil, hosting.CodeForbidden},
		"open, no address":          {SignupOpen, "bob", nil, hosting.CodeInvalid},
		"invited":                   {SignupClosed, "Bob@Site.test", invited("bob@site.test", 0), ""},
		"invited, another address":  {SignupClosed, "eve@site.test", invited("bob@site.test", 0), hosting.CodeForbidden},
		"invited, known address":    {SignupClosed, "owner@site.test", invited("owner@site.test", 0), hosting.CodeConflict},
		"invited, too late":         {SignupClosed, "bob@site.test", invited("bob@site.test", time.Hour), hosting.CodeNotFound},
		"invited, in time":          {SignupClosed, "bob@site.test", invited("bob@site.test", time.Hour-time.Second), ""},
		"an invitation of nobody's": {SignupOpen, "bob@site.test", func(*world) string { return "made up" }, hosting.CodeNotFound},
		"invited, the team is gone": {SignupClosed, "bob@site.test", func(w *world) string {
			return w.invitation("bob@site.test", hosting.NewTeamID(), hosting.RoleViewer)
		}, hosting.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Signup = tc.signup })
			w.owner()
			w.hashes.Store(0)
			in := SignUp{Email: tc.email, Name: " Bob ", Password: good}
			if tc.link != nil {
				in.Link = tc.link(w)
			}
			out, err := w.SignUp(t.Context(), in, here)
			w.is(err, tc.want)
			if err != nil {
				if w.hashes.Load() != 0 {
					t.Error("who is not let in costs a hash")
				}
				return
			}
			if c := w.caller(out.Secret); c.Name != "Bob" || c.Team.Slug != "bob" || !c.Team.Personal || c.Operator || c.Role != hosting.RoleOwner {
				t.Errorf("bob is %+v", c)
			}
			if out.User.Confirmed != (tc.link != nil) || len(w.mails.links("bob@site.test", "/confirm")) != 1 && tc.link == nil {
				t.Errorf("bob's address is confirmed: %v", out.User.Confirmed)
			}
			w.logIn("bob@site.test")
		})
	}
}

// invited makes an invitation and lets some time go by.
func invited(email string, ago time.Duration) func(w *world) string {
	return func(w *world) string {
		secret := w.invitation(email, hosting.DefaultTeam, hosting.RoleDeveloper)
		w.clock.turn(ago)
		return secret
	}
}

func TestSignUp_TakesTheInvitedIntoTheTeam(t *testing.T) {
	w := newWorld(t)
	w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleDeveloper)
	c, err := w.BySession(t.Context(), bob.Secret, string(hosting.DefaultTeam), here)
	w.is(err, "")
	if c.Role != hosting.RoleDeveloper {
		t.Errorf("bob is %s", c.Role)
	}
	if log := w.audit(hosting.DefaultTeam); log[0] != "member.join" {
		t.Errorf("the team's log says %v", log)
	}
	if log := w.audit(bob.User.Team); !slices.Equal(log, []string{"user.signup"}) {
		t.Errorf("bob's log says %v", log)
	}
}

func TestSignUp_WaitsForTheOwner(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Signup = SignupOpen })
	link := w.invitation("bob@site.test", hosting.DefaultTeam, hosting.RoleOwner)
	for _, link := range []string{"", "made up", link} {
		_, err := w.SignUp(t.Context(), SignUp{Email: "bob@site.test", Name: "Bob", Password: good, Link: link}, here)
		w.is(err, hosting.CodeSetup)
		_, err = w.Enter(t.Context(), External{Provider: "git", Subject: "1", Email: "bob@site.test", Verified: true}, link, here)
		w.is(err, hosting.CodeSetup)
	}
}

func TestSignUp_LeavesNothingBehindWhereItFails(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Mail = brokenMail{} })
	l, err := w.OwnerLink(t.Context())
	w.is(err, "")
	in := SignUp{Email: "owner@site.test", Name: "Ann", Password: good, Link: secretOf(l)}
	_, err = w.SignUp(t.Context(), in, here)
	w.is(err, hosting.CodeInternal)
	if claimed, _ := w.Claimed(t.Context()); claimed {
		t.Fatal("a failed sign-up owns the installation")
	}
	w.cfg.Mail = noMail{}
	_, err = w.SignUp(t.Context(), in, here)
	w.is(err, "")
}

type brokenMail struct{}

func (brokenMail) Enabled() bool { return true }

func (brokenMail) Queue(state.Tx, hosting.Mail) error { return errPlanted }

func TestPersonalSlug_IsFreeAndMadeOfNameOrAddress(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Signup = SignupOpen })
	w.owner()
	slugs := map[string]bool{}
	for _, tc := range []struct{ name, email, want string }{
		{"Ann Smith", "a1@site.test", "ann-smith"}, {"Ann Smith", "a2@site.test", "ann-smith-"}, {"Ann Smith", "a3@site.test", "ann-smith-"},
		{"李小龍", "bruce.lee@site.test", "bruce-lee"}, {"李", "9@site.test", "site"}, {"Default", "d@site.test", "default-"},
	} {
		in, err := w.SignUp(t.Context(), SignUp{Email: tc.email, Name: tc.name, Password: good}, here)
		w.is(err, "")
		slug := w.caller(in.Secret).Team.Slug
		if !strings.HasPrefix(slug, tc.want) || slugs[slug] || hosting.CheckSiteName(slug) != nil || slug == defaultSlug {
			t.Errorf("%s, %s gets the team %q", tc.name, tc.email, slug)
		}
		slugs[slug] = true
	}
}

func TestEnter_FindsPeopleByProviderAndSubjectAlone(t *testing.T) {
	ann := External{Provider: "git", Subject: "7", Email: "Ann@site.test", Name: "Ann", Verified: true}
	for name, tc := range map[string]struct {
		signup Signup
		before func(w *world) (link string)
		change func(x *External)
		want   hosting.Code
	}{
		"open":                     {SignupOpen, nil, nil, ""},
		"closed":                   {SignupClosed, nil, nil, hosting.CodeForbidden},
		"not vouched for":          {SignupOpen, nil, func(x *External) { x.Verified = false }, hosting.CodeForbidden},
		"no address":               {SignupOpen, nil, func(x *External) { x.Email = "" }, hosting.CodeInvalid},
		"no subject":               {SignupOpen, nil, func(x *External) { x.Subject = "" }, hosting.CodeInvalid},
		"a subject with a NUL":     {SignupOpen, nil, func(x *External) { x.Subject = "7\x00" }, hosting.CodeInvalid},
		"no name":                  {SignupOpen, nil, func(x *External) { x.Name = "\x1b" }, ""},
		"invited":                  {SignupClosed, invited("ann@site.test", 0), nil, ""},
		"invited, other address":   {SignupClosed, invited("bob@site.test", 0), nil, hosting.CodeForbidden},
		"invited, not vouched for": {SignupClosed, invited("ann@site.test", 0), func(x *External) { x.Verified = false }, hosting.CodeForbidden},
		"the address has a password": {SignupOpen, func(w *world) string {
			w.member("ann@site.test", hosting.DefaultTeam, hosting.RoleViewer)
			return ""
		}, nil, hosting.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Signup = tc.signup })
			w.owner()
			link, x := "", ann
			if tc.before != nil {
				link = tc.before(w)
			}
			if tc.change != nil {
				tc.change(&x)
			}
			first, err := w.Enter(t.Context(), x, link, here)
			w.is(err, tc.want)
			if err != nil {
				return
			}
			x.Email, x.Verified = "changed@site.test", false // the same person all the same
			again, err := w.Enter(t.Context(), x, "", here)
			w.is(err, "")
			if again.User.ID != first.User.ID || again.Secret == first.Secret || !first.User.Confirmed || w.user(first.User.ID).Password != "" {
				t.Errorf("first %+v, again %+v", first, again)
			}
			x.Provider = "other"
			_, err = w.Enter(t.Context(), x, "", here)
			if err == nil {
				t.Error("another provider's subject of that number is the same person")
			}
			_, err = w.ChangePassword(t.Context(), w.caller(first.Secret), "", "another long sentence", here)
			w.is(err, hosting.CodeConflict)
			w.suspend(first.User.ID, true)
			x.Provider = "git"
			_, err = w.Enter(t.Context(), x, "", here)
			w.is(err, hosting.CodeForbidden)
		})
	}
}

func TestEnter_CanBeTheFirstPerson(t *testing.T) {
	w := newWorld(t)
	l, err := w.OwnerLink(t.Context())
	w.is(err, "")
	in, err := w.Enter(t.Context(), External{Provider: "git", Subject: "7", Email: "ann@site.test", Name: "Ann", Verified: true}, secretOf(l), here)
	w.is(err, "")
	if !in.User.Operator || in.User.Team != hosting.DefaultTeam {
		t.Errorf("the first person is %+v", in.User)
	}
}

func TestLogIn_TellsTheSuspendedWhoKnowTheirPassword(t *testing.T) {
	w := newWorld(t)
	w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	w.suspend(bob.User.ID, true)
	_, err := w.LogIn(t.Context(), "bob@site.test", good, here)
	w.is(err, hosting.CodeForbidden)
	_, err = w.LogIn(t.Context(), "bob@site.test", "wrong password", here)
	w.is(err, hosting.CodeUnauthenticated)
	w.suspend(bob.User.ID, false)
	w.logIn("bob@site.test")
}
