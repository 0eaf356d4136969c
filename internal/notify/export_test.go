package notify

import "context"

// SendDue sends one batch, as Run does now and then.
func (m *Mailer) SendDue(ctx context.Context) error { return m.sendDue(ctx) }

// How long things take.
const (
	Lease      = lease
	FirstPause = firstPause
	Batch      = batch
)
