package account

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// rows counts what is stored of all that Run removes.
func (w *world) rows() (sessions, links, invitations, tries int) {
	w.t.Helper()
	w.view(func(tx state.Tx) error {
		s, err := w.sys.Sessions.List(tx, "", "", 5000)
		w.is(err, "")
		l, err := w.sys.Links.List(tx, "", "", 5000)
		w.is(err, "")
		i, err := w.sys.Invitations.List(tx, "", "", 5000)
		w.is(err, "")
		tr, err := w.sys.Tries.List(tx, "", "", 5000)
		sessions, links, invitations, tries = len(s), len(l), len(i), len(tr)
		return err
	})
	return sessions, links, invitations, tries
}

func TestTidy_RemovesWhatIsOverAndKeepsTheRest(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	w.logIn("owner@site.test")
	w.invitation("old@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	for i := range sweepMost + 20 {
		w.update(func(tx state.Tx) error {
			_, _, err := w.newLink(tx, state.Link{Kind: state.LinkReset, User: hosting.UserID(fmt.Sprint(i))})
			return err
		})
	}
	w.clock.turn(3 * time.Hour)
	w.caller(owner.Secret)
	w.invitation("new@site.test", hosting.DefaultTeam, hosting.RoleViewer)
	w.is(w.Forgot(t.Context(), "owner@site.test", here), "")
	_, err := w.LogIn(t.Context(), "nobody@site.test", "wrong password", here)
	w.is(err, hosting.CodeUnauthenticated)
	w.is(w.tidy(t.Context()), "")
	if s, l, i, tr := w.rows(); s != 2 || l != 1 || i != 1 || tr != 2 {
		t.Errorf("left are %d sessions, %d links, %d invitations, %d tries", s, l, i, tr)
	}
	w.clock.turn(10 * time.Hour)
	w.is(w.tidy(t.Context()), "")
	if s, l, i, tr := w.rows(); s != 1 || l != 0 || i != 0 || tr != 0 {
		t.Errorf("later %d sessions, %d links, %d invitations, %d tries are left", s, l, i, tr)
	}
	w.caller(owner.Secret)
}

func TestTidy_LooksAtAllSessionsInTurn(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	for i := range 3 * sweepMost / maxSessions {
		u := state.User{User: hosting.User{ID: hosting.UserID(fmt.Sprintf("usr_%03d", i))}}
		w.update(func(tx state.Tx) error {
			for range maxSessions {
				if _, err := w.begin(tx, &u, here); err != nil {
					return err
				}
			}
			return nil
		})
	}
	w.clock.turn(sessionIdle - time.Minute)
	w.caller(owner.Secret)
	w.clock.turn(time.Minute)
	w.is(w.tidy(t.Context()), "")
	if s, _, _, _ := w.rows(); s != 1 {
		t.Errorf("%d sessions are left, want the one that is used", s)
	}
}

func TestRun_WritesEachMinuteAndAtItsEnd(t *testing.T) {
	w := newWorld(t)
	owner := w.owner()
	seen := func() time.Time { return w.user(owner.User.ID).LastSeenAt }
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		w.clock.turn(time.Hour)
		w.caller(owner.Secret)
		noted := w.now()
		synctest.Wait()
		if seen().Equal(noted) {
			t.Error("a use was written before its minute: nothing was held back")
		}
		<-time.After(pass + time.Second) // the bubble's clock
		synctest.Wait()
		if !seen().Equal(noted) {
			t.Errorf("after a minute the use of %v is written as %v", noted, seen())
		}
		w.clock.turn(time.Hour)
		w.caller(owner.Secret)
		cancel()
		if err := <-done; err != nil || !seen().Equal(w.now()) {
			t.Errorf("at the end the use of %v is written as %v, %v", w.now(), seen(), err)
		}
	})
}
