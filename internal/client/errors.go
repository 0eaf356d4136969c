package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// problem is the body of an error, application/problem+json (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Hint   string `json:"hint"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

const (
	maxProblem = 256 << 10
	maxDetails = 5 // of a problem's list, as many as a person reads
)

// readProblem is the inverse of controlapi's answer to an error.
func readProblem(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		b = nil // the status alone still tells
	}
	return problemError(resp.StatusCode, b)
}

// problemError makes an error of a status and its body, which may be anything: a proxy in
// between answers in its own words.
func problemError(status int, body []byte) *hosting.Error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		p = problem{}
	}
	e := &hosting.Error{Code: knownCode(p.Code, status), Message: p.Detail, Hint: p.Hint}
	if e.Message == "" {
		e.Message = p.Title
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("the API answered %d %s", status, http.StatusText(status)))
	}
	for i, d := range p.Errors {
		if i == maxDetails {
			e.Message += fmt.Sprintf("; and %d more", len(p.Errors)-maxDetails)
			break
		}
		e.Message += "; " + strings.TrimSpace(d.Location+" "+d.Message)
	}
	return e
}

// knownCode returns the code of the body, or the one that the status means by itself.
func knownCode(code string, status int) hosting.Code {
	switch c := hosting.Code(code); c {
	case hosting.CodeInvalid, hosting.CodeUnauthenticated, hosting.CodeForbidden, hosting.CodeNotFound,
		hosting.CodeConflict, hosting.CodeGone, hosting.CodeTooLarge, hosting.CodeIncomplete,
		hosting.CodeMismatch, hosting.CodeStorageFull, hosting.CodeUnavailable, hosting.CodeInternal,
		hosting.CodeLimited, hosting.CodeQuota, hosting.CodeSetup:
		return c
	}
	switch status {
	case http.StatusUnauthorized:
		return hosting.CodeUnauthenticated
	case http.StatusForbidden:
		return hosting.CodeForbidden
	case http.StatusNotFound:
		return hosting.CodeNotFound
	case http.StatusConflict:
		return hosting.CodeConflict
	case http.StatusGone:
		return hosting.CodeGone
	case http.StatusRequestEntityTooLarge:
		return hosting.CodeTooLarge
	case http.StatusInsufficientStorage:
		return hosting.CodeStorageFull
	case http.StatusTooManyRequests:
		return hosting.CodeLimited
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return hosting.CodeUnavailable
	}
	if status >= 400 && status < 500 {
		return hosting.CodeInvalid
	}
	return hosting.CodeInternal
}

// lost says what became of a request that got no answer.
func (c *Client) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask Fairway at %s: %w", c.at, context.Cause(ctx))
	}
	var op *net.OpError
	dialing := errors.As(err, &op) && op.Op == "dial"
	switch {
	case errors.Is(err, fs.ErrPermission) && dialing:
		return hosting.Errorf(hosting.CodeForbidden, "the socket of Fairway at %s is not yours to open", c.at).
			WithHint("ask as the user who runs it")
	case dialing || errors.Is(err, syscall.ECONNREFUSED):
		return hosting.Errorf(hosting.CodeUnavailable, "cannot reach Fairway at %s", c.at).
			WithHint("is it running? start it with fairway run")
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return hosting.Errorf(hosting.CodeUnavailable, "the certificate of %s is not from an authority that is known here", c.at).
			WithHint("name the root certificate of its issuer")
	}
	return fmt.Errorf("%w: %w", hosting.Errorf(hosting.CodeUnavailable, "the connection to Fairway at %s broke", c.at), err)
}
