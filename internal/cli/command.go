package cli

import (
	"cmp"
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scale-mesh/fairway/internal/client"
)

// Commands returns Fairway's commands, for the caller's root command. They report their
// own errors, on one line of env.Stderr; the caller only has to end by ExitCode.
func Commands(env Env) []*cobra.Command {
	a := &app{env: env}
	return []*cobra.Command{
		a.deploy(), a.redeploy(), a.detect(),
		a.projects(), a.deployments(), a.logs(), a.open(), a.explain(),
		a.promote(), a.rollback(), a.cancel(), a.variables(), a.access(),
		a.login(), a.logout(), a.whoami(),
		a.teams(), a.members(), a.tokens(), a.usage(), a.audit(),
		a.ownerLink(), a.users(), a.suspend(), a.resume(), a.quotas(), a.edges(), a.state(),
		a.job(),
		a.hash(),
	}
}

// app is what the commands of one Env share.
type app struct {
	env Env
}

// globals are the flags that every command has.
type globals struct {
	data, url, token, ca, team string
	json, noColor              bool
}

func (g *globals) register(f *pflag.FlagSet) {
	f.StringVar(&g.data, "data", "", "the data folder of the Fairway on this machine")
	f.StringVar(&g.url, "url", "", "the address of a Fairway elsewhere")
	f.StringVar(&g.token, "token", "", "the token for --url")
	f.StringVar(&g.ca, "ca", "", "a root certificate to trust for --url")
	f.StringVar(&g.team, "team", "", "the team to act in")
	f.BoolVar(&g.json, "json", false, "print JSON")
	f.BoolVar(&g.noColor, "no-color", false, "print without colour")
}

// spec is what makes a command.
type spec struct {
	use     string // name, arguments
	short   string // a line of the overview
	example string
	long    string
	min     int // positional arguments
	max     int
	mute    bool // an argument may be a secret: errors do not repeat it
	flags   func(*pflag.FlagSet)
	run     func(ctx context.Context, s *session, args []string) error
}

// session is one run of a command.
type session struct {
	output
	env Env
	g   *globals
}

// command makes the cobra command of a spec. Flags of the spec are bound by its own
// closures, so that two commands never share a value.
func (a *app) command(sp spec) *cobra.Command {
	g := new(globals)
	cmd := &cobra.Command{
		Use: sp.use, Short: sp.short, Long: sp.long, Example: sp.example,
		SilenceErrors: true, SilenceUsage: true, DisableFlagsInUseLine: true,
	}
	cmd.Flags().SortFlags = false // in the order of how often they are needed
	if sp.flags != nil {
		sp.flags(cmd.Flags())
	}
	g.register(cmd.Flags())
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		return a.report(checkArgs(cmd, sp, args))
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return a.report(errorf(ExitUsage, "%w", err).hint("see %s --help", cmd.CommandPath()))
	})
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(a.env.Stdout, cmd) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		// The second interrupt ends the process whatever it waits for.
		defer context.AfterFunc(ctx, stop)()
		s := &session{output: newOutput(a.env, g), env: a.env, g: g}
		return a.report(sp.run(ctx, s, args))
	}
	return cmd
}

func checkArgs(cmd *cobra.Command, sp spec, args []string) error {
	switch {
	case len(args) < sp.min:
		return errorf(ExitUsage, "%s is missing an argument", cmd.CommandPath()).hint("write %s", usageLine(cmd))
	case len(args) > sp.max && sp.mute:
		return errorf(ExitUsage, "%s has an argument too many", cmd.CommandPath()).hint("write %s", usageLine(cmd))
	case len(args) > sp.max:
		return errorf(ExitUsage, "%s does not know what to do with %q", cmd.CommandPath(), args[sp.max]).
			hint("write %s", usageLine(cmd))
	}
	return nil
}

// report prints err for a person, once, and turns it into what the caller's main expects.
func (a *app) report(err error) error {
	if err == nil {
		return nil
	}
	o := newOutput(a.env, new(globals))
	o.json = false // errors are for people whatever the result is for
	o.say("fairway: %s", oneLine(err))
	if a.env.Exit != nil {
		return a.env.Exit(ExitCode(err), err)
	}
	return err
}

// client returns a client of the Fairway, and in the team, that flags and environment name.
func (s *session) client() (*client.Client, error) {
	o, err := s.address()
	if err != nil {
		return nil, err
	}
	return s.clientAt(o)
}

func (s *session) clientAt(o client.Options) (*client.Client, error) {
	o.Team = s.teamName()
	o.Waiting = func(d time.Duration) { s.say("Too many requests for now: going on in %s", took(d)) }
	return client.New(o)
}

// teamName is the team that is asked for, "" where it is the caller's own.
func (s *session) teamName() string { return cmp.Or(s.g.team, s.env.Getenv("FAIRWAY_TEAM")) }

// inTeam calls do with the id or slug of the team that the command is about.
func (s *session) inTeam(ctx context.Context, do func(c *client.Client, team string) error) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if team := s.teamName(); team != "" {
		return do(c, team)
	}
	id, err := c.Identity(ctx)
	if err != nil {
		return err
	}
	if id.Team == nil {
		return errorf(ExitUsage, "you act in no team").hint("name one with --team TEAM")
	}
	return do(c, string(id.Team.ID))
}
