package builder_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// control is the other side of the job protocol, in memory, and strict: whatever a job may
// not do fails the test.
type control struct {
	t       *testing.T
	job     hosting.Job
	archive []byte
	env     []string // of the runner
	spool   string   // where the log is kept while the attempt runs

	mu       sync.Mutex // guards what follows
	beats    []hosting.Heartbeat
	log      []hosting.LogLine
	blobs    map[hosting.Digest][]byte
	asked    map[hosting.Digest]int64
	forms    map[hosting.Digest]hosting.Form // compressed ones that control says to have
	finished *hosting.Finish
	gone     bool
	cuts     int                             // connections that break before the archive's end
	onLine   func(*control, hosting.LogLine) // under mu
	onFinish func(*control) error            // under mu
}

func newControl(t *testing.T, job hosting.Job) *control {
	t.Helper()
	if job.Deployment == "" {
		job.Deployment = hosting.NewDeploymentID()
	}
	if job.Deadline.IsZero() {
		job.Deadline = time.Now().Add(5 * time.Minute)
	}
	job.Attempt = 1
	if job.LogNext == 0 {
		job.LogNext = 1
	}
	return &control{t: t, job: job, env: env(), spool: t.TempDir() + "/spool", blobs: map[hosting.Digest][]byte{}, asked: map[hosting.Digest]int64{}}
}

func (c *control) lock(call string) (func(), error) {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return nil, hosting.Errorf(hosting.CodeGone, "the attempt is over")
	}
	if c.finished != nil && call != "finish" {
		// Only a heartbeat may cross the finish.
		if call != "heartbeat" {
			c.t.Errorf("%s after finish", call)
		}
		c.mu.Unlock()
		return nil, hosting.Errorf(hosting.CodeGone, "the attempt has finished")
	}
	return c.mu.Unlock, nil
}

func (c *control) Job(context.Context) (hosting.Job, error) {
	unlock, err := c.lock("job")
	if err != nil {
		return hosting.Job{}, err
	}
	defer unlock()
	return c.job, nil
}

func (c *control) Heartbeat(_ context.Context, b hosting.Heartbeat) error {
	unlock, err := c.lock("heartbeat")
	if err != nil {
		return err
	}
	defer unlock()
	if n := len(c.beats); n > 0 && b.Phase.Number() < c.beats[n-1].Phase.Number() {
		c.t.Errorf("the phase went back from %s to %s", c.beats[n-1].Phase, b.Phase)
	}
	c.beats = append(c.beats, b)
	return nil
}

func (c *control) Source(context.Context) (io.ReadCloser, error) {
	if c.job.Source.Kind != hosting.SourceArchive {
		c.t.Error("asked for an archive that there is not")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cuts > 0 { // as net/http tells of a server that was killed
		c.cuts--
		return io.NopCloser(io.MultiReader(bytes.NewReader(c.archive[:len(c.archive)-20]), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
	}
	return io.NopCloser(bytes.NewReader(c.archive)), nil
}

func (c *control) AppendLog(_ context.Context, b hosting.LogBatch) (hosting.LogAck, error) {
	unlock, err := c.lock("logs")
	if err != nil {
		return hosting.LogAck{}, err
	}
	defer unlock()
	awaited := c.job.LogNext + int64(len(c.log))
	if len(b.Lines) > builder.MaxBatchLines || len(b.Lines) == 0 && b.First < awaited {
		c.t.Errorf("a batch of %d lines", len(b.Lines))
	}
	for i, l := range b.Lines {
		if l.N != b.First+int64(i) {
			c.t.Errorf("line %d of the batch from %d has the number %d", i, b.First, l.N)
		}
		if l.N != awaited {
			continue
		}
		if err := builder.CheckShown(l.Text); err != nil {
			c.t.Error(err)
		}
		c.log = append(c.log, l)
		awaited++
		if c.onLine != nil {
			c.onLine(c, l)
		}
	}
	return hosting.LogAck{Next: awaited}, nil
}

func (c *control) Missing(_ context.Context, r hosting.MissingRequest) (hosting.MissingAnswer, error) {
	unlock, err := c.lock("missing")
	if err != nil {
		return hosting.MissingAnswer{}, err
	}
	defer unlock()
	if len(r.Blobs) > 5000 {
		c.t.Errorf("asked for %d blobs at once", len(r.Blobs))
	}
	var a hosting.MissingAnswer
	for _, ref := range r.Blobs {
		if ref.Size < 0 || ref.Size > hosting.MaxBlob {
			c.t.Errorf("a blob of %d bytes", ref.Size)
		}
		c.asked[ref.Digest] = ref.Size
		if _, ok := c.blobs[ref.Digest]; !ok {
			a.Missing = append(a.Missing, hosting.BlobUpload{Digest: ref.Digest})
		}
	}
	for _, file := range r.Files {
		if form, ok := c.forms[file]; ok {
			a.Forms = append(a.Forms, hosting.FileForm{File: file, Form: form})
		}
	}
	return a, nil
}

func (c *control) PutBlob(_ context.Context, to hosting.BlobUpload, body []byte) error {
	unlock, err := c.lock("blobs")
	if err != nil {
		return err
	}
	defer unlock()
	if size, ok := c.asked[to.Digest]; !ok || size != int64(len(body)) || hosting.DigestOf(body) != to.Digest {
		c.t.Errorf("the blob %s was not asked for, or is another one", to.Digest)
	}
	c.blobs[to.Digest] = bytes.Clone(body)
	return nil
}

func (c *control) Finish(_ context.Context, f hosting.Finish) (hosting.Deployment, error) {
	unlock, err := c.lock("finish")
	if err != nil {
		return hosting.Deployment{}, err
	}
	defer unlock()
	if c.onFinish != nil {
		if err := c.onFinish(c); err != nil {
			return hosting.Deployment{}, err
		}
	}
	if awaited := c.job.LogNext + int64(len(c.log)); f.LogNext > awaited {
		return hosting.Deployment{}, hosting.Errorf(hosting.CodeIncomplete, "the log lacks its lines from %d on", awaited)
	}
	if (f.Inventory == nil) == (f.Failure == nil) {
		c.t.Error("finish needs either an inventory or a failure")
	}
	if f.Inventory != nil {
		checkInventory(c.t, *f.Inventory, c.blobs)
	}
	c.finished = &f
	return hosting.Deployment{}, nil
}

// checkInventory makes sure that every form of every file is there, whole.
func checkInventory(t *testing.T, inv hosting.Inventory, blobs map[hosting.Digest][]byte) {
	t.Helper()
	for i, f := range inv.Files {
		if err := hosting.CheckFilePath(f.Path); err != nil {
			t.Error(err)
		}
		if i > 0 && inv.Files[i-1].Path >= f.Path {
			t.Errorf("%s stands before %s", inv.Files[i-1].Path, f.Path)
		}
		if got := content(t, f, blobs); hosting.DigestOf(got) != f.Digest || int64(len(got)) != f.Size {
			t.Errorf("%s has another content than its digest says", f.Path)
		}
	}
}

// attempt runs one attempt against c and returns what it reported.
func (c *control) attempt(ctx context.Context) (*hosting.Finish, error) {
	c.t.Helper()
	dir := c.t.TempDir()
	err := builder.Run(ctx, builder.Config{
		Control: c, Uploads: c, Logs: c, Dir: dir, Spool: c.spool, Env: c.env,
		Log: slog.New(slog.NewTextHandler(c.t.Output(), nil)),
	})
	if left := list(c.t, dir); len(left) > 0 {
		c.t.Errorf("the work folder still holds %v", left)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.finished, err
}

// succeeds runs an attempt that has to publish something.
func (c *control) succeeds() hosting.Inventory {
	c.t.Helper()
	f, err := c.attempt(c.t.Context())
	if err != nil || f == nil || f.Inventory == nil {
		c.t.Fatalf("got %+v, %v\n%s", f, err, c.text())
	}
	return *f.Inventory
}

// fails runs an attempt that has to fail, and returns the reason.
func (c *control) fails(code string) string {
	c.t.Helper()
	f, err := c.attempt(c.t.Context())
	if err != nil || f == nil || f.Failure == nil {
		c.t.Fatalf("got %+v, %v\n%s", f, err, c.text())
	}
	if f.Failure.Code != code {
		c.t.Fatalf("got %s (%s), want %s\n%s", f.Failure.Code, f.Failure.Reason, code, c.text())
	}
	return f.Failure.Reason
}

// text returns the log as a person reads it.
func (c *control) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, l := range c.log {
		fmt.Fprintf(&b, "%d %s %s: %s\n", l.N, l.Step, l.Stream, l.Text)
	}
	return b.String()
}
