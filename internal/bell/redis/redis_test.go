package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/bell/belltest"
	"github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/servertest"
)

// server is a Redis of the test's own.
type server struct {
	*servertest.Server
	t    testing.TB
	addr string
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := servertest.Redis(t)
	return &server{s, t, s.Addr}
}

// open returns the bell of one process, once it listens.
func (s *server) open(only ...bell.Topic) *Bell {
	s.t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.addr, DialTimeout: time.Second})
	s.t.Cleanup(func() { _ = c.Close() })
	b := New(Config{Client: c, Local: local.New(), Only: only, Log: slog.New(slog.DiscardHandler)})
	s.t.Cleanup(func() { _ = b.Close() })
	probe := bell.Topic("probe")
	if len(only) > 0 {
		probe = only[0]
	}
	l := b.Listen(probe)
	defer l.Close()
	for n := range uint64(1000) { // until what another connection says is heard
		c.Publish(context.Background(), Prefix+string(probe), text(hosting.Mark{Seq: n + 1}))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		_, err := l.Await(ctx, hosting.Mark{})
		cancel()
		if err == nil {
			return b
		}
	}
	s.t.Fatal("the bell does not listen")
	return nil
}

func TestBell_KeepsTheContract(t *testing.T) {
	s := newServer(t)
	belltest.Run(t, func(t *testing.T) bell.Bell {
		if err := redis.NewClient(&redis.Options{Addr: s.addr}).Ping(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		inner := &server{t: t, addr: s.addr}
		return inner.open()
	})
}

// follow reads a number as every user of a bell does, in another process than its writer.
func TestBell_WakesOtherProcesses(t *testing.T) {
	s := newServer(t)
	here, there, edge := s.open(), s.open(), s.open(bell.Feed)
	const last = 2000
	var followers sync.WaitGroup
	for _, b := range []*Bell{there, edge} {
		followers.Go(func() {
			l := b.Listen(bell.Feed)
			defer l.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			for m := (hosting.Mark{}); m.Seq < last; {
				next, err := l.Await(ctx, m)
				if err != nil {
					t.Errorf("at %v: %v", m, err)
					return
				}
				m = next
			}
		})
	}
	l := edge.Listen(bell.Queue)
	defer l.Close()
	for n := range uint64(last) {
		if err := here.Announce(t.Context(), bell.Feed, hosting.Mark{Epoch: 1, Seq: n + 1}); err != nil {
			t.Fatal(err)
		}
	}
	_ = here.Announce(t.Context(), bell.Queue, hosting.Mark{Seq: 1})
	followers.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if m, err := l.Await(ctx, hosting.Mark{}); err == nil {
		t.Errorf("an edge hears of %v, which is not its topic", m)
	}
}

// Without Redis a bell rings within its process, at once, and goes on when Redis is back.
func TestBell_OutlivesRedis(t *testing.T) {
	s := newServer(t)
	here, there := s.open(), s.open()
	l, far := here.Listen(bell.Routes), there.Listen(bell.Routes)
	defer l.Close()
	defer far.Close()
	s.Kill()
	for n := range uint64(1000) {
		began := time.Now()
		if err := here.Announce(t.Context(), bell.Routes, hosting.Mark{Seq: n + 1}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > 100*time.Millisecond {
			t.Fatalf("an announcement waited %v for a Redis that is dead", d)
		}
	}
	if m, err := l.Await(t.Context(), hosting.Mark{}); err != nil || m.Seq != 1000 {
		t.Errorf("within the process: %v, %v", m, err)
	}
	s.Start()
	for n := uint64(1001); ; n++ { // until the subscription is there again
		_ = here.Announce(t.Context(), bell.Routes, hosting.Mark{Seq: n})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		m, err := far.Await(ctx, hosting.Mark{Seq: 1000})
		cancel()
		if err == nil && m.Seq > 1000 {
			return
		}
		if n > 1200 {
			t.Fatal("after Redis was back for 40 seconds the bell is still silent")
		}
	}
}

func TestParse_ReadsWhatIsSentAndNothingElse(t *testing.T) {
	for _, m := range []hosting.Mark{{}, {Epoch: 1, Seq: 2}, {Epoch: 1<<64 - 1, Seq: 1<<64 - 1}} {
		if got, ok := parse(text(m)); !ok || got != m {
			t.Errorf("%v is read as %v, %v", m, got, ok)
		}
	}
	for _, s := range []string{"", "1", "1 2 3", " 1 2", "1 2 ", "-1 2", "1  2", "01 2", "+1 2", "1\n2", "x y", fmt.Sprintf("%065d 1", 1)} {
		if m, ok := parse(s); ok {
			t.Errorf("%q is read as %v", s, m)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1 2")
	f.Add("18446744073709551615 0")
	f.Fuzz(func(t *testing.T, s string) {
		if m, ok := parse(s); ok && text(m) != s {
			t.Errorf("%q is read as %v", s, m)
		}
	})
}

// The users of docs/operations.md can do what control planes and edges do, and no more.
func TestBell_NeedsNoMoreThanItsUsers(t *testing.T) {
	s := newServer(t)
	admin := redis.NewClient(&redis.Options{Addr: s.addr})
	defer admin.Close()
	for _, user := range [][]any{
		{"acl", "setuser", "control", "on", ">secret", "resetchannels", "&fairway:bell:*", "-@all", "+ping", "+publish", "+psubscribe", "+punsubscribe", "+select", "+hello"},
		{"acl", "setuser", "edge", "on", ">secret", "resetchannels", "&fairway:bell:feed", "-@all", "+ping", "+subscribe", "+unsubscribe", "+select", "+hello"},
	} {
		if err := admin.Do(t.Context(), user...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	as := func(user string, only ...bell.Topic) (*Bell, *redis.Client) {
		c := redis.NewClient(&redis.Options{Addr: s.addr, Username: user, Password: "secret", DisableIdentity: true})
		t.Cleanup(func() { _ = c.Close() })
		b := New(Config{Client: c, Local: local.New(), Only: only, Log: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { _ = b.Close() })
		return b, c
	}
	control, _ := as("control")
	edge, thief := as("edge", bell.Feed)
	l := edge.Listen(bell.Feed)
	defer l.Close()
	heard := false
	for n := uint64(1); n < 500 && !heard; n++ {
		_ = control.Announce(t.Context(), bell.Feed, hosting.Mark{Seq: n})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := l.Await(ctx, hosting.Mark{})
		cancel()
		heard = err == nil
	}
	if !heard {
		t.Error("an edge hears nothing of the control plane")
	}
	for name, err := range map[string]error{
		"publish":              thief.Publish(t.Context(), Prefix+"feed", "9 9").Err(),
		"read a key":           thief.Get(t.Context(), "x").Err(),
		"hear of other things": func() error { _, err := thief.Subscribe(t.Context(), Prefix+"queue").Receive(t.Context()); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("an edge's user may %s: %v", name, err)
		}
	}
}
