package account_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// crew is a service over a real store, with people who were written into it.
type crew struct {
	*account.Service
	t    *testing.T
	db   state.DB
	sys  state.System
	post *postbox
	// Of some tests: a team without projects, and somebody who is invited.
	empty hosting.Team
	guest hosting.Caller
	mute  atomic.Bool  // while set, no audit entry can be written
	time  atomic.Int64 // since the beginning; goes on a little at each look, so that all has an order
}

var beginning = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func newCrew(t *testing.T) *crew {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &crew{t: t, post: &postbox{}}
	w.db = state.DB{Store: muted{store, &w.mute}}
	w.sys = w.db.System()
	w.Service = account.New(account.Config{
		DB: w.db, Mail: w.post, Now: w.now, URL: func(p string) string { return "https://control.test" + p },
	})
	return w
}

func (w *crew) now() time.Time {
	return beginning.Add(time.Duration(w.time.Add(int64(time.Microsecond))))
}
func (w *crew) pass(d time.Duration) { w.time.Add(int64(d)) }
func (w *crew) ctx() context.Context { return w.t.Context() }
func (w *crew) put(fn func(state.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.ctx(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *crew) get(fn func(state.Tx) error) {
	w.t.Helper()
	if err := w.db.View(w.ctx(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// person writes somebody with their own team, and returns them as they act in it.
func (w *crew) person(name string) hosting.Caller {
	w.t.Helper()
	u := state.User{Entered: 1, User: hosting.User{
		ID: hosting.NewUserID(), Email: name + "@site.test", Name: name, Team: hosting.NewTeamID(), CreatedAt: w.now(),
	}}
	own := hosting.Team{ID: u.Team, Slug: name + "-own", Name: name, Personal: true, CreatedAt: w.now()}
	w.put(func(tx state.Tx) error {
		return errors.Join(w.sys.Users.Insert(tx, &u), w.sys.Teams.Insert(tx, &own))
	})
	w.enrol(own, u.ID, hosting.RoleOwner)
	return w.as(u.ID, own)
}

// team writes a team with one owner, and returns the owner as they act in it.
func (w *crew) team(slug, owner string) hosting.Caller {
	w.t.Helper()
	c := w.person(owner)
	t := hosting.Team{ID: hosting.NewTeamID(), Slug: slug, Name: slug, CreatedAt: w.now()}
	w.put(func(tx state.Tx) error { return w.sys.Teams.Insert(tx, &t) })
	w.enrol(t, c.User, hosting.RoleOwner)
	return w.as(c.User, t)
}

// joined writes somebody who is a member of the caller's team.
func (w *crew) joined(team hosting.Caller, name string, role hosting.Role) hosting.Caller {
	w.t.Helper()
	c := w.person(name)
	w.enrol(team.Team, c.User, role)
	return w.as(c.User, team.Team)
}

func (w *crew) enrol(t hosting.Team, user hosting.UserID, role hosting.Role) {
	w.t.Helper()
	w.put(func(tx state.Tx) error {
		return w.sys.Members.Put(tx, &hosting.Membership{Team: t.ID, User: user, Role: role, JoinedAt: w.now()})
	})
}

// as is a person who acts in a team, with the role that is stored.
func (w *crew) as(user hosting.UserID, t hosting.Team) (c hosting.Caller) {
	w.t.Helper()
	w.get(func(tx state.Tx) error {
		u, err := w.sys.Users.Get(tx, state.K(string(user)))
		if err != nil {
			return err
		}
		m, err := w.sys.Members.Get(tx, state.K(string(t.ID), string(user)))
		c = hosting.Caller{
			Via: hosting.ViaSession, User: user, Name: u.Name, Addr: "192.0.2.7", Team: t, Role: m.Role, Operator: u.Operator,
		}
		return err
	})
	return c
}

// operator is whoever can open the socket, in a team.
func operator(t hosting.Team) hosting.Caller {
	return hosting.Caller{Via: hosting.ViaSocket, Name: "operator", Team: t, Role: hosting.RoleOwner, Operator: true}
}

func (w *crew) change(id hosting.UserID, fn func(*state.User)) {
	w.t.Helper()
	w.put(func(tx state.Tx) error {
		u, err := w.sys.Users.Get(tx, state.K(string(id)))
		if err != nil {
			return err
		}
		fn(&u)
		return w.sys.Users.Put(tx, &u)
	})
}

func (w *crew) project(team hosting.TeamID, slug string) hosting.ProjectID {
	w.t.Helper()
	p := hosting.Project{ID: hosting.NewProjectID(), Team: team, Slug: slug, Name: slug, CreatedAt: w.now()}
	w.put(func(tx state.Tx) error { return w.db.Team(team).Projects.Insert(tx, &p) })
	return p.ID
}

func (w *crew) token(c hosting.Caller, name string) account.TokenSecret {
	w.t.Helper()
	tok, err := w.CreateToken(w.ctx(), c, hosting.NewToken{Name: name, Scope: hosting.ScopeRead})
	w.ok(err)
	return tok
}

func (w *crew) invited(c hosting.Caller, email string, role hosting.Role) (hosting.Invitation, string) {
	w.t.Helper()
	inv, err := w.Invite(w.ctx(), c, email, role)
	w.ok(err)
	return inv, w.post.secret(email)
}

// log returns what was done in a team, as "action detail", newest first, and by whom first.
func (w *crew) log(team hosting.TeamID) (lines []string) {
	w.t.Helper()
	list, err := w.ListAudit(w.ctx(), hosting.Caller{Team: hosting.Team{ID: team}}, state.Page{Limit: 100})
	w.ok(err)
	for _, e := range list.Items {
		lines = append(lines, strings.TrimSpace(e.Name+" "+e.Action+" "+e.Detail))
	}
	return lines
}

func (w *crew) logged(team hosting.TeamID, want string) {
	w.t.Helper()
	if got := w.log(team); len(got) == 0 || got[0] != want {
		w.t.Fatalf("the log says %q, want %q first", got, want)
	}
}

// dump is all that is stored.
func (w *crew) dump() string {
	w.t.Helper()
	var b strings.Builder
	w.get(func(tx state.Tx) error {
		var after []byte
		for {
			pairs, err := tx.Scan(nil, after, 100)
			if err != nil || len(pairs) == 0 {
				return err
			}
			for _, p := range pairs {
				b.Write(p.Key)
				b.Write(p.Value)
				b.WriteByte('\n')
			}
			after = append([]byte(nil), pairs[len(pairs)-1].Key...)
		}
	})
	return b.String()
}

func (w *crew) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused fails the test unless err has the code.
func (w *crew) refused(err error, code hosting.Code) {
	w.t.Helper()
	if hosting.CodeOf(err) != code {
		w.t.Fatalf("got %q (%v), want %q", hosting.CodeOf(err), err, code)
	}
}

// together runs fn n times at once, with its number, and returns how often it had no error,
// and the errors.
func together(n int, fn func(i int) error) (good int, errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			err := fn(i)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				good++
			} else {
				errs = append(errs, err)
			}
		})
	}
	close(start)
	wg.Wait()
	return good, errs
}

// everything pages through a list, two at a time.
func everything[T any](t *testing.T, list func(state.Page) (state.List[T], error)) (all []T) {
	t.Helper()
	page := state.Page{Limit: 2}
	for range 1000 {
		l, err := list(page)
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, l.Items...); l.Next == "" {
			return all
		}
		page.After = l.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// postbox keeps the mail that was queued.
type postbox struct {
	mu   sync.Mutex
	off  bool
	sent []hosting.Mail
}

func (p *postbox) Enabled() bool { return !p.off }

func (p *postbox) Queue(_ state.Tx, m hosting.Mail) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

// secret is that of the newest link which was mailed to an address.
func (p *postbox) secret(to string) (secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.sent {
		if m.To == to {
			_, rest, _ := strings.Cut(m.Text, "https://control.test/join?link=")
			secret, _, _ = strings.Cut(rest, "\n")
		}
	}
	return secret
}

// muted is a store in which, at times, no audit entry can be written.
type muted struct {
	state.Store
	mute *atomic.Bool
}

var errMuted = errors.New("planted: no entry can be written")

func (m muted) Update(ctx context.Context, fn func(state.Tx) error) error {
	return m.Store.Update(ctx, func(tx state.Tx) error { return fn(mutedTx{tx, m.mute}) })
}

type mutedTx struct {
	state.Tx
	mute *atomic.Bool
}

func (m mutedTx) Put(key, value []byte) error {
	if m.mute.Load() && strings.Contains(string(key), "\x00audit\x00") {
		return errMuted
	}
	return m.Tx.Put(key, value)
}

func stored(secret string) string { return seal.Hash(secret) }
