package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	maxVariables     = 200       // names in a project
	maxVariableBytes = 512 << 10 // all values of a project
)

// SetVariable is the input of a variable's setting. It always brings a value, so that a secret
// one can be made readable only together with another value.
type SetVariable struct {
	Value   string           `json:"value" maxLength:"65536"`
	Targets []hosting.Target `json:"targets,omitempty" maxItems:"2" doc:"Whose builds get it; both when absent"`
	Secret  bool             `json:"secret,omitempty" doc:"Never show it again, and mask it in logs"`
}

// ListVariables lists a project's variables by name and target; secret ones without their
// value, and so those whose value cannot be opened any more.
func (s *Service) ListVariables(ctx context.Context, c hosting.Caller, project string) ([]hosting.Variable, error) {
	list := []hosting.Variable{}
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		p, err := s.project(tx, c, project)
		if err != nil {
			return err
		}
		rows, err := s.variables(tx, p.Team, p.ID)
		for i := range rows {
			list = append(list, s.showVariable(p.Team, &rows[i]))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list variables: %w", err)
	}
	return list, nil
}

// SetVariable sets a project's variable for the builds of one target or both, and returns what
// it set.
func (s *Service) SetVariable(ctx context.Context, c hosting.Caller, project, name string, in SetVariable) ([]hosting.Variable, error) {
	targets, err := checkVariable(name, in)
	if err != nil {
		return nil, err
	}
	var set []hosting.Variable
	_, err = s.update(ctx, func(tx *change) error {
		p, err := s.projectToChange(tx, c, project)
		if err != nil {
			return err
		}
		set = nil
		for _, target := range targets {
			v := state.Variable{Project: p.ID, Variable: hosting.Variable{
				Name: name, Target: target, Secret: in.Secret, UpdatedAt: s.now(), UpdatedBy: c.Name,
			}}
			v.Sealed = s.cfg.Ring.Seal(sealVariable, contextOf(p.Team, &v), []byte(in.Value))
			if err := s.team(p.Team).Variables.Put(tx, &v); err != nil {
				return err
			}
			set = append(set, s.showVariable(p.Team, &v))
		}
		if err := s.checkVariables(tx, p); err != nil {
			return err
		}
		return tx.auditProject(c, p, "variable.set", name+" for "+targetNames(targets))
	})
	if err != nil {
		return nil, fmt.Errorf("set variable: %w", err)
	}
	return set, nil
}

// DeleteVariable removes a variable, of one target or ("") of both.
func (s *Service) DeleteVariable(ctx context.Context, c hosting.Caller, project, name string, target hosting.Target) error {
	of := bothTargets
	if target != "" {
		of = []hosting.Target{target}
	}
	_, err := s.update(ctx, func(tx *change) error {
		p, err := s.projectToChange(tx, c, project)
		if err != nil {
			return err
		}
		rows, err := s.variables(tx, p.Team, p.ID)
		if err != nil {
			return err
		}
		var gone []hosting.Target
		for i := range rows {
			if rows[i].Name != name || !slices.Contains(of, rows[i].Target) {
				continue
			}
			gone = append(gone, rows[i].Target)
			if err := s.team(p.Team).Variables.Delete(tx, variableKey(&rows[i])); err != nil {
				return err
			}
		}
		if len(gone) == 0 {
			return hosting.Errorf(hosting.CodeNotFound, "the project has no such variable")
		}
		return tx.auditProject(c, p, "variable.delete", name+" for "+targetNames(gone))
	})
	if err != nil {
		return fmt.Errorf("delete variable: %w", err)
	}
	return nil
}

var bothTargets = []hosting.Target{hosting.TargetPreview, hosting.TargetProduction}

// checkVariable says whether a variable is well formed, and for which targets it is meant.
func checkVariable(name string, in SetVariable) ([]hosting.Target, error) {
	if err := hosting.CheckVariableName(name); err != nil {
		return nil, err
	}
	if err := hosting.CheckVariableValue(in.Value); err != nil {
		return nil, err
	}
	if len(in.Targets) == 0 {
		return bothTargets, nil
	}
	targets := slices.Compact(slices.Sorted(slices.Values(in.Targets)))
	for _, t := range targets {
		if !slices.Contains(bothTargets, t) {
			return nil, hosting.Errorf(hosting.CodeInvalid, "targets are production and preview")
		}
	}
	return targets, nil
}

// checkVariables bounds what a project has, after a variable was set.
func (s *Service) checkVariables(tx state.Tx, p hosting.Project) error {
	rows, err := s.variables(tx, p.Team, p.ID)
	if err != nil {
		return err
	}
	names, bytes := map[string]bool{}, 0
	for i := range rows {
		names[rows[i].Name] = true
		bytes += len(rows[i].Sealed) - seal.Overhead
	}
	switch {
	case len(names) > maxVariables:
		return hosting.Errorf(hosting.CodeTooLarge, "a project has at most %d variables", maxVariables).WithHint("delete one that is not needed")
	case bytes > maxVariableBytes:
		return hosting.Errorf(hosting.CodeTooLarge, "the values of a project's variables have at most %d bytes in all", maxVariableBytes).
			WithHint("delete one that is not needed, or keep large things in files")
	}
	return nil
}

// variables returns all of a project's, by name and target.
func (s *Service) variables(tx state.Tx, team hosting.TeamID, p hosting.ProjectID) (rows []state.Variable, err error) {
	for v, err := range each(tx, s.team(team).Variables, state.K(string(p), ""), variableKey) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, v)
	}
	return rows, nil
}

func variableKey(v *state.Variable) state.Key {
	return state.K(string(v.Project), v.Name, string(v.Target))
}

// showVariable is a variable as people may see it.
func (s *Service) showVariable(team hosting.TeamID, v *state.Variable) hosting.Variable {
	shown := v.Variable
	if shown.Secret {
		return shown
	}
	value, err := s.openVariable(team, v)
	if err != nil {
		s.log.Error("a variable's value does not open", "project", v.Project, "name", v.Name, "error", err)
	}
	shown.Value = value
	return shown
}

func targetNames(targets []hosting.Target) string {
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = string(t)
	}
	return strings.Join(names, " and ")
}
