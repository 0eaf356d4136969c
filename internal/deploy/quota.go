package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// SetQuotas sets what a team may use: for the operator. What is there already stays, also
// where it is more.
func (s *Service) SetQuotas(ctx context.Context, c hosting.Caller, id hosting.TeamID, q hosting.Quotas) (hosting.Team, error) {
	if err := q.Check(); err != nil {
		return hosting.Team{}, err
	}
	var t hosting.Team
	done, err := s.update(ctx, func(tx *change) (err error) {
		if t, err = s.sys.Teams.Get(tx, state.K(string(id))); err != nil || t.Quotas == q {
			return err
		}
		t.Quotas = q
		if err := s.sys.Teams.Put(tx, &t); err != nil {
			return err
		}
		if _, err := tx.wakeQueue(); err != nil { // there may be room for a build
			return err
		}
		return tx.audit(c, id, hosting.AuditEntry{
			Action: "team.quotas", Target: string(id),
			Detail: fmt.Sprintf("projects %d, builds %d, bytes %d, files %d", q.Projects, q.Builds, q.Bytes, q.Files),
		})
	})
	if err != nil {
		return hosting.Team{}, fmt.Errorf("set quotas: %w", err)
	}
	s.announce(ctx, done)
	return t, nil
}

// checkProjects says whether a team may have another project.
func (s *Service) checkProjects(tx state.Tx, t hosting.Team) error {
	if t.Quotas.Projects == 0 {
		return nil
	}
	n := 0
	for _, err := range s.projects(tx, t.ID) {
		if err != nil {
			return err
		}
		if n++; n >= t.Quotas.Projects {
			return hosting.Errorf(hosting.CodeQuota, "the team has %d projects, its limit is %d", n, t.Quotas.Projects).
				WithHint("delete one that nobody needs, or ask the operator of this Fairway for more")
		}
	}
	return nil
}

// mayStart returns a predicate: whether a team has room for one more build, beside the given
// ones that run.
func (s *Service) mayStart(tx state.Tx, building map[hosting.TeamID]int) func(hosting.TeamID) (bool, error) {
	asked := map[hosting.TeamID]bool{}
	return func(id hosting.TeamID) (bool, error) {
		if free, ok := asked[id]; ok {
			return free, nil
		}
		t, err := s.teamOf(tx, id)
		asked[id] = t.Quotas.Builds == 0 || building[id] < t.Quotas.Builds
		return asked[id], err
	}
}

// limits are what holds for one deployment of a team.
func (s *Service) limits(tx state.Tx, team hosting.TeamID) (hosting.Limits, error) {
	l := s.cfg.Limits
	t, err := s.teamOf(tx, team)
	if t.Quotas.Files > 0 {
		l.Files = min(l.Files, t.Quotas.Files)
	}
	return l, err
}

// errUncounted is why a deployment cannot become READY yet: it may be too much for its team,
// and before that is said, the team's bytes have to be counted.
var errUncounted = errors.New("the team's bytes have to be counted first")

// charge adds what a deployment brings to what its team stores. If that is too much for the
// team, the deployment gets a Code instead, or fails with errUncounted unless counted says
// that what is stored was counted just now.
func (s *Service) charge(tx *change, d *hosting.Deployment, added int64, counted bool) error {
	t, err := s.teamOf(tx, d.Team)
	if err != nil {
		return err
	}
	total, err := s.storedBytes(tx, d.Team)
	if err != nil {
		return err
	}
	if limit := t.Quotas.Bytes; limit > 0 && added > 0 && total+added > limit {
		if !counted {
			return errUncounted
		}
		d.Code = hosting.FailQuota
		d.Reason = fmt.Sprintf("The team stores %s and may store %s; this deployment would add %s. "+
			"Delete projects that nobody needs, or ask the operator of this Fairway for more.", sizeText(total), sizeText(limit), sizeText(added))
		return nil
	}
	row, _, err := s.team(d.Team).Stored.Find(tx, state.K(string(d.Project)))
	if err != nil {
		return err
	}
	row.Project = d.Project
	row.Bytes, row.Added = row.Bytes+added, row.Added+added
	return s.team(d.Team).Stored.Put(tx, &row)
}

func (s *Service) storedBytes(tx state.Tx, team hosting.TeamID) (total int64, err error) {
	for row, err := range each(tx, s.team(team).Stored, "", storedKey) {
		if err != nil {
			return 0, err
		}
		total += row.Bytes
	}
	return total, nil
}

func storedKey(r *state.Stored) state.Key { return state.K(string(r.Project)) }
