package account

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestSession_EndsWhenItShould(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(w *world, in SignedIn)
		want hosting.Code // of the next request
	}{
		"used just now":                    {func(*world, SignedIn) {}, ""},
		"unused for less than 12 hours":    {func(w *world, _ SignedIn) { w.clock.turn(sessionIdle - time.Second) }, ""},
		"unused for 12 hours":              {func(w *world, _ SignedIn) { w.clock.turn(sessionIdle) }, hosting.CodeUnauthenticated},
		"used all along for under 14 days": {func(w *world, in SignedIn) { w.useFor(in, sessionLife-time.Hour) }, ""},
		"used all along for 14 days":       {func(w *world, in SignedIn) { w.useFor(in, sessionLife-time.Hour); w.clock.turn(time.Hour) }, hosting.CodeUnauthenticated},
		"somebody else logged out":         {func(w *world, in SignedIn) { w.is(w.LogOut(w.t.Context(), w.caller(in.Secret), "unknown"), "") }, ""},
		"logged out": {func(w *world, in SignedIn) {
			w.is(w.LogOut(w.t.Context(), w.caller(in.Secret), in.Secret), "")
		}, hosting.CodeUnauthenticated},
		"ended from another browser": {func(w *world, in SignedIn) {
			w.is(w.EndSession(w.t.Context(), w.caller(w.logIn(in.User.Email)), in.Session.ID), "")
		}, hosting.CodeUnauthenticated},
		"the password changed": {func(w *world, in SignedIn) {
			_, err := w.ChangePassword(w.t.Context(), w.caller(in.Secret), good, "another long sentence", here)
			w.is(err, "")
		}, hosting.CodeUnauthenticated},
		"the password did not change": {func(w *world, in SignedIn) {
			_, err := w.ChangePassword(w.t.Context(), w.caller(in.Secret), "not the password", "another long sentence", here)
			w.is(err, hosting.CodeForbidden)
		}, ""},
		"the password was reset": {func(w *world, in SignedIn) {
			l, err := w.ResetLink(w.t.Context(), hosting.Caller{Via: hosting.ViaSocket}, in.User.ID)
			w.is(err, "")
			w.is(w.Reset(w.t.Context(), secretOf(l), "another long sentence", here), "")
		}, hosting.CodeUnauthenticated},
		"suspended": {func(w *world, in SignedIn) { w.second(); w.suspend(in.User.ID, true) }, hosting.CodeUnauthenticated},
		"suspended, the session is there": {func(w *world, in SignedIn) {
			w.changeUser(in.User.ID, func(u *state.User) { u.Suspended = true })
		}, hosting.CodeForbidden},
		"the credential changed, the session is there": {func(w *world, in SignedIn) {
			w.changeUser(in.User.ID, func(u *state.User) { u.Entered++ })
		}, hosting.CodeUnauthenticated},
		"suspended, and not any more": {func(w *world, in SignedIn) {
			w.second()
			w.suspend(in.User.ID, true)
			w.suspend(in.User.ID, false)
		}, hosting.CodeUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			in := w.owner()
			tc.do(w, in)
			_, err := w.BySession(t.Context(), in.Secret, "", here)
			w.is(err, tc.want)
		})
	}
}

// second makes another operator, without whom the first cannot be suspended.
func (w *world) second() {
	w.t.Helper()
	in := w.member("second@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	w.changeUser(in.User.ID, func(u *state.User) { u.Operator = true })
}

// useFor makes a request every six hours.
func (w *world) useFor(in SignedIn, d time.Duration) {
	for d > 0 {
		step := min(d, 6*time.Hour)
		w.clock.turn(step)
		w.caller(in.Secret)
		w.is(w.flush(w.t.Context()), "")
		d -= step
	}
}

func (w *world) logIn(email string) string {
	w.t.Helper()
	in, err := w.LogIn(w.t.Context(), email, good, here)
	w.is(err, "")
	return in.Secret
}

func TestChangePassword_EndsEverySessionButTheNewOne(t *testing.T) {
	w := newWorld(t)
	first := w.owner()
	others := []string{first.Secret, w.logIn("owner@site.test"), w.logIn("owner@site.test")}
	in, err := w.ChangePassword(t.Context(), w.caller(first.Secret), good, "another long sentence", here)
	w.is(err, "")
	for _, secret := range others {
		_, err := w.BySession(t.Context(), secret, "", here)
		w.is(err, hosting.CodeUnauthenticated)
	}
	w.caller(in.Secret)
	_, err = w.LogIn(t.Context(), "owner@site.test", good, here)
	w.is(err, hosting.CodeUnauthenticated)
	_, err = w.LogIn(t.Context(), "owner@site.test", "another long sentence", here)
	w.is(err, "")
}

func TestLogIn_MakesANewSecretEachTime(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{w.owner().Secret: true}
	for range 5 {
		secret := w.logIn("owner@site.test")
		if seen[secret] || len(secret) < 50 {
			t.Fatalf("the secret %d characters long was there before, or is no 256 bits", len(secret))
		}
		seen[secret] = true
	}
	for _, planted := range []string{"", "planted", strings.Repeat("a", 52), seal.Hash("planted")} {
		_, err := w.BySession(t.Context(), planted, "", here)
		w.is(err, hosting.CodeUnauthenticated)
	}
}

func TestBegin_KeepsTheFiftyNewestSessions(t *testing.T) {
	w := newWorld(t)
	first := w.owner()
	second := w.logInLater()
	for range maxSessions - 1 {
		w.logInLater()
	}
	_, err := w.BySession(t.Context(), first.Secret, "", here)
	w.is(err, hosting.CodeUnauthenticated)
	list, err := w.ListSessions(t.Context(), w.caller(second), state.Page{Limit: 100})
	w.is(err, "")
	if len(list.Items) != maxSessions {
		t.Errorf("%d sessions, want %d", len(list.Items), maxSessions)
	}
}

func (w *world) logInLater() string {
	w.clock.turn(time.Second)
	return w.logIn("owner@site.test")
}

func TestListSessions_ShowsOnesOwnAndWhichAsks(t *testing.T) {
	w := newWorld(t)
	ann := w.owner()
	bob := w.member("bob@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	w.clock.turn(time.Hour)
	in, err := w.LogIn(t.Context(), "owner@site.test", good, From{Addr: "192.0.2.9", Agent: "Evil\x1b[31m\n" + strings.Repeat("ä", 300)})
	w.is(err, "")
	list, err := w.ListSessions(t.Context(), w.caller(in.Secret), state.Page{})
	w.is(err, "")
	if len(list.Items) != 2 || list.Items[0].ID != in.Session.ID || !list.Items[0].Current || list.Items[1].Current {
		t.Fatalf("the list is %+v", list.Items)
	}
	if a := list.Items[0].Agent; len(a) > maxAgent || !strings.HasPrefix(a, "Evil[31m") {
		t.Errorf("the browser's name is kept as %q", a)
	}
	w.is(w.EndSession(t.Context(), w.caller(bob.Secret), ann.Session.ID), hosting.CodeNotFound)
	w.is(w.LogOut(t.Context(), w.caller(bob.Secret), ann.Secret), "")
	w.caller(ann.Secret) // is still signed in
	w.clock.turn(sessionIdle - time.Minute)
	w.caller(in.Secret)
	w.clock.turn(2 * time.Minute)
	list, err = w.ListSessions(t.Context(), w.caller(in.Secret), state.Page{})
	w.is(err, "")
	if len(list.Items) != 1 || !list.Items[0].LastSeenAt.Equal(w.now()) {
		t.Errorf("what is over is listed, or when it was used is not: %+v", list.Items)
	}
}

func TestFlush_WritesUsesForOtherProcessesAndRestarts(t *testing.T) {
	w := newWorld(t)
	in := w.owner()
	w.clock.turn(11 * time.Hour)
	w.caller(in.Secret)
	w.is(w.flush(t.Context()), "")
	w.clock.turn(11 * time.Hour)
	if _, err := w.another().BySession(t.Context(), in.Secret, "", here); err != nil {
		t.Errorf("the other process does not know of the use: %v", err)
	}
	if u := w.user(in.User.ID); !u.LastSeenAt.Equal(w.now().Add(-11 * time.Hour)) {
		t.Errorf("the person was seen at %v", u.LastSeenAt)
	}
	if n := len(w.used.at); n != 0 {
		t.Errorf("%d notes are left", n)
	}
}

func TestFlush_DoesNotBringBackWhatEnded(t *testing.T) {
	w := newWorld(t)
	in := w.owner()
	c := w.caller(in.Secret)
	w.is(w.LogOut(t.Context(), c, in.Secret), "")
	w.is(w.flush(t.Context()), "")
	_, err := w.BySession(t.Context(), in.Secret, "", here)
	w.is(err, hosting.CodeUnauthenticated)
}

func TestFlush_WritesMoreThanOneTransactionHolds(t *testing.T) {
	w := newWorld(t)
	in := w.owner()
	for i := range 2*flushMost + 10 {
		w.used.note(w.now(), use{useSession, fmt.Sprint("gone", i)})
	}
	w.clock.turn(time.Minute)
	w.caller(in.Secret)
	w.is(w.flush(t.Context()), "")
	if n := len(w.used.at); n != 0 {
		t.Errorf("%d notes are left", n)
	}
	if u := w.user(in.User.ID); !u.LastSeenAt.Equal(w.now()) {
		t.Error("a note among many was not written")
	}
}

func TestUsed_KeepsWhatIsNewerThanWhatWasWritten(t *testing.T) {
	u := newUsed()
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	u.note(early, use{useUser, "a"}, use{useUser, "b"})
	taken := u.some(10)
	u.note(late, use{useUser, "a"})
	u.written(taken)
	if got := u.some(10); len(got) != 1 || !got[use{useUser, "a"}].Equal(late) {
		t.Errorf("left are %v", got)
	}
}
