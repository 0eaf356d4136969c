package caddymodule

import (
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/cli"
)

// init is the one place where Fairway enters Caddy's registries.
func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(Sites{})
	caddy.RegisterModule(API{})
	caddy.RegisterModule(Admin{})
	caddy.RegisterModule(Permission{})

	httpcaddyfile.RegisterGlobalOption("fairway", parseGlobal)
	httpcaddyfile.RegisterHandlerDirective("fairway_api", parseAPI)
	httpcaddyfile.RegisterHandlerDirective("fairway", parseSites)
	// Behind what rewrites, authenticates or wraps a response, before what would answer.
	httpcaddyfile.RegisterDirectiveOrder("fairway_api", httpcaddyfile.Before, "respond")
	httpcaddyfile.RegisterDirectiveOrder("fairway", httpcaddyfile.After, "fairway_api")

	caddy.CustomBinaryName = "fairway"
	caddy.CustomLongDescription = cli.RootHelp()
	for _, cmd := range cli.Commands(cli.System()) {
		register(cmd)
	}
	// Caddy's own commands (reload, stop, trust, ...) then find this server without flags.
	if _, set := os.LookupEnv("CADDY_ADMIN"); !set {
		caddy.DefaultAdminListen = "unix/" + cli.AdminSocket(os.Getenv)
	}
}

// register hands one of Fairway's commands to Caddy, which builds its own cobra command
// around a name and lets us fill it in.
func register(from *cobra.Command) {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name: from.Name(), Short: from.Short,
		CobraFunc: func(to *cobra.Command) {
			parent := *from
			*to = parent
			to.SilenceErrors, to.SilenceUsage = true, true
			exitWithCode(to)
		},
	})
}

// exitWithCode ends the process with the command's own exit code: Caddy only knows 0 and 1
// for commands that are not its own.
func exitWithCode(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			if code := cli.Report(run(c, args)); code != 0 {
				os.Exit(code)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		exitWithCode(sub)
	}
}
