package account

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// ListAudit lists who did what in the team, newest first.
func (s *Service) ListAudit(ctx context.Context, c hosting.Caller, p state.Page) (list state.List[hosting.AuditEntry], err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		list, err = s.cfg.DB.Team(c.Team.ID).Audit.PageOf(tx, "", p)
		return err
	})
	return list, err
}

// note writes what the caller does into a team's audit log, in the transaction that does it.
func (s *Service) note(tx state.Tx, c hosting.Caller, team hosting.TeamID, e hosting.AuditEntry) error {
	return s.cfg.DB.Team(team).Note(tx, c, s.now(), e)
}
