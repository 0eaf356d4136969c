package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Job speaks the job protocol for one attempt at one deployment. Every method may be
// repeated; hosting.CodeGone means that the attempt is over and the job has to stop. Its
// methods may be called concurrently.
type Job struct {
	c  *Client
	id hosting.DeploymentID

	apart atomic.Bool // from the object store: blobs come by the API
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
	b := batch.AppendJSON(nil)
	err := j.c.do(ctx, call{method: http.MethodPost, path: j.path("logs"), raw: &rawBody{bytes.NewReader(b), int64(len(b)), "application/json"}}, &ack)
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

// Finish ends the attempt. Where control does not find what the object store took, the blobs
// that are brought then come by the API, which replaces what is there.
func (j *Job) Finish(ctx context.Context, f hosting.Finish) (hosting.Deployment, error) {
	var d hosting.Deployment
	err := j.c.do(ctx, call{method: http.MethodPost, path: j.path("finish"), in: f}, &d)
	if hosting.Is(err, hosting.CodeIncomplete) {
		j.apart.Store(true)
	}
	return d, err
}
