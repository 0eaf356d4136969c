package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxAnswer is the largest answer that is read of another place, in bytes.
const maxAnswer = 1 << 20

// through makes the calls of the libraries go through the configured client.
func through(ctx context.Context, c Config) context.Context {
	client := *c.HTTP
	// A redirect would take the client's secret, or a person's token, to another place.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return oidc.ClientContext(ctx, &http.Client{Transport: bounded{&client}})
}

// bounded is a client whose answers end, one way or the other.
type bounded struct{ client *http.Client }

// RoundTrip calls and bounds the answer.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s answers with a redirect, which is not followed", r.URL.Host)
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser
	left int
}

var errTooLong = errors.New("the answer is too long")

// Read fails once the answer is longer than it may be.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}
