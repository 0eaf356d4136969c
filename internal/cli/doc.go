// Package cli is what a person types: deploy, look, change. Each command is a thin story
// over [client]: it decides nothing that the control plane decides too, and says in plain
// words what happens.
//
// Standard output carries the result alone (a table, a document, one URL), standard error
// everything else, so that every command can stand in a pipe. Colour and moving marks
// appear on a terminal only. The exit code tells a script what kind of failure it was, see
// [ExitCode].
//
// The package does not know Caddy: [Commands] are handed to whoever owns the root command.
package cli
