package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Job speaks the job protocol for one attempt at one deployment. Every method may be
// repeated; hosting.CodeGone means that the attempt is over and the job has to stop. Its
// methods may be called concurrently.
type Job struct {
	c  *Client
	id hosting.DeploymentID
}

// Job returns the job protocol of the deployment, authorized by the attempt's token.
func (c *Client) Job(id hosting.DeploymentID, token string) *Job {
	as := *c
	as.token, as.team = token, "" // the attempt's project says which team it is in
	return &Job{c: &as, id: id}
}

func (j *Job) path(rest ...string) []string {
	return append([]string{"jobs", string(j.id)}, rest...)
}

// Job returns what the attempt has to do.
func (j *Job) Job(ctx context.Context) (hosting.Job, error) {
	var job hosting.Job
	err := j.c.do(ctx, call{method: http.MethodGet, path: j.path()}, &job)
	return job, err
}

// Heartbeat says that the attempt lives, and where it is.
func (j *Job) Heartbeat(ctx context.Context, hb hosting.Heartbeat) error {
	return j.c.do(ctx, call{method: http.MethodPost, path: j.path("heartbeat"), in: hb}, nil)
}

// AppendLog brings lines; what the answer's Next passes is durable.
func (j *Job) AppendLog(ctx context.Context, batch hosting.LogBatch) (hosting.LogAck, error) {
	var ack hosting.LogAck
	err := j.c.do(ctx, call{method: http.MethodPost, path: j.path("logs"), in: batch}, &ack)
	return ack, err
}

// Source opens the deployment's archive, for kind archive. The caller closes it.
func (j *Job) Source(ctx context.Context) (io.ReadCloser, error) {
	resp, err := j.c.send(ctx, call{method: http.MethodGet, path: j.path("source"), accept: "application/gzip"})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer drain(resp.Body)
		return nil, readProblem(resp)
	}
	return resp.Body, nil
}

// Missing asks which blobs have to be uploaded.
func (j *Job) Missing(ctx context.Context, req hosting.MissingRequest) (hosting.MissingAnswer, error) {
	var a hosting.MissingAnswer
	err := j.c.do(ctx, call{method: http.MethodPost, path: j.path("missing"), in: req}, &a)
	return a, err
}

// PutBlob uploads one of the blobs that Missing named: to the object store where the
// answer has its URL, else to the API.
func (j *Job) PutBlob(ctx context.Context, to hosting.BlobUpload, content []byte) error {
	if to.URL != "" {
		return j.c.putPresigned(ctx, to, content)
	}
	return j.c.do(ctx, call{
		method: http.MethodPut, path: j.path("blobs", to.Digest.String()),
		raw: &rawBody{r: bytes.NewReader(content), size: int64(len(content)), kind: "application/octet-stream"},
	}, nil)
}

// putPresigned sends no token: the URL is its own, and the store somebody else.
func (c *Client) putPresigned(ctx context.Context, to hosting.BlobUpload, content []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, to.URL, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("upload blob %s: %w", to.Digest, err)
	}
	for name, value := range to.Headers {
		r.Header.Set(name, value)
	}
	resp, err := c.store.Do(r)
	if err != nil {
		// The URL carries a signature, and url.Error would print it.
		return hosting.Errorf(hosting.CodeUnavailable, "the object store cannot be reached at %s", r.URL.Host)
	}
	defer drain(resp.Body)
	// 412: the key is a digest and written once, so whoever was first stored the same bytes.
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusPreconditionFailed {
		return nil
	}
	return fmt.Errorf("upload blob %s: %w", to.Digest, problemError(resp.StatusCode, nil))
}

// Finish ends the attempt.
func (j *Job) Finish(ctx context.Context, f hosting.Finish) (hosting.Deployment, error) {
	var d hosting.Deployment
	err := j.c.do(ctx, call{method: http.MethodPost, path: j.path("finish"), in: f}, &d)
	return d, err
}
