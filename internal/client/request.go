package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The largest JSON answer that is read; an inventory's list of missing blobs is the longest.
const maxAnswer = 128 << 20

// call is one request of the API.
type call struct {
	method string
	path   []string   // segments below the base, escaped by send
	query  url.Values // may be nil
	in     any        // sent as JSON where not nil
	raw    *rawBody   // sent as it is where not nil
	accept string     // application/json where empty

	lastEvent string // of a stream that is followed again
	patient   bool   // waits out a limit although it writes
	unkeyed   bool   // what it sends has a name of its own
	key       string // Idempotency-Key, made by send
}

type rawBody struct {
	r    io.Reader
	size int64
	kind string
}

// do sends the call and decodes its answer into out, unless that is nil.
func (c *Client) do(ctx context.Context, req call, out any) error {
	resp, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	defer drain(resp.Body)
	if resp.StatusCode/100 != 2 {
		return readProblem(resp)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	return decodeAnswer(resp, out)
}

// ask sends the call and returns its answer.
func ask[T any](ctx context.Context, c *Client, req call) (T, error) {
	var answer T
	err := c.do(ctx, req, &answer)
	return answer, err
}

func decodeAnswer(resp *http.Response, out any) error {
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", resp.Request.Method, resp.Request.URL.Path, err)
	}
	return nil
}

func (c *Client) newRequest(ctx context.Context, req call) (*http.Request, error) {
	if slices.Contains(req.path, "") {
		// It would vanish from the path, and another route would answer.
		return nil, hosting.Errorf(hosting.CodeNotFound, "what is asked for has no name")
	}
	u := c.base.JoinPath(escape(req.path)...)
	u.RawQuery = c.queryOf(req).Encode()
	body, kind, err := req.body()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, req.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if req.raw != nil {
		setLength(r, req.raw.size)
	}
	if r.ContentLength >= expectFrom {
		r.Header.Set("Expect", "100-continue")
	}
	c.setHeaders(r, req)
	return r, nil
}

func (c *Client) setHeaders(r *http.Request, req call) {
	r.Header.Set("Accept", cmp.Or(req.accept, "application/json"))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if req.key != "" {
		r.Header.Set("Idempotency-Key", req.key)
	}
	if req.lastEvent != "" {
		r.Header.Set("Last-Event-ID", req.lastEvent)
	}
}

// queryOf adds the team to act in. The routes of a team name theirs in the path, and whoever
// redeems a code is in none yet.
func (c *Client) queryOf(req call) url.Values {
	if c.team == "" || req.path[0] == "cli" || req.path[0] == "teams" && len(req.path) > 1 {
		return req.query
	}
	q := maps.Clone(req.query)
	if q == nil {
		q = url.Values{}
	}
	q.Set("team", c.team)
	return q
}

func (req call) body() (io.Reader, string, error) {
	switch {
	case req.raw != nil:
		return req.raw.r, req.raw.kind, nil
	case req.in != nil:
		b, err := json.Marshal(req.in)
		if err != nil {
			return nil, "", fmt.Errorf("write a request: %w", err)
		}
		return bytes.NewReader(b), "application/json", nil
	}
	return nil, "", nil
}

// expectFrom is the size from which a body waits for the server's consent, so that a
// refusal is read rather than lost in a connection that closes under the upload.
const expectFrom = 64 << 10

func setLength(r *http.Request, size int64) {
	r.ContentLength = size
	if size == 0 {
		r.Body = http.NoBody
	}
}

func escape(segments []string) []string {
	out := make([]string, len(segments))
	for i, s := range segments {
		// JoinPath would resolve dots instead of asking for what they name.
		out[i] = strings.ReplaceAll(url.PathEscape(s), ".", "%2E")
	}
	return out
}

// drain lets the connection be used again: what is left of an answer is read, unless it is
// so long that a new connection is cheaper.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}
