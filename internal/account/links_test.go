package account

import (
	"errors"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestLinks_WorkOnceForAHundredAtOnce(t *testing.T) {
	const many = 100
	for name, redeem := range map[string]func(w *world) func() error{
		"owner": func(w *world) func() error {
			l, err := w.OwnerLink(t.Context())
			w.is(err, "")
			return func() error {
				_, err := w.SignUp(t.Context(), SignUp{Email: string(hosting.NewUserID()) + "@site.test", Name: "Ann", Password: good, Link: secretOf(l)}, here)
				return err
			}
		},
		"invitation": func(w *world) func() error {
			w.owner()
			secret := w.invitation("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer)
			return func() error {
				_, err := w.SignUp(t.Context(), SignUp{Email: "bob@site.test", Name: "Bob", Password: good, Link: secret}, here)
				return err
			}
		},
		"reset": func(w *world) func() error {
			l, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket}, w.owner().User.ID)
			w.is(err, "")
			return func() error { return w.Reset(t.Context(), secretOf(l), string(hosting.NewUserID())+" is new", here) }
		},
		"confirm": func(w *world) func() error {
			w.owner()
			secret := w.mails.links("owner@site.test", "/confirm")[0]
			return func() error { return w.Confirm(t.Context(), secret) }
		},
		"invitation by another place": func(w *world) func() error {
			w.owner()
			secret := w.invitation("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer)
			return func() error {
				x := External{Provider: "git", Subject: string(hosting.NewUserID()), Email: "bob@site.test", Verified: true}
				_, err := w.Enter(t.Context(), x, secret, here)
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ok, errs := at(many, redeem(w))
			if ok != 1 {
				t.Errorf("the link worked %d times", ok)
			}
			for _, err := range errs {
				if _, shown := errors.AsType[*hosting.Error](err); !shown {
					t.Errorf("refused with %v", err)
				}
			}
		})
	}
}

func TestLinks_EndAfterAnHourAndAreGoodForTheirKindAlone(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	c := hosting.Caller{Via: hosting.ViaSocket}
	confirm := w.mails.links("owner@site.test", "/confirm")[0]
	w.is(w.Reset(t.Context(), confirm, "another long sentence", here), hosting.CodeNotFound)
	late, err := w.ResetLink(t.Context(), c, owner.User.ID)
	w.is(err, "")
	w.is(w.Confirm(t.Context(), secretOf(late)), hosting.CodeNotFound)
	if !late.ExpiresAt.Equal(w.now().Add(time.Hour)) {
		t.Errorf("the link is said to end at %v", late.ExpiresAt)
	}
	w.clock.turn(time.Hour - time.Second)
	inTime, err := w.ResetLink(t.Context(), c, owner.User.ID)
	w.is(err, "")
	w.clock.turn(time.Second)
	w.is(w.Reset(t.Context(), secretOf(late), "another long sentence", here), hosting.CodeNotFound)
	w.is(w.Confirm(t.Context(), confirm), hosting.CodeNotFound)
	w.is(w.Reset(t.Context(), secretOf(inTime), "another long sentence", here), "")
}

func TestLinks_AreOverOnceThePasswordChanged(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	l, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket}, owner.User.ID)
	w.is(err, "")
	_, err = w.ChangePassword(t.Context(), w.caller(owner.Secret), good, "another long sentence", here)
	w.is(err, "")
	w.is(w.Reset(t.Context(), secretOf(l), "a third long sentence", here), hosting.CodeNotFound)
	w.is(w.Confirm(t.Context(), w.mails.links("owner@site.test", "/confirm")[0]), hosting.CodeNotFound)
}

func TestOwnerLink_IsReplacedAndEndsWithTheFirstPerson(t *testing.T) {
	w := newWorld(t)
	first, err := w.OwnerLink(t.Context())
	w.is(err, "")
	second, err := w.OwnerLink(t.Context())
	w.is(err, "")
	if claimed, err := w.Claimed(t.Context()); claimed || err != nil {
		t.Fatalf("claimed %v, %v", claimed, err)
	}
	in := SignUp{Email: "owner@site.test", Name: "Ann", Password: good, Link: secretOf(first)}
	_, err = w.SignUp(t.Context(), in, here)
	w.is(err, hosting.CodeSetup)
	in.Link = secretOf(second)
	_, err = w.SignUp(t.Context(), in, here)
	w.is(err, "")
	for _, s := range []*Service{w.Service, w.another()} {
		if claimed, err := s.Claimed(t.Context()); !claimed || err != nil {
			t.Errorf("claimed %v, %v", claimed, err)
		}
	}
	_, err = w.OwnerLink(t.Context())
	w.is(err, hosting.CodeConflict)
	in.Email = "bob@site.test"
	_, err = w.SignUp(t.Context(), in, here)
	w.is(err, hosting.CodeNotFound)
}

func TestReset_RefusesABadPasswordAndLeavesTheLink(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	l, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket}, owner.User.ID)
	w.is(err, "")
	w.is(w.Reset(t.Context(), secretOf(l), "short", here), hosting.CodeInvalid)
	w.is(w.Reset(t.Context(), secretOf(l), "another long sentence", here), "")
	if u := w.user(owner.User.ID); !u.Confirmed {
		t.Error("who has the link that was sent to the address is not confirmed")
	}
}

func TestForgot_SaysAndDoesTheSameForEverybody(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	w.suspend(w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer).User.ID, true)
	for range 5 {
		for _, email := range []string{" Owner@Site.test", "bob@site.test", "nobody@site.test"} {
			w.is(w.Forgot(t.Context(), email, here), "")
		}
	}
	w.is(w.Forgot(t.Context(), "no address", here), hosting.CodeInvalid)
	links := w.mails.links("owner@site.test", "/reset")
	if len(links) != maxResets {
		t.Errorf("%d mails went out, want %d", len(links), maxResets)
	}
	if n := len(w.mails.links("bob@site.test", "/reset")) + len(w.mails.links("nobody@site.test", "/reset")); n != 0 {
		t.Errorf("%d mails went to a suspended person and to nobody", n)
	}
	w.view(func(tx state.Tx) error {
		for _, email := range []string{"owner@site.test", "bob@site.test", "nobody@site.test"} {
			row, err := w.sys.Tries.Get(tx, state.K(resetTries.account(email)))
			if err != nil || len(row.At) != maxResets {
				t.Errorf("%s is noted %d times, %v", email, len(row.At), err)
			}
		}
		return nil
	})
	w.is(w.Reset(t.Context(), links[1], "another long sentence", here), "")
	w.is(w.Reset(t.Context(), links[2], "a third long sentence", here), hosting.CodeNotFound)
	w.clock.turn(time.Hour)
	w.is(w.Forgot(t.Context(), owner.User.Email, here), "")
	if n := len(w.mails.links("owner@site.test", "/reset")); n != maxResets+1 {
		t.Errorf("%d mails after an hour, want one more", n)
	}
}

func TestForgot_DoesNothingWithoutMail(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Mail = nil })
	w.owner()
	w.is(w.Forgot(t.Context(), "owner@site.test", here), "")
	w.view(func(tx state.Tx) error {
		list, err := w.sys.Links.List(tx, "", "", 10)
		if len(list) > 0 {
			t.Errorf("%d links were made that nobody can get", len(list))
		}
		return err
	})
}

func TestResetLink_KeepsTheThreeNewest(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	var made []string
	for range maxResets + 1 {
		l, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket, Name: "operator"}, owner.User.ID)
		w.is(err, "")
		made = append(made, seal.Hash(secretOf(l)))
		w.clock.turn(time.Second)
	}
	w.view(func(tx state.Tx) error {
		for i, hash := range made {
			_, ok, err := w.sys.Links.Find(tx, state.K(hash))
			if err != nil || ok != (i > 0) {
				t.Errorf("link %d is there: %v, %v", i, ok, err)
			}
		}
		return nil
	})
	if got := w.audit(hosting.DefaultTeam)[0]; got != "user.reset_link" {
		t.Errorf("the log's newest entry is %s", got)
	}
	_, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket}, "usr_nobody")
	w.is(err, hosting.CodeNotFound)
}
