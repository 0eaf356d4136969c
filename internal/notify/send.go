package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	// every is how long a message may lie in the outbox before it is looked for.
	every = 2 * time.Second
	// answerTime is how long the server has for each answer.
	answerTime = 10 * time.Second
)

// Run sends what is due until ctx ends. It returns nil, and at once where no mail is sent.
func (m *Mailer) Run(ctx context.Context) error {
	if !m.Enabled() {
		return nil
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := m.sendDue(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Log.Error("send mail", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sendDue sends one batch. Its error is about the outbox; what the server says only decides
// about the messages.
func (m *Mailer) sendDue(ctx context.Context) error {
	rows, err := m.claim(ctx)
	if err != nil || len(rows) == 0 {
		return err
	}
	crash.At("mail.claimed")
	// How each message ended is written down even when the process is asked to end.
	keep := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	conn, err := m.dial(ctx)
	if err != nil {
		m.cfg.Log.Warn("the mail server cannot be used", "error", said(err))
		return m.release(keep, rows, false)
	}
	defer func() { _ = conn.close() }() // what was accepted is accepted
	for i, row := range rows {
		if ctx.Err() != nil {
			return m.release(keep, rows[i:], true)
		}
		if err := m.settle(keep, row, m.send(conn, row)); err != nil {
			return err
		}
	}
	return nil
}

// release gives messages back that were not sent.
func (m *Mailer) release(ctx context.Context, rows []state.Mail, atOnce bool) error {
	var errs []error
	for _, row := range rows {
		errs = append(errs, m.postpone(ctx, row, atOnce))
	}
	return errors.Join(errs...)
}

// settle writes down how the sending of a message ended.
func (m *Mailer) settle(ctx context.Context, row state.Mail, err error) error {
	switch {
	case err == nil:
		crash.At("mail.sent")
		return m.drop(ctx, row)
	case refused(err) || errors.Is(err, errUnsendable):
		m.cfg.Log.Error("a mail was refused", "mail", row.ID, "error", said(err))
		return m.drop(ctx, row)
	}
	m.cfg.Log.Warn("a mail was not sent yet", "mail", row.ID, "attempt", row.Attempt, "error", said(err))
	return m.postpone(ctx, row, false)
}

// refused reports whether the server will never take the message. What it says of the sender or
// the credentials is the operator's to mend, and no reason to lose a message.
func refused(err error) bool {
	e, ok := errors.AsType[*mail.SendError](err)
	return ok && e.ErrorCode() >= 500 && (e.Reason == mail.ErrSMTPRcptTo || e.Reason == mail.ErrSMTPDataClose)
}

// said is an error's text as a log holds it: the server chose the words.
func said(err error) string {
	return fmt.Sprintf("%.300s", strings.Join(strings.Fields(err.Error()), " "))
}

// conn is a connection to the server.
type conn struct {
	client *mail.Client
	smtp   *smtp.Client
}

func (c *conn) close() error { return c.client.CloseWithSMTPClient(c.smtp) }

func (m *Mailer) dial(ctx context.Context) (*conn, error) {
	s := m.cfg.Server
	trust := &tls.Config{}
	if m.cfg.TLS != nil {
		trust = m.cfg.TLS.Clone()
	}
	trust.ServerName, trust.MinVersion = s.Host, tls.VersionTLS12
	options := []mail.Option{
		mail.WithPort(s.Port), mail.WithTimeout(answerTime), mail.WithTLSConfig(trust), mail.WithTLSPolicy(mail.TLSMandatory), mail.WithoutNoop(),
	}
	switch s.TLS {
	case Direct:
		options = append(options, mail.WithSSL())
	case Cleartext:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.User), mail.WithPassword(s.Password))
	}
	client, err := mail.NewClient(s.Host, options...)
	if err != nil {
		return nil, err
	}
	c, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{client, c}, nil
}

// errUnsendable is a message that no repetition helps.
var errUnsendable = errors.New("the message cannot be made")

func (m *Mailer) send(c *conn, row state.Mail) error {
	text, err := m.cfg.Ring.Open(purpose, row.ID, row.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsendable, err)
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	_, domain, _ := strings.Cut(m.cfg.Server.From.Address, "@")
	err = errors.Join(
		msg.FromFormat(m.cfg.Server.From.Name, m.cfg.Server.From.Address),
		msg.To(row.To),
	)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsendable, err)
	}
	msg.Subject(row.Subject)
	msg.SetDateWithValue(m.cfg.Now())
	msg.SetMessageIDWithValue(row.ID + "@" + domain) // the same each time, so that a second one is seen to be that
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(mail.TypeTextPlain, string(text))
	err = c.client.SendWithSMTPClient(c.smtp, msg)
	if msg.IsDelivered() {
		return nil // whatever went wrong afterwards
	}
	return err
}
