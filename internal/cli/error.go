package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The exit codes, the same for every command.
const (
	ExitDone        = 0
	ExitFailed      = 1 // what was asked for was tried and did not work
	ExitUsage       = 2 // the command was written wrongly; nothing was tried
	ExitForbidden   = 3 // no or an unknown token, or not allowed
	ExitNotFound    = 4 // no such project, deployment or folder
	ExitUnreachable = 5 // nothing answers, or a part of the platform is down
)

// Error is how a command fails: in one line, with the next step, and an exit code.
type Error struct {
	Code    int
	Message string
	Hint    string
	Err     error // the cause, where there is one; not shown
}

// Error returns the message, with the hint behind it where there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// errorf makes an Error. The last argument may be an error that %w names.
func errorf(code int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// codes says by which exit code a failure of the API ends a command; what is not in it
// ends with ExitFailed.
var codes = map[hosting.Code]int{
	hosting.CodeInvalid:         ExitUsage,
	hosting.CodeUnauthenticated: ExitForbidden,
	hosting.CodeForbidden:       ExitForbidden,
	hosting.CodeSetup:           ExitForbidden,
	hosting.CodeNotFound:        ExitNotFound,
	hosting.CodeUnavailable:     ExitUnreachable,
}

// ExitCode returns the code by which a process ends that met err: 0 done, 1 failed, 2
// wrong use, 3 not allowed, 4 not found, 5 cannot reach.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	if e, ok := errors.AsType[*hosting.Error](err); ok {
		if code, ok := codes[e.Code]; ok {
			return code
		}
		return ExitFailed
	}
	if unreachable(err) {
		return ExitUnreachable
	}
	return ExitFailed
}

// unreachable reports whether err says that no connection came about.
func unreachable(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// oneLine is what a person reads of err: nothing of how the program is built, no line end
// and no control character, which could come from a repository or a build.
func oneLine(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return plain(e.Error())
	}
	if e, ok := errors.AsType[*hosting.Error](err); ok {
		return plain(e.Error())
	}
	if errors.Is(err, context.Canceled) {
		return "stopped"
	}
	return plain(strings.TrimSpace(err.Error()))
}
