package notify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	// batch is how many messages go over one connection.
	batch = 20
	// lease is how long whoever claimed a message has for it, and batchTime how long it
	// takes at most, so that no other sends it meanwhile.
	lease     = 5 * time.Minute
	batchTime = 3 * time.Minute

	firstPause = 30 * time.Second
	maxPause   = 15 * time.Minute

	purpose    = "mail"
	maxSubject = 200
	maxText    = 64 << 10
)

// Config is what a Mailer works with. DB and Ring are needed.
type Config struct {
	DB     state.DB
	Ring   seal.Ring
	Server Server      // the zero Server: no mail is sent
	TLS    *tls.Config // whom to trust; nil: whom the machine trusts
	Now    func() time.Time
	Log    *slog.Logger
}

// Mailer is the outbox. All methods may be called concurrently.
type Mailer struct {
	cfg Config
	sys state.System
}

// New returns a Mailer. It starts nothing: Run does.
func New(cfg Config) *Mailer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Mailer{cfg: cfg, sys: cfg.DB.System()}
}

// Enabled reports whether mail is sent at all.
func (m *Mailer) Enabled() bool { return m.cfg.Server.Host != "" }

// Queue puts a message into the outbox, in the transaction of what it tells of. CodeInvalid
// for a message that would become another one by its address or subject, CodeUnavailable where
// no mail is sent.
func (m *Mailer) Queue(tx state.Tx, msg hosting.Mail) error {
	if !m.Enabled() {
		return hosting.Errorf(hosting.CodeUnavailable, "no mail is sent here").WithHint("the operator has to name a mail server")
	}
	if err := check(msg); err != nil {
		return err
	}
	row := state.Mail{
		ID: "mail_" + strings.ToLower(rand.Text()), To: msg.To, Subject: msg.Subject,
		NotBefore: m.cfg.Now(), Until: msg.Until,
	}
	row.Body = m.cfg.Ring.Seal(purpose, row.ID, []byte(msg.Text))
	if err := m.sys.Mails.Insert(tx, &row); err != nil {
		return fmt.Errorf("queue a mail: %w", err)
	}
	return nil
}

// check refuses what could become a header, or another recipient.
func check(msg hosting.Mail) error {
	to, err := mail.ParseAddress(msg.To)
	switch {
	case err != nil || to.Address != msg.To || len(msg.To) > 254 || strings.ContainsFunc(msg.To, unicode.IsControl):
		return hosting.Errorf(hosting.CodeInvalid, "%.80q is no mail address", msg.To)
	case msg.Subject == "" || len(msg.Subject) > maxSubject || strings.ContainsFunc(msg.Subject, unicode.IsControl):
		return hosting.Errorf(hosting.CodeInvalid, "a mail's subject is one line of 1 to %d bytes", maxSubject)
	case len(msg.Text) > maxText:
		return hosting.Errorf(hosting.CodeTooLarge, "a mail has at most %d bytes", maxText)
	}
	return nil
}

// claim takes the messages that are due, so that nobody else sends them for the time of the
// lease, and drops those that are worth nothing any more.
func (m *Mailer) claim(ctx context.Context) (claimed []state.Mail, err error) {
	now := m.cfg.Now()
	due := state.Key(state.Asc(uint64(now.UnixNano())))
	var found []state.Mail
	list := func(tx state.Tx) (err error) {
		found, _, err = m.sys.Mails.ListBy(tx, "due", "", "", batch)
		return err
	}
	// Most of the time there is nothing, and a View costs nothing.
	if err := m.cfg.DB.View(ctx, list); err != nil || len(found) == 0 || dueAt(found[0]) > due {
		return nil, err
	}
	err = m.cfg.DB.Update(ctx, func(tx state.Tx) error {
		claimed = nil
		if err := list(tx); err != nil {
			return err
		}
		for _, row := range found {
			if dueAt(row) > due {
				break
			}
			if !now.Before(row.Until) {
				m.cfg.Log.Warn("a mail was given up", "mail", row.ID, "attempts", row.Attempt)
				if err := m.sys.Mails.Delete(tx, state.K(row.ID)); err != nil {
					return err
				}
				continue
			}
			row.Attempt++
			row.NotBefore = now.Add(lease)
			if err := m.sys.Mails.Put(tx, &row); err != nil {
				return err
			}
			claimed = append(claimed, row)
		}
		return nil
	})
	return claimed, err
}

func dueAt(row state.Mail) state.Key { return state.Key(state.Asc(uint64(row.NotBefore.UnixNano()))) }

// drop removes a message that was sent, or that nobody will take.
func (m *Mailer) drop(ctx context.Context, row state.Mail) error {
	return m.cfg.DB.Update(ctx, func(tx state.Tx) error { return m.sys.Mails.Delete(tx, state.K(row.ID)) })
}

// postpone gives a claimed message back, to be tried again later: each time after twice as
// long. At once means that it was not tried.
func (m *Mailer) postpone(ctx context.Context, row state.Mail, atOnce bool) error {
	row.NotBefore = m.cfg.Now().Add(min(firstPause<<min(row.Attempt-1, 10), maxPause))
	if atOnce {
		row.NotBefore = m.cfg.Now()
		row.Attempt--
	}
	return m.cfg.DB.Update(ctx, func(tx state.Tx) error { return m.sys.Mails.Put(tx, &row) })
}
