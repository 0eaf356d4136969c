package runner

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Conceal makes this process the same program anew, with the token on its standard input and
// not in its environment, which the processes of a build could read in /proc as long as the job
// runs. Unsetting a variable does not change what is shown there. It returns only with an
// error: the job has to end then, also where another process has the token in its environment,
// as the shell or the init process would that the job was started by.
func Conceal(environ []string, token string) error {
	if token == "" || len(token) > MaxToken || strings.ContainsAny(token, "\r\n") {
		return errors.New("the job's token is not one line")
	}
	if pid := holder(TokenVariable + "=" + token); pid != 0 {
		return fmt.Errorf("process %d has the job's token in its environment, where a build could read it: "+
			"the container has to run the job itself, without a shell and without an init process before it", pid)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the job program: %w", err)
	}
	if err := feed(token + "\n"); err != nil {
		return fmt.Errorf("give the job its token: %w", err)
	}
	env := slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, TokenVariable+"=") })
	return fmt.Errorf("begin the job anew: %w", syscall.Exec(self, os.Args, env))
}

// feed makes a pipe that holds text, no more than fits in it, the standard input.
func feed(text string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = w.WriteString(text)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return duplicate(int(r.Fd()), 0)
}
