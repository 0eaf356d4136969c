package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/scale-mesh/fairway/internal/pause"
)

const (
	limitedTries = 3           // how often a limited call is made again
	limitedWait  = time.Minute // the longest wait that a call is held for
)

// send returns whatever the API answers; its body is the caller's to close. It asks again as
// the package's documentation says.
func (c *Client) send(ctx context.Context, req call) (*http.Response, error) {
	if req.keyed() {
		req.key = rand.Text()
	}
	for lost, waits := false, 0; ; {
		r, err := c.newRequest(ctx, req)
		if err != nil {
			return nil, err
		}
		resp, err := c.http.Do(r)
		if err != nil && !lost && req.repeatable() && broke(ctx, err) {
			lost = true
			continue
		}
		if err != nil {
			return nil, c.lost(ctx, err)
		}
		pause, ok := retryAfter(resp)
		if !ok || waits == limitedTries || req.method != http.MethodGet && !req.patient {
			return resp, nil
		}
		waits++
		drain(resp.Body)
		if err := c.pause(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// keyed reports whether the API keeps the call's answer under a key. It does for the writes
// of a known caller: those of jobs and of a login that is not finished are neither, and an
// upload cannot be sent from its beginning again.
func (req call) keyed() bool {
	return req.method != http.MethodGet && req.raw == nil && !req.unkeyed && req.path[0] != "jobs" && req.path[0] != "cli"
}

func (req call) repeatable() bool { return req.method == http.MethodGet || req.key != "" }

// broke reports whether a connection was lost that had come about. One that was refused, was
// not trusted or was silent for minutes is not better at once.
func broke(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return false
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return false
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted
}

// retryAfter returns how long the API asks a limited call to wait, if it is worth it.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	n, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	wait := time.Duration(n) * time.Second
	return wait, err == nil && n >= 0 && n <= int(limitedWait/time.Second)
}

func (c *Client) pause(ctx context.Context, d time.Duration) error {
	if c.waiting != nil {
		c.waiting(d)
	}
	if err := pause.For(ctx, d); err != nil {
		return fmt.Errorf("ask Fairway at %s: %w", c.at, err)
	}
	return nil
}
