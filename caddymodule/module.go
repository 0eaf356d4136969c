package caddymodule

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/spf13/cobra"

	"github.com/scale-mesh/fairway/internal/cli"
)

// init is the one place where Fairway enters Caddy's registries.
func init() {
	dropEmpty()
	caddy.RegisterModule(App{})
	caddy.RegisterModule(Sites{})
	caddy.RegisterModule(API{})
	caddy.RegisterModule(Admin{})
	caddy.RegisterModule(Permission{})
	caddy.RegisterModule(Storage{})

	caddy.RegisterNetwork(network, listeners.listen)
	caddyhttp.RegisterNetworkHTTP3(network, "udp")

	httpcaddyfile.RegisterGlobalOption("fairway", parseGlobal)
	httpcaddyfile.RegisterHandlerDirective("fairway_api", parseAPI)
	httpcaddyfile.RegisterHandlerDirective("fairway", parseSites)
	// Behind what rewrites, authenticates or wraps a response, before what would answer; each
	// is put right before respond, so in this order.
	httpcaddyfile.RegisterDirectiveOrder("fairway_api", httpcaddyfile.Before, "respond")
	httpcaddyfile.RegisterDirectiveOrder("fairway", httpcaddyfile.Before, "respond")

	caddy.CustomBinaryName = "fairway"
	caddy.CustomLongDescription = cli.RootHelp()
	caddy.CustomVersion = version
	for _, cmd := range cli.Commands(environment()) {
		register(cmd)
	}
	// Caddy's own commands (reload, stop, trust, ...) then find this server without flags.
	if _, set := os.LookupEnv("CADDY_ADMIN"); !set {
		caddy.DefaultAdminListen = "unix/" + adminSocket()
	}
}

// dropEmpty unsets variables of Fairway's that are set to nothing, as Compose files and unit
// files leave them: the Caddyfile's {$NAME:default} has its default only where NAME is not
// set at all, and without one the admin socket would be /admin.sock.
func dropEmpty() {
	for _, e := range os.Environ() {
		if name, value, _ := strings.Cut(e, "="); value == "" && strings.HasPrefix(name, "FAIRWAY_") {
			_ = os.Unsetenv(name) // fails for names that cannot be set
		}
	}
}

// version is set by the build.
var version = "dev"

// environment is the process's, with one addition: Caddy ends with 1 for whatever error a
// command returns, so a command that failed ends the process with its own code.
func environment() cli.Env {
	env := cli.OS()
	env.Exit = func(code int, _ error) error {
		os.Exit(code)
		return nil
	}
	return env
}

// register hands one of Fairway's commands to Caddy, which names it and lets us fill it in.
func register(cmd *cobra.Command) {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name: cmd.Name(), Short: cmd.Short,
		CobraFunc: func(to *cobra.Command) {
			*to = *cmd
			subs := cmd.Commands()
			to.ResetCommands()
			to.AddCommand(subs...) // which makes to their parent
		},
	})
}

// adminSocket is where the root Caddyfile puts Caddy's admin endpoint.
func adminSocket() string {
	data := os.Getenv("FAIRWAY_DATA")
	if data == "" {
		data = "data"
	}
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	return filepath.Join(data, "admin.sock")
}
