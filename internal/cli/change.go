package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func (a *app) promote() *cobra.Command {
	return a.command(spec{
		use:   "promote DEPLOYMENT",
		short: "Show a deployment to the site's visitors",
		example: `
fairway promote dpl_5kq2...               by its id
fairway promote https://d7x...--shop.localhost`,
		long: `Nothing is built or copied: the site shows the deployment at once. Promoting the newest
one also ends what a roll back began, so that later deployments go live by themselves.`,
		min: 1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			d, err := findDeployment(ctx, c, args[0])
			if err != nil {
				return err
			}
			return s.promote(ctx, c, d, "Promoting %s to %s")
		},
	})
}

// promote makes d live, says what changes for whom before, and the way back after.
func (s *session) promote(ctx context.Context, c *client.Client, d hosting.Deployment, what string) error {
	if d.Status != hosting.StatusReady {
		return errorf(ExitFailed, "the deployment is %s, and only a ready one can be shown", statusWord(d)).
			hint("fairway deployments lists which are")
	}
	before, _, err := production(ctx, c, d.Project)
	if err != nil {
		return err
	}
	s.say(what, fmt.Sprintf("%s (%s)", title(d), ago(d.CreatedAt, s.env.Now())), plain(d.SiteURL))
	now, err := c.Promote(ctx, d.ID)
	if err != nil {
		return err
	}
	if s.json {
		return s.document(now)
	}
	if before.ID != "" && before.ID != d.ID {
		if d.Order < before.Order {
			s.say("Later deployments do not go live by themselves until you promote the newest.")
		}
		s.say("To undo: fairway promote %s", before.ID)
	}
	return s.result(visitURL(now))
}

// production returns the deployment that a project's site shows, and the READY production
// deployment before it; either has no ID where there is none.
func production(ctx context.Context, c *client.Client, project hosting.ProjectID) (live, before hosting.Deployment, err error) {
	list := func(p client.Page) (client.List[hosting.Deployment], error) {
		return c.ListDeployments(ctx, string(project), p)
	}
	err = every(list, func(d hosting.Deployment) bool {
		switch {
		case d.Production:
			live = d
		case live.ID != "" && d.Status == hosting.StatusReady && d.Target == hosting.TargetProduction && d.Order < live.Order:
			before = d
		}
		return before.ID == ""
	})
	return live, before, err
}

func (a *app) rollback() *cobra.Command {
	return a.command(spec{
		use:   "rollback PROJECT [DEPLOYMENT]",
		short: "Show the production deployment before this one",
		example: `
fairway rollback shop                     to the ready one before
fairway rollback shop dpl_5kq2...         to this one`,
		long: `It takes effect at once. Later deployments get their own addresses, but production stays
where it is until you promote the newest one.`,
		min: 1, max: 2,
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			p, err := findProject(ctx, c, args[0])
			if err != nil {
				return err
			}
			to, err := rollbackTarget(ctx, c, p, args[1:])
			if err != nil {
				return err
			}
			return s.promote(ctx, c, to, "Going back to %s on %s")
		},
	})
}

func rollbackTarget(ctx context.Context, c *client.Client, p hosting.Project, args []string) (hosting.Deployment, error) {
	if len(args) > 0 {
		d, err := findDeployment(ctx, c, args[0])
		if err == nil && d.Project != p.ID {
			err = errorf(ExitUsage, "deployment %s is not of project %s", d.ID, p.Slug).hint("fairway deployments %s lists those that are", p.Slug)
		}
		return d, err
	}
	live, before, err := production(ctx, c, p.ID)
	switch {
	case err != nil:
		return before, err
	case live.ID == "":
		return before, errorf(ExitNotFound, "project %s shows nothing yet", p.Slug).hint("publish it with fairway deploy --project %s", p.Slug)
	case before.ID == "":
		return before, errorf(ExitNotFound, "project %s has no ready production deployment before the one it shows", p.Slug).
			hint("fairway deployments %s lists what there is", p.Slug)
	}
	return before, nil
}

func (a *app) cancel() *cobra.Command {
	return a.command(spec{
		use:     "cancel DEPLOYMENT",
		short:   "Stop a deployment that has not ended",
		example: "fairway cancel dpl_5kq2...",
		min:     1, max: 1,
		run: func(ctx context.Context, s *session, args []string) error {
			c, err := s.client()
			if err != nil {
				return err
			}
			d, err := findDeployment(ctx, c, args[0])
			if err != nil {
				return err
			}
			if d, err = c.Cancel(ctx, d.ID); err != nil {
				return err
			}
			if s.json {
				return s.document(d)
			}
			s.say("Canceled %s. The site is as it was.", d.ID)
			return nil
		},
	})
}

func (a *app) redeploy() *cobra.Command {
	var noFollow bool
	return a.command(spec{
		use:   "redeploy DEPLOYMENT [--no-follow]",
		short: "Build a deployment's source once more",
		example: `
fairway redeploy dpl_5kq2...              the same commit, with today's settings
fairway redeploy https://d7x...--shop.localhost`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) { f.BoolVar(&noFollow, "no-follow", false, "do not wait for the end") },
		run: func(ctx context.Context, s *session, args []string) error {
			began := s.env.Now()
			c, err := s.client()
			if err != nil {
				return err
			}
			d, err := findDeployment(ctx, c, args[0])
			if err != nil {
				return err
			}
			if d, err = c.Redeploy(ctx, d.ID); err != nil {
				return err
			}
			return s.queued(ctx, c, d, noFollow, began)
		},
	})
}
