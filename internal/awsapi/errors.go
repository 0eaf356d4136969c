package awsapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// Status returns the HTTP status of the last response, 0 where there was none.
func Status(err error) int {
	if r, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err); ok {
		return r.HTTPStatusCode()
	}
	return 0
}

// Code returns the service's code of an error, "" where it said none.
func Code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// OnTheWay says for a log what happened to a request that got no answer: nothing of what was
// asked or answered. It is "" where that is not known.
func OnTheWay(err error) string {
	if IsKeys(err) {
		return "credentials"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "timeout"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e.Error()
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the response is cut short"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return ""
}

// keysError marks that credentials could not be had, for which the SDK has no type.
type keysError struct{ error }

// IsKeys reports whether an error is that there were no keys to sign with.
func IsKeys(err error) bool {
	_, ok := errors.AsType[keysError](err)
	return ok
}

// named is a provider whose errors are known again.
type named struct{ aws.CredentialsProvider }

func (n named) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := n.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = keysError{err}
	}
	return c, err
}
