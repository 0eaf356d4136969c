package deploy

import (
	"fmt"
	"iter"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// each yields the rows whose keys begin with prefix, in their order. The caller may change
// the row it was given, and no other.
func each[T any](tx state.Tx, rows state.Rows[T], prefix state.Key, key func(*T) state.Key) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		after := state.Key("")
		for {
			page, err := rows.List(tx, prefix, after, pageOfRows)
			if err != nil {
				var none T
				yield(none, fmt.Errorf("list rows: %w", err))
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if len(page) < pageOfRows {
				return
			}
			after = key(&page[len(page)-1])
		}
	}
}

// projects yields a team's projects.
func (s *Service) projects(tx state.Tx, team hosting.TeamID) iter.Seq2[hosting.Project, error] {
	return each(tx, s.team(team).Projects, "", func(p *hosting.Project) state.Key { return state.K(string(p.ID)) })
}

// teamIDs lists all teams. The first one is there before it has a row: whoever first owns the
// installation gets it.
func (s *Service) teamIDs(tx state.Tx) ([]hosting.TeamID, error) {
	ids := []hosting.TeamID{hosting.DefaultTeam}
	for t, err := range each(tx, s.sys.Teams, "", func(t *hosting.Team) state.Key { return state.K(string(t.ID)) }) {
		if err != nil {
			return nil, err
		}
		if t.ID != hosting.DefaultTeam {
			ids = append(ids, t.ID)
		}
	}
	return ids, nil
}

// teamOf returns a team with the quotas that hold for it.
func (s *Service) teamOf(tx state.Tx, id hosting.TeamID) (hosting.Team, error) {
	t, ok, err := s.sys.Teams.Find(tx, state.K(string(id)))
	if err != nil {
		return t, fmt.Errorf("find team %s: %w", id, err)
	}
	if !ok {
		t.ID = id
	}
	t.Quotas = t.Quotas.Or(s.cfg.Quotas)
	return t, nil
}
