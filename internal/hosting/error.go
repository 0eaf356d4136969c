package hosting

import (
	"errors"
	"fmt"
)

// Code classifies an [Error]. Codes are stable: clients and scripts may compare them.
type Code string

// The codes of errors that a person may see. Everything else is CodeInternal.
const (
	CodeInvalid         Code = "invalid"          // the input is wrong; Message says how
	CodeUnauthenticated Code = "unauthenticated"  // no or an unknown credential
	CodeForbidden       Code = "forbidden"        // known, but not allowed
	CodeNotFound        Code = "not_found"        // no such thing, or not yours
	CodeConflict        Code = "conflict"         // taken, or the state does not allow it
	CodeGone            Code = "gone"             // the job's attempt is over; stop working
	CodeTooLarge        Code = "too_large"        // a body, file or site is over a limit
	CodeIncomplete      Code = "incomplete"       // blobs that the inventory names are absent
	CodeMismatch        Code = "content_mismatch" // bytes differ from their declared size or digest
	CodeStorageFull     Code = "storage_full"     // no space left where it must be stored
	CodeUnavailable     Code = "unavailable"      // a part is down; try again
	CodeLimited         Code = "rate_limited"     // too many requests; try again later
	CodeQuota           Code = "quota"            // the team may not use more
	CodeSetup           Code = "setup_needed"     // nobody owns the installation yet
	CodeInternal        Code = "internal"         // a fault of Fairway; only logged
)

// Error is a failure that may be shown to whoever asked. Message is one sentence that says
// what is wrong; Hint, where there is one, says what to do. Neither holds secrets or paths
// of the platform's machine.
type Error struct {
	Code    Code
	Message string
	Hint    string
}

// Error returns the message, with the hint behind it where there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// Errorf makes an Error without a hint.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy of e that says what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// CodeOf returns the code of the first Error in err's chain, CodeInternal where there is
// none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return CodeOf(err) == code }
