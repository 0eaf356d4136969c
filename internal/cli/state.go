package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/platform"
)

func (a *app) state() *cobra.Command {
	cmd := a.command(spec{
		use:   "state",
		short: "Move the state to another store, for the operator",
		example: `
fairway state copy bolt:///srv/state.db postgres://db/fairway?password=env:PW`,
		run: func(context.Context, *session, []string) error {
			return errorf(ExitUsage, "nothing is said to be done").hint("write fairway state copy FROM TO")
		},
	})
	cmd.AddCommand(a.copyState())
	return cmd
}

func (a *app) copyState() *cobra.Command {
	return a.command(spec{
		use:   "copy FROM TO",
		short: "Copy all of one state store into another, which is empty",
		example: `
fairway state copy bolt:///srv/state.db postgres://db/fairway?password=env:PW
fairway state copy postgres://db/fairway?password=env:PW bolt:///srv/state.db`,
		long: `Addresses are those of FAIRWAY_STATE. Stop Fairway first. All is copied, or nothing.
Then set FAIRWAY_STATE to TO and start Fairway; edges find out by themselves.`,
		min: 2, max: 2, mute: true,
		run: func(ctx context.Context, s *session, args []string) error {
			n, err := platform.CopyState(ctx, s.env.Getenv, args[0], args[1])
			if err != nil {
				return err
			}
			if s.json {
				return s.document(struct {
					Copied int `json:"copied"`
				}{n})
			}
			s.say("Copied %s. Set FAIRWAY_STATE to the new address before you start Fairway.", count(n, "record"))
			return nil
		},
	})
}
