package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	storeTimeout = 30 * time.Second // the object store's silence behind a blob
	blobTime     = 2 * time.Minute  // for one blob, which has 1 MiB at most
	storeConns   = 64               // that wait for more blobs
	storeTries   = 2                // the second with an address that was asked for anew
)

// PutBlob uploads one of the blobs that Missing named: to the object store where the answer
// has its URL, else to the API. A store that cannot be reached, or refuses a blob although its
// address is new, is left alone from then on: the API takes every blob.
func (j *Job) PutBlob(ctx context.Context, to hosting.BlobUpload, content []byte) error {
	for try := 1; j.mayUse(to.URL); try++ {
		err := j.c.putPresigned(ctx, to, content)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("upload blob %s: %w", to.Digest, context.Cause(ctx))
		}
		if try == storeTries || errors.Is(err, errUnreachable) {
			j.apart.Store(true)
			break
		}
		again, err := j.Missing(ctx, hosting.MissingRequest{Blobs: []hosting.BlobRef{{Digest: to.Digest, Size: int64(len(content))}}})
		if err != nil {
			return err
		}
		if len(again.Missing) == 0 { // another deployment has brought it meanwhile
			return nil
		}
		to = again.Missing[0]
	}
	return j.c.do(ctx, call{
		method: http.MethodPut, path: j.path("blobs", to.Digest.String()),
		raw: &rawBody{r: bytes.NewReader(content), size: int64(len(content)), kind: "application/octet-stream"},
	}, nil)
}

// mayUse reports whether a blob goes to an address of the object store. What is said to the
// API over TLS is not said to a store without it.
func (j *Job) mayUse(address string) bool {
	if address == "" || j.apart.Load() {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && j.c.base.Scheme == "http")
}

// errUnreachable marks a store to which no connection came about, or that does not answer.
var errUnreachable = errors.New("the object store cannot be reached")

// putPresigned sends no token: the URL is its own, and the store somebody else. No error shows
// the URL, which carries a signature.
func (c *Client) putPresigned(ctx context.Context, to hosting.BlobUpload, content []byte) error {
	ctx, cancel := context.WithTimeout(ctx, blobTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, to.URL, bytes.NewReader(content))
	if err != nil {
		return errors.New("the address of the object store cannot be read")
	}
	for name, value := range to.Headers {
		r.Header.Set(name, value)
	}
	resp, err := c.store.Do(r)
	if err != nil && broke(ctx, err) { // as services end it under a body that they refuse
		return errors.New("the object store ended the connection")
	}
	if err != nil {
		return errUnreachable
	}
	defer drain(resp.Body)
	// 412: the key is a digest and written once, so whoever was first stored the same bytes.
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusPreconditionFailed {
		return nil
	}
	return fmt.Errorf("the object store answered %d", resp.StatusCode)
}
