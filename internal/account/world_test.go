package account

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// world is a Service over a real store, with a clock that the test turns, a mailer that keeps
// what it was given, and hashes that are counted and cost nothing.
type world struct {
	*Service
	t      *testing.T
	clock  *clock
	mails  *outbox
	hashes atomic.Int64
	path   string
}

func newWorld(t *testing.T, with ...func(*Config)) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	store, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, path: path, mails: &outbox{}, clock: &clock{at: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)}}
	cfg := Config{
		DB: state.DB{Store: store}, Now: w.clock.now, Mail: w.mails, Hashes: HashLimits{Parallel: 4, Waiting: 1000},
		URL: func(p string) string { return "https://control.test" + p },
	}
	for _, set := range with {
		set(&cfg)
	}
	w.Service = New(cfg)
	w.gate.derive = w.cheap
	return w
}

// another is a second process over the same store.
func (w *world) another() *Service {
	s := New(w.cfg)
	s.gate.derive = w.cheap
	return s
}

func (w *world) cheap(password string, salt []byte, p argon.Params) []byte {
	w.hashes.Add(1)
	sum := sha256.Sum256(fmt.Append(salt, p, password))
	return sum[:]
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) turn(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type outbox struct {
	mu   sync.Mutex
	sent []hosting.Mail
}

func (o *outbox) Enabled() bool { return true }

func (o *outbox) Queue(_ state.Tx, m hosting.Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, m)
	return nil
}

// links returns the secrets of the links to a page that were mailed to an address.
func (o *outbox) links(to, page string) (secrets []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.sent {
		if _, rest, ok := strings.Cut(m.Text, page+"?link="); ok && m.To == to {
			secret, _, _ := strings.Cut(rest, "\n")
			secrets = append(secrets, secret)
		}
	}
	return secrets
}

const good = "purple anchor seven tables"

var here = From{Addr: "192.0.2.7", Agent: "Test/1.0"}

func secretOf(l Link) string {
	_, secret, _ := strings.Cut(l.URL, "?link=")
	return secret
}

// owner makes the first person.
func (w *world) owner() SignedIn {
	w.t.Helper()
	l, err := w.OwnerLink(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.signUp("owner@site.test", secretOf(l))
}

func (w *world) signUp(email, link string) SignedIn {
	w.t.Helper()
	name, _, _ := strings.Cut(email, "@")
	in, err := w.SignUp(w.t.Context(), SignUp{Email: email, Name: name, Password: good, Link: link}, here)
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// member invites somebody into a team and takes them in.
func (w *world) member(email string, team hosting.TeamID, role hosting.Role) SignedIn {
	w.t.Helper()
	w.clock.turn(time.Millisecond) // what happens at one instant has no order in a log
	return w.signUp(email, w.invitation(email, team, role))
}

// invitation stores an invitation and returns its secret.
func (w *world) invitation(email string, team hosting.TeamID, role hosting.Role) string {
	w.t.Helper()
	secret := seal.NewToken()
	w.update(func(tx state.Tx) error {
		return w.sys.Invitations.Insert(tx, &state.Invitation{Hash: seal.Hash(secret), Invitation: hosting.Invitation{
			ID: hosting.NewInvitationID(), Team: team, Email: email, Role: role, InvitedBy: "owner",
			CreatedAt: w.now(), ExpiresAt: w.now().Add(linkLife),
		}})
	})
	return secret
}

// team stores a team without members.
func (w *world) team(slug string) hosting.Team {
	w.t.Helper()
	team := hosting.Team{ID: hosting.NewTeamID(), Slug: slug, Name: slug, CreatedAt: w.now()}
	w.update(func(tx state.Tx) error { return w.sys.Teams.Insert(tx, &team) })
	return team
}

func (w *world) enrol(team hosting.TeamID, user hosting.UserID, role hosting.Role) {
	w.t.Helper()
	w.update(func(tx state.Tx) error {
		return w.sys.Members.Put(tx, &hosting.Membership{Team: team, User: user, Role: role, JoinedAt: w.now()})
	})
}

func (w *world) suspend(id hosting.UserID, suspended bool) {
	w.t.Helper()
	_, err := w.SuspendUser(w.t.Context(), hosting.Caller{Via: hosting.ViaSocket, Operator: true}, id, suspended)
	w.is(err, "")
}

func (w *world) changeUser(id hosting.UserID, change func(*state.User)) {
	w.t.Helper()
	w.update(func(tx state.Tx) error {
		u, err := w.sys.Users.Get(tx, state.K(string(id)))
		if err != nil {
			return err
		}
		change(&u)
		return w.sys.Users.Put(tx, &u)
	})
}

func (w *world) user(id hosting.UserID) (u state.User) {
	w.t.Helper()
	w.view(func(tx state.Tx) (err error) {
		u, err = w.sys.Users.Get(tx, state.K(string(id)))
		return err
	})
	return u
}

func (w *world) update(fn func(state.Tx) error) {
	w.t.Helper()
	if err := w.cfg.DB.Update(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) view(fn func(state.Tx) error) {
	w.t.Helper()
	if err := w.cfg.DB.View(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// caller is who a session's secret belongs to.
func (w *world) caller(secret string) hosting.Caller {
	w.t.Helper()
	c, err := w.BySession(w.t.Context(), secret, "", here)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// audit returns the actions of a team's log, the newest first.
func (w *world) audit(team hosting.TeamID) (actions []string) {
	w.t.Helper()
	w.view(func(tx state.Tx) error {
		list, err := w.cfg.DB.Team(team).Audit.List(tx, "", "", 1000)
		for _, e := range list {
			actions = append(actions, e.Action)
		}
		return err
	})
	return actions
}

// is fails the test unless err has the code ("": none).
func (w *world) is(err error, code hosting.Code) {
	w.t.Helper()
	if hosting.CodeOf(err) != code {
		w.t.Fatalf("got %q (%v), want %q", hosting.CodeOf(err), err, code)
	}
}

// at runs fn n times at once and returns how often it had no error, and the errors.
func at(n int, fn func() error) (ok int, errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			err := fn()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				ok++
			} else {
				errs = append(errs, err)
			}
		})
	}
	close(start)
	wg.Wait()
	return ok, errs
}

var errPlanted = errors.New("planted")
