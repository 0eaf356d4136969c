package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// expireEvery is how often the logs are looked for that are old.
const expireEvery = time.Hour

// expireLogs deletes the logs of deployments that ended longer ago than logs are kept. It goes
// through all deployments, some at a time: which logs are deleted is written at them, so a
// process that dies in between goes on later, and no log is deleted again and again.
func (s *Service) expireLogs(ctx context.Context) error {
	if s.cfg.LogLife == 0 {
		return nil
	}
	var teams []hosting.TeamID
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		teams, err = s.teamIDs(tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("list teams: %w", err)
	}
	var errs []error
	for _, team := range teams {
		err := s.expireTeam(ctx, team)
		if hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Service) expireTeam(ctx context.Context, team hosting.TeamID) error {
	var errs []error
	for after, more := state.Key(""), true; more; {
		var rows []hosting.Deployment
		err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
			rows, err = s.team(team).Deployments.List(tx, "", after, fewRows)
			return err
		})
		if err != nil {
			return fmt.Errorf("list deployments: %w", err)
		}
		if more = len(rows) == fewRows; more {
			after = state.K(string(rows[len(rows)-1].ID))
		}
		err = s.expire(ctx, team, rows)
		if hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil {
			return err
		}
		errs = append(errs, err) // a log that cannot be deleted must not keep the others
	}
	return errors.Join(errs...)
}

// expire deletes the logs of some deployments that are old, and then says so at them: a log that
// was said to be deleted before it is would stay for ever.
func (s *Service) expire(ctx context.Context, team hosting.TeamID, rows []hosting.Deployment) error {
	before := s.now().Add(-s.cfg.LogLife)
	var deleted []hosting.DeploymentID
	var errs []error
	for i := range rows {
		d := &rows[i]
		if !d.Status.Terminal() || !d.LogDeletedAt.IsZero() || !d.FinishedAt.Before(before) {
			continue
		}
		if err := s.deleteLog(ctx, d.ID); err != nil {
			errs = append(errs, fmt.Errorf("delete the log of %s: %w", d.ID, err))
			if hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil {
				break // the others would not be deleted either
			}
			continue
		}
		deleted = append(deleted, d.ID)
	}
	if len(deleted) > 0 {
		errs = append(errs, s.noteDeleted(ctx, team, deleted))
	}
	return errors.Join(errs...)
}

// noteDeleted rings no bell: nobody waits for what becomes of a deployment that has ended.
func (s *Service) noteDeleted(ctx context.Context, team hosting.TeamID, ids []hosting.DeploymentID) error {
	_, err := s.update(ctx, func(tx *change) error {
		for _, id := range ids {
			d, ok, err := s.team(team).Deployments.Find(tx, state.K(string(id)))
			if err != nil {
				return err
			}
			if !ok {
				continue // its project was deleted meanwhile
			}
			d.LogDeletedAt = s.now()
			d.Revision++
			if err := s.team(team).Deployments.Put(tx, &d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note which logs are deleted: %w", err)
	}
	return nil
}
