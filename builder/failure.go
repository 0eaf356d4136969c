package builder

import (
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Error is a failure that the owner of the site can mend. Code is one of hosting's Fail
// codes; Reason says what is wrong and what to do.
type Error struct{ hosting.Failure }

// Error returns the reason.
func (e *Error) Error() string { return e.Reason }

// Unwrap makes the reason one that may be shown to whoever asked.
func (e *Error) Unwrap() error {
	code := hosting.CodeInvalid
	if e.Code == hosting.FailTooLarge {
		code = hosting.CodeTooLarge
	}
	return hosting.Errorf(code, "%s", e.Reason)
}

func fail(code, format string, args ...any) error {
	return &Error{hosting.Failure{Code: code, Reason: fmt.Sprintf(format, args...)}}
}

// FailureOf says what an attempt that ended with err reports.
func FailureOf(err error) hosting.Failure {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Failure
	}
	if isFull(err) {
		return hosting.Failure{Code: hosting.FailStorageFull, Reason: "the machine that builds has no space left: its operator has to make some"}
	}
	e, ok := errors.AsType[*hosting.Error](err)
	if !ok {
		return hosting.Failure{Code: hosting.FailInternal, Reason: "a fault of Fairway ended the build; its operator finds it in the job's log"}
	}
	code := hosting.FailInternal
	switch e.Code {
	case hosting.CodeStorageFull:
		code = hosting.FailStorageFull
	case hosting.CodeTooLarge:
		code = hosting.FailTooLarge
	case hosting.CodeIncomplete, hosting.CodeMismatch, hosting.CodeUnavailable:
		code = hosting.FailUpload
	case hosting.CodeInvalid:
		code = hosting.FailOutputInvalid
	}
	return hosting.Failure{Code: code, Reason: e.Error()}
}

// over reports whether err says that control ended the attempt.
func over(err error) bool {
	return hosting.Is(err, hosting.CodeGone) || hosting.Is(err, hosting.CodeUnauthenticated)
}
