package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// logPage is how many lines are read at once.
const logPage = 1000

// logFlags are the flags of logs.
type logFlags struct {
	follow         bool
	after          int64
	filter         client.LogFilter
	project, since string
}

func (o *logFlags) register(f *pflag.FlagSet) {
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the deployment ends")
	f.Int64Var(&o.after, "after", 0, "begin after line `N`")
	f.StringVar(&o.filter.Text, "grep", "", "only lines with `TEXT` in them, in whatever case")
	f.StringVar(&o.filter.Stream, "stream", "", "only lines of a `STREAM`: out, err, or sys, which is Fairway itself")
	f.StringVar((*string)(&o.filter.Step), "step", "", "only lines of a `STEP`, such as building")
	f.StringVar(&o.project, "project", "", "the logs of all of `PROJECT`'s deployments, the newest first")
	f.StringVar(&o.since, "since", "", "of deployments since `WHEN`: 12h, 7d, 2w, or a date; without it 30d")
}

// check refuses what does not go together.
func (o *logFlags) check(args []string) error {
	filtered := o.filter != client.LogFilter{}
	switch {
	case o.after < 0:
		return errorf(ExitUsage, "--after %d is before the first line", o.after).hint("lines count from 1")
	case o.filter.Stream != "" && !slices.Contains([]string{"out", "err", "sys"}, o.filter.Stream):
		return errorf(ExitUsage, "there is no stream %q", o.filter.Stream).hint("say out, err or sys")
	case o.filter.Step != "" && o.filter.Step.Number() == 0:
		return errorf(ExitUsage, "there is no step %q", o.filter.Step).
			hint("say provisioning, cloning, installing, building, uploading or finalizing")
	case o.project == "" && len(args) == 0:
		return errorf(ExitUsage, "fairway logs is missing an argument").hint("name a deployment or a project, or search by --project")
	case o.project != "" && len(args) > 0:
		return errorf(ExitUsage, "%q and --project are two things to look at", args[0]).hint("name one of them")
	case o.project == "" && o.since != "":
		return errorf(ExitUsage, "--since is for --project").hint("one deployment's log is short enough")
	case o.project != "" && (o.follow || o.after != 0):
		return errorf(ExitUsage, "-f and --after are for one deployment's log").hint("leave out --project")
	case o.project != "" && !filtered:
		return errorf(ExitUsage, "all lines of all logs are many").hint("say which: --grep TEXT, --stream err, --step building")
	case o.follow && filtered:
		return errorf(ExitUsage, "a log that is followed has all its lines").hint("pipe it through grep")
	}
	return nil
}

func (a *app) logs() *cobra.Command {
	var o logFlags
	return a.command(spec{
		use:   "logs [-f] DEPLOYMENT|PROJECT|--project PROJECT [--after N] [--grep TEXT]",
		short: "Print, follow or search deployments' logs",
		example: `
fairway logs shop                         of the project's newest deployment
fairway logs -f shop                      and what comes, until it ends
fairway logs shop --grep warning          the lines with that text, and their numbers
fairway logs --project shop --grep ENOENT --since 7d
fairway logs shop --json                  one JSON object a line`,
		long: `A deployment is named by its id or by its own address. With -f the command ends with
the deployment, and fails if that failed: so it can wait for one that was begun with
deploy --no-follow.`,
		max:   1,
		flags: o.register,
		run: func(ctx context.Context, s *session, args []string) error {
			if err := o.check(args); err != nil {
				return err
			}
			c, err := s.client()
			if err != nil {
				return err
			}
			if o.project != "" {
				return s.searchLogs(ctx, c, o)
			}
			d, err := deploymentOrNewest(ctx, c, args[0])
			if err != nil {
				return err
			}
			if o.follow {
				return s.followLog(ctx, c, d.ID, o.after)
			}
			return s.printLog(ctx, c, d, o)
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
	if !d.LogDeletedAt.IsZero() {
		s.say("%s", logDeleted(d))
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

func (s *session) printLog(ctx context.Context, c *client.Client, d hosting.Deployment, o logFlags) error {
	p := &logPrinter{w: s.out, style: s.outStyle}
	filtered, lines := o.filter != client.LogFilter{}, 0
	show := func(l *hosting.LogLine) error {
		switch {
		case s.json:
			return s.event(event{Type: "log", Line: l})
		case filtered:
			return s.printMatch("", l)
		}
		return p.print(*l)
	}
	var page client.LogPage
	for after := o.after; ; after = page.Next {
		var err error
		if page, err = c.QueryLog(ctx, d.ID, o.filter, after, logPage); err != nil {
			return err
		}
		for i := range page.Lines {
			if err := show(&page.Lines[i]); err != nil {
				return err
			}
		}
		if lines += len(page.Lines); page.Next <= after {
			break
		}
	}
	switch {
	case page.Expired:
		s.say("%s", logDeleted(d))
	case filtered && lines == 0:
		s.say("The log has no such line.")
	case !d.Status.Terminal():
		s.say("The deployment is %s. To follow it: fairway logs -f %s", statusWord(d), d.ID)
	case lines == 0 && o.after == 0:
		s.say("The deployment is %s and has no log.", statusWord(d))
	}
	return nil
}

// logDeleted says what became of the log of a deployment.
func logDeleted(d hosting.Deployment) string {
	days := int(d.LogDeletedAt.Sub(d.FinishedAt).Hours() / 24)
	if d.LogDeletedAt.IsZero() || days < 1 {
		return "The log was deleted."
	}
	return "The log was deleted after " + count(days, "day") + "."
}
