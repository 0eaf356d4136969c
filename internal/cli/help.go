package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// everywhere is what the help of each command ends with: one line a flag would push the
// command's own flags off the screen.
const everywhere = `Everywhere:
  --data DIR     the Fairway on this machine: its data folder (or FAIRWAY_DATA; without
                 it, ./data here or in a folder above, then where you signed in last)
  --url URL      a Fairway elsewhere (or FAIRWAY_URL), with the token of fairway login,
                 or FAIRWAY_TOKEN, or --token, which others on this machine can see;
                 --ca FILE (FAIRWAY_CA) names a root certificate of its own
  --team TEAM    act in a team, by id or short name (or FAIRWAY_TEAM)
  --json         print JSON        --no-color    print without colour (or NO_COLOR)

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not allowed, 4 not found, 5 cannot reach
`

// writeHelp prints one screen about a command, examples first.
func writeHelp(w io.Writer, cmd *cobra.Command) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\nUsage: %s\n", cmd.Short, indent(cmd.Example), usageLine(cmd))
	if cmd.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(cmd.Long))
	}
	writeSubcommands(&b, cmd)
	writeFlags(&b, cmd)
	b.WriteString("\n" + everywhere)
	_, _ = io.WriteString(w, b.String()) // nobody is left to tell
}

func usageLine(cmd *cobra.Command) string {
	if p := cmd.Parent(); p != nil {
		return p.CommandPath() + " " + cmd.Use
	}
	return cmd.Use
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ")
}

func writeSubcommands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	b.WriteString("\nCommands:\n")
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			fmt.Fprintf(b, "  %-18s %s\n", cmd.Name()+" "+sub.Name(), sub.Short)
		}
	}
}

// writeFlags prints the flags that only this command has.
func writeFlags(b *strings.Builder, cmd *cobra.Command) {
	global := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(globals).register(global)
	var lines []string
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && global.Lookup(f.Name) == nil && !f.Hidden {
			lines = append(lines, flagLine(f))
		}
	})
	if len(lines) > 0 {
		b.WriteString("\nFlags:\n" + strings.Join(lines, ""))
	}
}

func flagLine(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	return fmt.Sprintf("  %-18s %s\n", strings.TrimSpace(name+" "+value), usage)
}

// RootHelp is what "fairway" and "fairway help" say: Fairway's own commands first, then
// those that come with Caddy.
func RootHelp() string {
	return `Fairway builds, hosts and serves sites, on your own machine.

  fairway run                    start it (needs the Caddyfile of its folder)
  fairway deploy                 build and publish the folder you are in
  fairway login --url URL        sign in to one that runs elsewhere

Deploy
  deploy        publish a folder or a Git repository
  redeploy      build a deployment's source once more
  detect        show how a folder would be built, and why

Look
  projects      list, create and delete projects
  deployments   list a project's deployments
  logs          print, follow or search deployments' logs
  open          print a project's address, and open it
  explain       show how an address is answered, and from what

Change
  promote       show a deployment to the site's visitors
  rollback      show the production deployment before this one
  cancel        stop a deployment that has not ended
  env           list, set and remove a project's variables
  access        show or set who may see a project's site

You and your team
  login         sign in to a Fairway elsewhere
  logout        sign out: end the token of this machine
  whoami        say who Fairway takes you for, and where
  teams         list, create and delete teams
  members       list, invite and remove a team's members
  tokens        list, make and end API tokens
  usage         show what the team uses, against what it may
  audit         list who did what in the team

Operate the installation
  owner-link    print the link that makes its user the owner
  users         list, suspend and help people
  suspend       pause the sites of a project or a team
  resume        show the sites again that were paused
  quotas        show or set what a team may use
  edges         list, add and remove edges that report
  state         move the state to another store

Server commands, from Caddy: run, start, stop, reload, validate, fmt, adapt, trust,
untrust, list-modules, version, ... ("fairway help COMMAND" tells more about each)

Do not use upgrade, add-package and remove-package: they replace this binary by one
without Fairway.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not allowed, 4 not found, 5 cannot reach
`
}
