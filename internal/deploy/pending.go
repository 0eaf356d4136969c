package deploy

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
)

var errPending = errors.New("deploy: not there yet")

// SetVariable is the input of a variable's setting.
type SetVariable struct {
	Value   string           `json:"value" maxLength:"65536"`
	Targets []hosting.Target `json:"targets,omitempty" maxItems:"2" doc:"Whose builds get it; both when absent"`
	Secret  bool             `json:"secret,omitempty" doc:"Never show it again, and mask it in logs"`
}

// ListVariables lists a project's variables by name; secret ones without their value.
func (s *Service) ListVariables(ctx context.Context, c hosting.Caller, project string) ([]hosting.Variable, error) {
	return nil, errPending
}

// SetVariable sets a project's variable for the builds of one target or both.
func (s *Service) SetVariable(ctx context.Context, c hosting.Caller, project, name string, in SetVariable) ([]hosting.Variable, error) {
	return nil, errPending
}

// DeleteVariable removes a variable, of one target or ("") of both.
func (s *Service) DeleteVariable(ctx context.Context, c hosting.Caller, project, name string, target hosting.Target) error {
	return errPending
}

// Usage says what the team uses, against what it may.
func (s *Service) Usage(ctx context.Context, c hosting.Caller) (hosting.Usage, error) {
	return hosting.Usage{}, errPending
}

// SuspendProject pauses a project's sites, or lifts that: for the operator, across teams.
func (s *Service) SuspendProject(ctx context.Context, c hosting.Caller, id hosting.ProjectID, suspended bool) (hosting.Project, error) {
	return hosting.Project{}, errPending
}

// SuspendTeam pauses all sites of a team, or lifts that: for the operator.
func (s *Service) SuspendTeam(ctx context.Context, c hosting.Caller, id hosting.TeamID, suspended bool) (hosting.Team, error) {
	return hosting.Team{}, errPending
}

// SetQuotas sets what a team may use: for the operator.
func (s *Service) SetQuotas(ctx context.Context, c hosting.Caller, id hosting.TeamID, q hosting.Quotas) (hosting.Team, error) {
	return hosting.Team{}, errPending
}
