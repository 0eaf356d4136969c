package account

import (
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// noMail is the Mailer where no server is configured.
type noMail struct{}

// Enabled implements Mailer.
func (noMail) Enabled() bool { return false }

// Queue implements Mailer.
func (noMail) Queue(state.Tx, hosting.Mail) error { return nil }

// The texts hold nothing that a stranger can choose, such as a name: whoever signs up with
// somebody else's address must not write to them.
const (
	resetText = `Somebody, probably you, asked for a new password for the Fairway account of this address.

Set it here. The link works once, within an hour:

%s

If it was not you, do nothing: your password stays as it is.
`
	confirmText = `An account was made on Fairway with this address.

If it was you, confirm the address here. The link works once, within an hour:

%s

If it was not you, do nothing: the address stays unconfirmed.
`
)

func (s *Service) mailReset(tx state.Tx, u *state.User, url string, until time.Time) error {
	return s.cfg.Mail.Queue(tx, hosting.Mail{
		To: u.Email, Subject: "A new password for Fairway", Text: fmt.Sprintf(resetText, url), Until: until,
	})
}

// mailConfirm asks a new person to confirm their address, where mail can be sent.
func (s *Service) mailConfirm(tx state.Tx, u *state.User) error {
	if !s.cfg.Mail.Enabled() {
		return nil
	}
	secret, l, err := s.newLink(tx, state.Link{Kind: state.LinkConfirm, User: u.ID, Email: u.Email, Entered: u.Entered})
	if err != nil {
		return err
	}
	return s.cfg.Mail.Queue(tx, hosting.Mail{
		To: u.Email, Subject: "Confirm your address for Fairway",
		Text: fmt.Sprintf(confirmText, s.cfg.URL("/confirm?link="+secret)), Until: l.ExpiresAt,
	})
}
