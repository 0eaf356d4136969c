package cli

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/runner"
)

// job is what runners start: one attempt at one deployment, in the working folder. It is
// not for people, and hidden from help.
func (a *app) job() *cobra.Command {
	cmd := a.command(spec{
		use:     "job",
		short:   "Make one attempt at a deployment (runners start this)",
		example: "FAIRWAY_JOB_ID=dpl_... FAIRWAY_JOB_API=unix:///srv/fairway/job.sock fairway job <token",
		long: `The working folder is the job's own. The token comes as the first line of stdin. In a
container, where nobody writes there, it comes by FAIRWAY_JOB_TOKEN: the command begins
anew with the token on stdin, so that the build finds it in no process's environment.
SIGTERM ends the attempt.`,
		run: func(ctx context.Context, s *session, _ []string) error { return s.runJob(ctx) },
	})
	cmd.Hidden = true
	return cmd
}

func (s *session) runJob(ctx context.Context) error {
	id := s.env.Getenv("FAIRWAY_JOB_ID")
	if !isDeploymentID(id) {
		return errorf(ExitUsage, "FAIRWAY_JOB_ID names no deployment").hint("runners start this command, people do not")
	}
	o, err := client.ParseAddress(s.env.Getenv("FAIRWAY_JOB_API"))
	if err != nil {
		return err
	}
	if o.Base == "" {
		return errorf(ExitUsage, "FAIRWAY_JOB_API names no API").hint("runners start this command, people do not")
	}
	if token := s.env.Getenv(runner.TokenVariable); token != "" {
		return s.conceal(ctx, token)
	}
	if s.env.Stdin == nil {
		return errorf(ExitUsage, "there is no stdin").hint("runners start this command, people do not")
	}
	if err := runner.AdoptOrphans(); err != nil {
		return err
	}
	token, err := runner.ReadToken(s.env.Stdin)
	if err != nil {
		return errorf(ExitUsage, "stdin holds no token: %w", err).hint("runners start this command, people do not")
	}
	if err := runner.HideMemory(); err != nil {
		return err
	}
	c, err := client.New(o)
	if err != nil {
		return err
	}
	defer c.Close()
	job := c.Job(hosting.DeploymentID(id), token)
	return builder.Run(ctx, builder.Config{
		Control: job, Uploads: job, Logs: job,
		Dir: s.env.Dir, Spool: filepath.Join(s.env.Dir, "log.spool"),
		Env: s.environ(), Now: s.env.Now,
		Log: slog.New(slog.NewTextHandler(s.err, nil)).With("deployment", id),
	})
}

// conceal begins the command anew, with its token on stdin. It must be before all that starts a
// process or calls anybody.
func (s *session) conceal(ctx context.Context, token string) error {
	if s.env.Conceal == nil {
		return errorf(ExitUsage, "a token in FAIRWAY_JOB_TOKEN cannot be kept from the build here").hint("write it to stdin")
	}
	if err := ctx.Err(); err != nil {
		return err // asked to end: the program that begins anew would not know
	}
	return s.env.Conceal(s.environ(), token)
}

func (s *session) environ() []string {
	if s.env.Environ == nil {
		return nil
	}
	return s.env.Environ()
}
