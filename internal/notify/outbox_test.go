package notify_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/notify"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// world is an outbox with a clock that a test moves.
type world struct {
	t    *testing.T
	file string
	db   state.DB
	ring seal.Ring
	log  bytes.Buffer

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, file: filepath.Join(t.TempDir(), "state.db"), now: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)}
	store, err := bolt.Open(w.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	key, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	w.db, w.ring = state.DB{Store: store}, seal.NewRing(key)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) mailer(o *postOffice, s notify.Server) *notify.Mailer {
	return notify.New(notify.Config{
		DB: w.db, Ring: w.ring, Server: s, TLS: &tls.Config{RootCAs: o.pool}, Now: w.clock, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
}

func (w *world) message(to string) hosting.Mail {
	return hosting.Mail{To: to, Subject: "Réset your password", Text: "Open https://fairway.test/reset#" + to + " within the hour.\n.\nFairway\n", Until: w.clock().Add(time.Hour)}
}

func (w *world) queue(m *notify.Mailer, to ...string) {
	w.t.Helper()
	err := w.db.Update(w.t.Context(), func(tx state.Tx) error {
		for _, a := range to {
			if err := m.Queue(tx, w.message(a)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) send(m *notify.Mailer) {
	w.t.Helper()
	if err := m.SendDue(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// left lists what is in the outbox.
func (w *world) left() (rows []state.Mail) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(tx state.Tx) (err error) {
		rows, err = w.db.System().Mails.List(tx, "", "", 100)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// recipients lists whom the office took messages for.
func recipients(o *postOffice) string {
	var to []string
	for _, l := range o.taken() {
		to = append(to, strings.TrimSuffix(l.to, "@example.com"))
	}
	return strings.Join(to, " ")
}

func TestRun_DeliversWhatWasQueuedOverOneConnectionABatch(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	const n = notify.Batch + 5
	for i := range n {
		w.queue(m, fmt.Sprintf("ann%d@example.com", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var first letter
	for i := range n {
		if l := <-o.took; i == 0 {
			first = l
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := w.message(first.to)
	if first.subject != want.Subject || first.text != want.Text || first.from != "no-reply@fairway.test" {
		t.Errorf("got %+v\nwant %+v", first, want)
	}
	for _, header := range []string{"From: =?utf-8?q?F=C3=A4irway?= <no-reply@fairway.test>", "Date: Thu, 26 Nov 2026 09:00:00 +0000", "Auto-Submitted: auto-generated", "Message-ID: <mail_"} {
		if !strings.Contains(first.raw, header) {
			t.Errorf("there is no %s in\n%s", header, first.raw)
		}
	}
	if len(w.left()) != 0 || o.connections != 2 {
		t.Errorf("%d messages are left, %d connections were made", len(w.left()), o.connections)
	}
}

func TestQueue_SendsNothingOfATransactionThatFails(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	failed := errors.New("the change failed")
	err := w.db.Update(t.Context(), func(tx state.Tx) error { return errors.Join(m.Queue(tx, w.message("ann@example.com")), failed) })
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	w.queue(m, "bob@example.com")
	w.send(m)
	if got := recipients(o); got != "bob" {
		t.Errorf("sent to %s", got)
	}
}

func TestQueue_RefusesWhatWouldBecomeAnotherMessage(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	for name, change := range map[string]func(*hosting.Mail){
		"a header in the subject":    func(m *hosting.Mail) { m.Subject = "Hello\r\nBcc: eve@example.com" },
		"a line feed":                func(m *hosting.Mail) { m.Subject = "Hello\nBcc: eve@example.com" },
		"a carriage return":          func(m *hosting.Mail) { m.Subject = "Hello\rBcc: eve@example.com" },
		"another line separator":     func(m *hosting.Mail) { m.Subject = "Hello\u0085Bcc: eve@example.com" },
		"no subject":                 func(m *hosting.Mail) { m.Subject = "" },
		"a header in the address":    func(m *hosting.Mail) { m.To = "ann@example.com\r\nBcc: eve@example.com" },
		"a command in the address":   func(m *hosting.Mail) { m.To = "ann@example.com>\r\nRCPT TO:<eve@example.com" },
		"two addresses":              func(m *hosting.Mail) { m.To = "ann@example.com, eve@example.com" },
		"an address with a name":     func(m *hosting.Mail) { m.To = "Ann <ann@example.com>" },
		"a quoted line":              func(m *hosting.Mail) { m.To = "\"a\r\nb\"@example.com" },
		"no address":                 func(m *hosting.Mail) { m.To = "ann" },
		"an address that is endless": func(m *hosting.Mail) { m.To = strings.Repeat("a", 300) + "@example.com" },
	} {
		msg := w.message("ann@example.com")
		change(&msg)
		err := w.db.Update(t.Context(), func(tx state.Tx) error { return m.Queue(tx, msg) })
		if !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	msg := w.message("ann@example.com")
	msg.Text = "Hello\r\n.\r\nMAIL FROM:<eve@example.com>\r\n" + strings.Repeat("long ", 1000) + "end\r\n"
	if err := w.db.Update(t.Context(), func(tx state.Tx) error { return m.Queue(tx, msg) }); err != nil {
		t.Fatal(err)
	}
	w.send(m)
	if got := o.taken(); len(got) != 1 || got[0].text != strings.ReplaceAll(msg.Text, "\r\n", "\n") {
		t.Errorf("got %.300q", fmt.Sprint(got))
	}
}

func TestSend_TriesAgainLaterAfterAPassingFault(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	ids := map[string]bool{}
	busy := true
	o.refuse(func(o *postOffice) {
		o.onData = func(int) error {
			if busy {
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "come again"}
			}
			return nil
		}
	})
	w.queue(m, "ann@example.com")
	w.send(m)
	first := w.left()
	if len(first) != 1 || first[0].Attempt != 1 || !first[0].NotBefore.Equal(w.clock().Add(notify.FirstPause)) {
		t.Fatalf("left: %+v", first)
	}
	w.wait(notify.FirstPause - time.Second)
	w.send(m) // too early
	w.wait(time.Second)
	w.send(m)
	if got := w.left(); len(got) != 1 || got[0].Attempt != 2 || !got[0].NotBefore.Equal(w.clock().Add(2*notify.FirstPause)) {
		t.Fatalf("left: %+v", got)
	}
	o.refuse(func(*postOffice) { busy = false })
	w.wait(2 * notify.FirstPause)
	w.send(m)
	for _, l := range o.taken() {
		ids[l.id] = true
	}
	if len(o.taken()) != 1 || !ids["<"+first[0].ID+"@fairway.test>"] || len(w.left()) != 0 {
		t.Errorf("took %+v, left %+v", o.taken(), w.left())
	}
}

func TestSend_GivesUpWhenAMessageIsWorthNothing(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	nobody := o.server(notify.Cleartext)
	nobody.Port = 1
	down, up := w.mailer(o, nobody), w.mailer(o, o.server(notify.Cleartext))
	w.queue(down, "ann@example.com")
	for w.clock().Before(time.Date(2026, 11, 26, 9, 59, 0, 0, time.UTC)) {
		w.send(down)
		if len(w.left()) != 1 {
			t.Fatalf("given up at %s", w.clock())
		}
		w.wait(notify.FirstPause)
	}
	w.queue(down, "bob@example.com")
	w.wait(20 * time.Minute)
	w.send(up)
	if got := recipients(o); got != "bob" || len(w.left()) != 0 {
		t.Errorf("sent to %s, left %+v", got, w.left())
	}
}

func TestSend_DropsWhatTheServerWillNeverTake(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	never := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	o.refuse(func(o *postOffice) {
		o.onRcpt = func(to string) error {
			if strings.HasPrefix(to, "nobody") {
				return never
			}
			return nil
		}
	})
	w.queue(m, "ann@example.com", "nobody@example.com", "bob@example.com")
	w.send(m)
	if got := recipients(o); !strings.Contains(got, "ann") || !strings.Contains(got, "bob") || len(w.left()) != 0 {
		t.Errorf("sent to %s, left %+v", got, w.left())
	}
	// That the sender is refused is the operator's to mend, and costs no message.
	o.refuse(func(o *postOffice) { o.onMail = func(string) error { return never } })
	w.queue(m, "cid@example.com")
	w.send(m)
	if len(w.left()) != 1 {
		t.Error("a message was lost since its sender is refused")
	}
}

func TestSend_RepeatsNothingThatWasTakenBeforeTheConnectionBroke(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	o.refuse(func(o *postOffice) { o.onReset = func(c *smtp.Conn) { _ = c.Conn().Close() } })
	w.queue(m, "ann@example.com", "bob@example.com")
	for range 2 {
		w.send(m)
		w.wait(notify.FirstPause)
	}
	if n := len(o.taken()); n != 2 || len(w.left()) != 0 {
		t.Errorf("%d were sent, %d are left\n%s", n, len(w.left()), w.log.String())
	}
}

func TestSend_ProtectsTheConnection(t *testing.T) {
	login := func(s notify.Server, password string) notify.Server {
		s.User, s.Password = "fairway", password
		return s
	}
	for name, c := range map[string]struct {
		office notify.Encryption
		login  bool
		change func(notify.Server) notify.Server
		trust  bool
		sent   bool
	}{
		"STARTTLS with a login":          {notify.StartTLS, true, func(s notify.Server) notify.Server { return login(s, "hunter2") }, true, true},
		"TLS with a login":               {notify.Direct, true, func(s notify.Server) notify.Server { s.TLS = notify.Direct; return login(s, "hunter2") }, true, true},
		"a wrong password":               {notify.StartTLS, true, func(s notify.Server) notify.Server { return login(s, "hunter3") }, true, false},
		"no STARTTLS":                    {notify.Cleartext, false, func(s notify.Server) notify.Server { return s }, true, false},
		"no STARTTLS, and none wanted":   {notify.Cleartext, false, func(s notify.Server) notify.Server { s.TLS = notify.Cleartext; return s }, true, true},
		"a certificate of somebody else": {notify.StartTLS, false, func(s notify.Server) notify.Server { return s }, false, false},
		"a login in clear text":          {notify.Cleartext, true, func(s notify.Server) notify.Server { s.TLS = notify.Cleartext; return login(s, "hunter2") }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w, o := newWorld(t), openPostOffice(t, c.office, c.login)
			if !c.trust {
				o.pool = nil
			}
			m := w.mailer(o, c.change(o.server(notify.StartTLS)))
			w.queue(m, "ann@example.com")
			w.send(m)
			if sent := len(o.taken()) == 1; sent != c.sent || len(w.left()) == len(o.taken()) {
				t.Errorf("taken: %d, left: %d\n%s", len(o.taken()), len(w.left()), w.log.String())
			}
			if log := w.log.String(); strings.Contains(log, "hunter") || strings.Contains(log, "reset#") || (log == "") != c.sent {
				t.Errorf("the log says too much, or nothing: %s", log)
			}
		})
	}
}

func TestQueue_SealsWhatAMessageSays(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	w.queue(m, "ann@example.com", "bob@example.com")
	file, err := os.ReadFile(w.file)
	if err != nil || bytes.Contains(file, []byte("reset#")) || !bytes.Contains(file, []byte("ann@example.com")) {
		t.Errorf("the store shows what the message says (%v), or is not where it is", err)
	}
	rows := w.left() // moved to another message, it does not open there
	rows[0].Body, rows[1].Body = rows[1].Body, rows[0].Body
	err = w.db.Update(t.Context(), func(tx state.Tx) error {
		return errors.Join(w.db.System().Mails.Put(tx, &rows[0]), w.db.System().Mails.Put(tx, &rows[1]))
	})
	if err != nil {
		t.Fatal(err)
	}
	w.queue(m, "cid@example.com")
	w.send(m)
	if got := recipients(o); got != "cid" || len(w.left()) != 0 {
		t.Errorf("sent to %s, left %+v", got, w.left())
	}
}

func TestSend_SendsOnceFromSeveralProcesses(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	var to []string
	for i := range 30 {
		to = append(to, fmt.Sprintf("ann%d@example.com", i))
	}
	var wg sync.WaitGroup
	one := w.mailer(o, o.server(notify.Cleartext))
	w.queue(one, to...)
	for range 4 {
		m := notify.New(notify.Config{DB: w.db, Ring: w.ring, Server: o.server(notify.Cleartext), Now: w.clock})
		wg.Go(func() {
			for range 3 {
				if err := m.SendDue(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for _, l := range o.taken() {
		seen[l.id]++
	}
	if len(seen) != len(to) || len(o.taken()) != len(to) || len(w.left()) != 0 {
		t.Errorf("%d messages were sent %d times, %d are left", len(seen), len(o.taken()), len(w.left()))
	}
}

func TestRun_PutsBackWhatItWasNotTimeFor(t *testing.T) {
	w, o := newWorld(t), openPostOffice(t, notify.Cleartext, false)
	m := w.mailer(o, o.server(notify.Cleartext))
	w.queue(m, "ann@example.com", "bob@example.com", "cid@example.com")
	ctx, cancel := context.WithCancel(t.Context())
	o.refuse(func(o *postOffice) { o.onData = func(int) error { cancel(); return nil } })
	if err := m.Run(ctx); err != nil {
		t.Fatal(err)
	}
	o.refuse(func(o *postOffice) { o.onData = nil })
	if n := len(o.taken()); n != 1 || len(w.left()) != 2 {
		t.Fatalf("%d were sent, %d are left", n, len(w.left()))
	}
	w.send(m) // at once
	if n := len(o.taken()); n != 3 || len(w.left()) != 0 {
		t.Errorf("%d were sent, %d are left", n, len(w.left()))
	}
}

func TestMailer_SaysThatNoneIsSent(t *testing.T) {
	w := newWorld(t)
	m := notify.New(notify.Config{DB: w.db, Ring: w.ring})
	err := w.db.Update(t.Context(), func(tx state.Tx) error { return m.Queue(tx, w.message("ann@example.com")) })
	if m.Enabled() || !hosting.Is(err, hosting.CodeUnavailable) || m.Run(t.Context()) != nil {
		t.Errorf("enabled %v, %v", m.Enabled(), err)
	}
}
