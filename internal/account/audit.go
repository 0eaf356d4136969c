package account

import (
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// noteOwn writes what a person did with their account into the audit log of their own team.
func (s *Service) noteOwn(tx state.Tx, u *state.User, from From, e hosting.AuditEntry) error {
	return s.cfg.DB.Team(u.Team).Note(tx, asPerson(u, from), s.now(), e)
}

// asPerson is a caller for the audit log: a person whose session only begins, or who has shown
// a link.
func asPerson(u *state.User, from From) hosting.Caller {
	return hosting.Caller{Via: hosting.ViaSession, User: u.ID, Name: u.Name, Addr: from.Addr}
}
