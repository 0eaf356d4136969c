package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/term"

	"github.com/scale-mesh/fairway/internal/runner"
)

// Env is all that the commands know of the process they run in.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(name string) string
	Dir    string // the working folder
	// Environ is the whole environment, which a build job takes what it needs from.
	Environ func() []string
	// IsTerminal says whether a person watches the writer; nil means that nobody does.
	IsTerminal func(w io.Writer) bool
	// Width is the terminal's width in columns; 0 means without bound.
	Width int
	Now   func() time.Time
	// Start starts a program and does not wait for it; nil means that none is started.
	Start func(name string, args ...string) error
	// Host is the machine's name, for the token that login asks for.
	Host string
	// ReadSecret reads a line that a person types, without showing it, until ctx ends; nil
	// means that nobody can be asked anything.
	ReadSecret func(ctx context.Context) (string, error)
	// Conceal begins this program anew, with the token on its standard input instead of in its
	// environment; it returns only where it fails. Nil means that nothing can.
	Conceal func(environ []string, token string) error
	// Exit turns an error that was reported already into one by which the caller's main
	// ends with the code; nil leaves it as it is, for callers that use ExitCode.
	Exit func(code int, err error) error
}

// OS returns the environment of the running process.
func OS() Env {
	dir, err := os.Getwd()
	if err != nil {
		dir = "." // a working folder that was deleted: whatever opens it says so
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	env := Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ, Dir: dir, IsTerminal: isTerminal, Width: width,
		Now: time.Now, Start: start, Host: host, Conceal: runner.Conceal,
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		env.ReadSecret = readSecret
	}
	return env
}

// readSecret turns the terminal's echo off while it reads, and on again whatever happens.
func readSecret(ctx context.Context) (string, error) {
	fd := int(os.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read from the terminal: %w", err)
	}
	line, err := typed(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
	if ctx.Err() != nil {
		err = errors.Join(err, term.Restore(fd, before))
	}
	return line, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func start(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
