package hosting

import "time"

// Mail is one message to one person, in plain text. To is a bare address and Subject one line:
// a mailer refuses whatever could become another header. Until is when the message is worth
// nothing any more; one that could not be sent by then is dropped.
type Mail struct {
	To, Subject, Text string
	Until             time.Time
}
