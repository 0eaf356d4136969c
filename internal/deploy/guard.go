package deploy

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// severalPeople reports whether more than one person has an account, suspended ones included.
func (s *Service) severalPeople(tx state.Tx) (bool, error) {
	users, err := s.sys.Users.List(tx, "", "", 2)
	return len(users) > 1, err
}

// mayBuild says whether jobs may run. Those of a process runner run with Fairway's own rights: as long as there is
// one person, that is nobody else's code; from the second on, the operator has to say that
// they know what it means.
func (s *Service) mayBuild(tx state.Tx) error {
	if s.cfg.NoBuilds {
		return hosting.Errorf(hosting.CodeForbidden, "this installation builds nothing").
			WithHint("build elsewhere, and deploy the folder that comes out: fairway deploy DIR")
	}
	if s.cfg.Unsandboxed {
		return nil
	}
	several, err := s.severalPeople(tx)
	if err != nil || !several {
		return err
	}
	return hosting.Errorf(hosting.CodeForbidden,
		"builds would run with the rights of Fairway itself, and more than one person has an account here").
		WithHint("deploy finished files, which need no build; or the operator sets unsandboxed_builds on (FAIRWAY_UNSANDBOXED_BUILDS), " +
			"and accepts that everybody who can deploy can read all that Fairway can: this release has no sandbox for builds")
}

// endForbidden ends what waits for a job that may not run any more, since a second person came
// meanwhile.
func (s *Service) endForbidden(ctx context.Context) error {
	var reason error
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		reason = s.mayBuild(tx)
		return nil
	})
	if err != nil || !hosting.Is(reason, hosting.CodeForbidden) {
		return errors.Join(err, reason)
	}
	waiting, err := s.runsWhere(ctx, "queue", func(state.Run) bool { return true })
	if err != nil {
		return err
	}
	code := hosting.FailSandbox
	if s.cfg.NoBuilds {
		code = hosting.FailNoBuilds
	}
	var errs []error
	for _, run := range waiting {
		errs = append(errs, s.giveUp(ctx, run, verdict{code: code, reason: sentence(reason)}))
	}
	return errors.Join(errs...)
}

// sourcePolicy says where sources may be fetched from. That they may be anywhere, within the
// operator's own network too, is for an operator who is alone.
func (s *Service) sourcePolicy(tx state.Tx) (hosting.SourcePolicy, error) {
	policy := s.cfg.Policy
	several, err := s.severalPeople(tx)
	policy.Open = policy.Open && !several
	return policy, err
}
