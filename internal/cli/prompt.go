package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxTyped bounds what is read from stdin: the longest value of a variable.
const maxTyped = 64 << 10

// typed waits for a read from a terminal, or for the end of ctx. Such a read cannot be
// interrupted: one that is given up ends with the process.
func typed(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := read()
		done <- answer{text, err}
	}()
	select {
	case a := <-done:
		return a.text, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// secret reads a value that nobody should see: typed without echo where a person can be
// asked, else all of stdin but for the line end behind it.
func (s *session) secret(ctx context.Context, what string) (string, error) {
	if s.env.ReadSecret != nil {
		fmt.Fprintf(s.err, "%s (not shown): ", capital(what))
		defer fmt.Fprintln(s.err)
		return s.env.ReadSecret(ctx)
	}
	if s.env.Stdin == nil {
		return "", errorf(ExitUsage, "there is no stdin to read %s from", what)
	}
	b, err := io.ReadAll(io.LimitReader(s.env.Stdin, maxTyped+2))
	if err != nil {
		return "", fmt.Errorf("read %s from stdin: %w", what, err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if len(text) > maxTyped {
		return "", errorf(ExitUsage, "%s on stdin is longer than %s", what, size(maxTyped))
	}
	return text, nil
}

// confirm has a person type the name of what is about to be deleted. Where nobody can be
// asked, --yes has to say it. What follows "this would".
func (s *session) confirm(ctx context.Context, what, noun, name string) error {
	if s.env.ReadSecret == nil || s.json {
		return errorf(ExitUsage, "this would %s, for good", what).hint("add --yes if you mean it")
	}
	s.say("This would %s, for good.", what)
	fmt.Fprintf(s.err, "Type the %s's name, %s, to delete it: ", noun, name)
	line, err := typed(ctx, func() (string, error) { return readLine(s.env.Stdin) })
	if err != nil {
		s.say("") // no line end was typed
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != name {
		return errorf(ExitFailed, "that is not the %s's name, and nothing was deleted", noun)
	}
	return nil
}

// readLine reads no further than the line's end: what follows is somebody else's.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxTyped; {
		n, err := r.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err != nil {
			return string(line), err
		}
	}
	return string(line), nil
}
