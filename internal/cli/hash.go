package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/argon"
)

// hash is what the server starts to hash passwords, at the lowest priority. It is not for
// people, and hidden from help.
func (a *app) hash() *cobra.Command {
	cmd := a.command(spec{
		use:     "hash",
		short:   "Hash passwords that come from stdin (the server starts this)",
		example: "fairway hash <requests >keys",
		long:    "Requests and keys are in a form that only the server knows. It ends when stdin does.",
		run: func(_ context.Context, s *session, _ []string) error {
			if s.env.Stdin == nil || s.env.Stdout == nil {
				return errorf(ExitUsage, "there is no stdin or no stdout").hint("the server starts this command, people do not")
			}
			return argon.Serve(s.env.Stdin, s.env.Stdout)
		},
	})
	cmd.Hidden = true
	return cmd
}
