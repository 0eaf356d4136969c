package account

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestLogIn_HashesAtMostTenTimesAMinuteForAnAccount(t *testing.T) {
	for _, email := range []string{"owner@site.test", "nobody@site.test"} {
		t.Run(email, func(t *testing.T) {
			w := newWorld(t)
			owner := w.owner()
			services := []*Service{w.Service, w.another()}
			w.hashes.Store(0)
			var n atomic.Int64
			ok, errs := at(500, func() error {
				_, err := services[n.Add(1)%2].LogIn(t.Context(), email, "wrong password", here)
				return err
			})
			codes := map[hosting.Code]int{}
			for _, err := range errs {
				codes[hosting.CodeOf(err)]++
			}
			if ok != 0 || w.hashes.Load() != 10 || codes[hosting.CodeUnauthenticated] != 10 || codes[hosting.CodeLimited] != 490 {
				t.Fatalf("%d got in, %d hashes, answers %v", ok, w.hashes.Load(), codes)
			}
			w.caller(owner.Secret) // whom they try to lock out goes on
			if email != owner.User.Email {
				w.logIn(owner.User.Email) // and others get in
				return
			}
			_, err := w.LogIn(t.Context(), email, good, here)
			w.is(err, hosting.CodeLimited)
			if !strings.Contains(err.Error(), "60 seconds") {
				t.Errorf("how long to wait is said as %v", err)
			}
			w.clock.turn(time.Minute - time.Nanosecond)
			_, err = w.LogIn(t.Context(), email, good, here)
			w.is(err, hosting.CodeLimited)
			w.clock.turn(time.Nanosecond)
			w.logIn(email)
		})
	}
}

func TestLogIn_CannotTellUnknownFromWrong(t *testing.T) {
	w := newWorld(t)
	w.owner()
	w.changeUser(w.member("elsewhere@site.test", hosting.DefaultTeam, hosting.RoleViewer).User.ID, noPassword)
	for _, email := range []string{"owner@site.test", "nobody@site.test", "elsewhere@site.test", "no address", ""} {
		w.hashes.Store(0)
		_, err := w.LogIn(t.Context(), email, "wrong password", here)
		if err == nil || err.Error() != errWrong.Error() || hosting.CodeOf(err) != hosting.CodeUnauthenticated {
			t.Errorf("%q is answered %v", email, err)
		}
		if n := w.hashes.Load(); n != 1 {
			t.Errorf("%q costs %d hashes", email, n)
		}
	}
	w.logIn(" Owner@SITE.test ")
}

func TestLogIn_TakesASuccessBackAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.owner()
	for range 9 {
		_, err := w.LogIn(t.Context(), "owner@site.test", "wrong password", here)
		w.is(err, hosting.CodeUnauthenticated)
	}
	for range 3 { // more than ten with the failures
		w.logIn("owner@site.test")
	}
	_, err := w.LogIn(t.Context(), "owner@site.test", "wrong password", here)
	w.is(err, hosting.CodeUnauthenticated)
	_, err = w.LogIn(t.Context(), "owner@site.test", good, here)
	w.is(err, hosting.CodeLimited)
}

func TestLogIn_TellsTheAuditLogOnceOfABurst(t *testing.T) {
	w := newWorld(t)
	w.owner()
	burst := func() (entries int) {
		for range 30 {
			_, _ = w.LogIn(t.Context(), "owner@site.test", "wrong password", here)
		}
		for _, action := range w.audit(hosting.DefaultTeam) {
			if action == "user.login_failed" {
				entries++
			}
		}
		return entries
	}
	if n := burst(); n != 1 {
		t.Errorf("%d entries after a burst, want 1", n)
	}
	w.clock.turn(2 * time.Minute)
	if n := burst(); n != 1 {
		t.Errorf("%d entries after another within the hour, want 1", n)
	}
	w.clock.turn(notedEvery)
	if n := burst(); n != 2 {
		t.Errorf("%d entries after another an hour later, want 2", n)
	}
}

func TestReset_LetsInWhoWasLockedOut(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	for range 10 {
		_, _ = w.LogIn(t.Context(), "owner@site.test", "wrong password", here)
	}
	_, err := w.LogIn(t.Context(), "owner@site.test", good, here)
	w.is(err, hosting.CodeLimited)
	l, err := w.ResetLink(t.Context(), hosting.Caller{Via: hosting.ViaSocket}, owner.User.ID)
	w.is(err, "")
	w.is(w.Reset(t.Context(), secretOf(l), good+" again", here), "")
	_, err = w.LogIn(t.Context(), "owner@site.test", good+" again", here)
	w.is(err, "")
}

func TestChangePassword_CountsWrongOnesAsTries(t *testing.T) {
	w := newWorld(t)
	c := w.caller(w.owner().Secret)
	for range 10 {
		_, err := w.ChangePassword(t.Context(), c, "wrong password", "another long sentence", here)
		w.is(err, hosting.CodeForbidden)
	}
	_, err := w.ChangePassword(t.Context(), c, good, "another long sentence", here)
	w.is(err, hosting.CodeLimited)
	w.clock.turn(time.Minute)
	for range 12 { // refused for the new password: the old one was right
		_, err = w.ChangePassword(t.Context(), c, good, "short", here)
		w.is(err, hosting.CodeInvalid)
	}
	_, err = w.ChangePassword(t.Context(), c, good, good, here)
	w.is(err, hosting.CodeInvalid)
	_, err = w.ChangePassword(t.Context(), c, good, "another long sentence", here)
	w.is(err, "")
}
