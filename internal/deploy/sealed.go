package deploy

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// sealVariable is the purpose that variables are sealed for.
const sealVariable = "variable"

// resealed is how many variables are sealed anew in one transaction: at most 4 MiB.
const resealed = 50

// contextOf binds a variable's sealed value to its place.
func contextOf(team hosting.TeamID, v *state.Variable) string {
	return string(team) + "/" + string(v.Project) + "/" + v.Name + "/" + string(v.Target)
}

func (s *Service) openVariable(team hosting.TeamID, v *state.Variable) (string, error) {
	value, err := s.cfg.Ring.Open(sealVariable, contextOf(team, v), v.Sealed)
	return string(value), err
}

// jobVariables returns what the build of a deployment gets. CodeConflict names a variable whose
// value does not open under any key that there is.
func (s *Service) jobVariables(tx state.Tx, d *hosting.Deployment) ([]hosting.JobVariable, error) {
	rows, err := s.variables(tx, d.Team, d.Project)
	if err != nil {
		return nil, err
	}
	var vars []hosting.JobVariable
	for i := range rows {
		v := &rows[i]
		if v.Target != d.Target {
			continue
		}
		value, err := s.openVariable(d.Team, v)
		if err != nil {
			return nil, hosting.Errorf(hosting.CodeConflict, "the value of the variable %s does not open: it was sealed under a key that Fairway no longer has", v.Name).
				WithHint("set the variable again, or have the operator bring the key back as old_key")
		}
		vars = append(vars, hosting.JobVariable{Name: v.Name, Value: value, Secret: v.Secret})
	}
	return vars, nil
}

// ResealVariables seals under the current key what is sealed under an older one, some at a
// time, and returns how many it sealed anew. Values that do not open stay as they are.
func (s *Service) ResealVariables(ctx context.Context) (int, error) {
	var teams []hosting.TeamID
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		teams, err = s.teamIDs(tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("list teams: %w", err)
	}
	total := 0
	for _, team := range teams {
		for after, more := state.Key(""), true; more; more = after != "" {
			var n int
			if n, after, err = s.resealSome(ctx, team, after); err != nil {
				return total, fmt.Errorf("seal the variables of %s anew: %w", team, err)
			}
			total += n
		}
	}
	return total, nil
}

// resealSome looks at one page of a team's variables behind after, and writes only if one of
// them is stale. The key that it returns is where the next page begins, "" behind the last.
func (s *Service) resealSome(ctx context.Context, team hosting.TeamID, after state.Key) (n int, next state.Key, err error) {
	rows := s.team(team).Variables
	var stale []state.Key
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		page, err := rows.List(tx, "", after, resealed)
		for i := range page {
			if s.cfg.Ring.Stale(page[i].Sealed) {
				stale = append(stale, variableKey(&page[i]))
			}
		}
		if len(page) == resealed {
			next = variableKey(&page[resealed-1])
		}
		return err
	})
	if err != nil || len(stale) == 0 {
		return 0, next, err
	}
	_, err = s.update(ctx, func(tx *change) error {
		n = 0
		for _, key := range stale {
			v, ok, err := rows.Find(tx, key)
			if err != nil {
				return err
			}
			if !ok || !s.reseal(team, &v) {
				continue
			}
			if err := rows.Put(tx, &v); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, next, err
}

// reseal seals a variable under the current key, if it is not and can be opened.
func (s *Service) reseal(team hosting.TeamID, v *state.Variable) bool {
	if !s.cfg.Ring.Stale(v.Sealed) {
		return false
	}
	value, err := s.openVariable(team, v)
	if err != nil {
		s.log.Error("a variable's value does not open and has to be set again", "project", v.Project, "name", v.Name)
		return false
	}
	v.Sealed = s.cfg.Ring.Seal(sealVariable, contextOf(team, v), []byte(value))
	return true
}

// resealAtStart has what was sealed before the key changed open without the old one.
func (s *Service) resealAtStart(ctx context.Context) {
	n, err := s.ResealVariables(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		s.log.Error("variables stay sealed under an old key; the next start tries again", "error", err)
	case n > 0:
		s.log.Info("variables were sealed anew under the current key", "count", n)
	}
}
