package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// logPage is how many lines are read at once.
const logPage = 1000

func (a *app) logs() *cobra.Command {
	var follow bool
	var after int64
	return a.command(spec{
		use:   "logs [-f] DEPLOYMENT|PROJECT [--after N]",
		short: "Print or follow a deployment's log",
		example: `
fairway logs shop                         of the project's newest deployment
fairway logs -f shop                      and what comes, until it ends
fairway logs shop --json                  one JSON object a line`,
		long: `A deployment is named by its id or by its own address. With -f the command ends with
the deployment, and fails if that failed: so it can wait for one that was begun with
deploy --no-follow.`,
		min: 1, max: 1,
		flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&follow, "follow", "f", false, "go on until the deployment ends")
			f.Int64Var(&after, "after", 0, "begin after line `N`")
		},
		run: func(ctx context.Context, s *session, args []string) error {
			if after < 0 {
				return errorf(ExitUsage, "--after %d is before the first line", after).hint("lines count from 1")
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			d, err := deploymentOrNewest(ctx, c, args[0])
			if err != nil {
				return err
			}
			if follow {
				return s.followLog(ctx, c, d.ID, after)
			}
			return s.printLog(ctx, c, d, after)
		},
	})
}

func deploymentOrNewest(ctx context.Context, c *client.Client, arg string) (hosting.Deployment, error) {
	if label, _ := splitAddress(arg); label != "" || isDeploymentID(arg) {
		return findDeployment(ctx, c, arg)
	}
	p, err := findProject(ctx, c, arg)
	if err != nil {
		return hosting.Deployment{}, err
	}
	return newest(ctx, c, p)
}

func (s *session) followLog(ctx context.Context, c *client.Client, id hosting.DeploymentID, after int64) error {
	d, err := s.newFollower(s.out, s.outStyle).run(ctx, c, id, after)
	if ctx.Err() != nil {
		return nil // whoever interrupts has seen enough
	}
	if err != nil {
		return err
	}
	if s.json {
		if err := s.event(event{Type: "end", Deployment: &d, URL: readyURL(d)}); err != nil {
			return err
		}
	}
	return endError(d)
}

func readyURL(d hosting.Deployment) string {
	if d.Status != hosting.StatusReady {
		return ""
	}
	return visitURL(d)
}

func (s *session) printLog(ctx context.Context, c *client.Client, d hosting.Deployment, after int64) error {
	p := &logPrinter{w: s.out, style: s.outStyle}
	if s.json {
		p.w = io.Discard
	}
	from := after
	for {
		lines, err := c.ReadLog(ctx, d.ID, after, logPage)
		if err != nil {
			return err
		}
		if err := s.printLines(p, lines); err != nil {
			return err
		}
		if len(lines) == 0 {
			break
		}
		after = lines[len(lines)-1].N
	}
	switch {
	case !d.Status.Terminal():
		s.say("The deployment is %s. To follow it: fairway logs -f %s", statusWord(d), d.ID)
	case p.lines == 0 && from == 0:
		s.say("The deployment is %s and has no log.", statusWord(d))
	}
	return nil
}

func (s *session) printLines(p *logPrinter, lines []hosting.LogLine) error {
	for i := range lines {
		err := p.print(lines[i])
		if s.json {
			err = s.event(event{Type: "log", Line: &lines[i]})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
