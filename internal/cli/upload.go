package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/scale-mesh/fairway/builder"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// upload packs the folder and has the server build it.
func (d *deployment) upload(ctx context.Context, name string, way choice) error {
	d.say("%s: packing the source and building it on the server", capital(way.why))
	archive, err := d.pack(ctx, way.dir)
	if err != nil {
		return err
	}
	defer archive.remove()
	p, err := d.findOrCreate(ctx, name, "")
	if err != nil {
		return err
	}
	answer, err := d.c.Deploy(ctx, hosting.NewDeployment{Project: string(p.ID), Target: d.target(), Source: hosting.SourceArchive})
	if err != nil {
		return err
	}
	made, err := d.putSource(ctx, answer.ID, archive)
	if err != nil {
		return d.abandon(ctx, answer.ID, err)
	}
	archive.remove() // a build is long, and the folder for temporary files often memory
	return d.queued(ctx, d.c, made, d.noFollow, d.began)
}

// packed is a source in a temporary file.
type packed struct {
	file  *os.File
	size  int64
	files int
}

func (d *deployment) pack(ctx context.Context, dir string) (_ *packed, err error) {
	st := newStatus(d.output)
	st.set("Packing")
	defer st.stop()
	file, err := os.CreateTemp("", "fairway-*.tar.gz")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	a := &packed{file: file}
	defer func() {
		if err != nil {
			a.remove()
		}
	}()
	if a.files, err = builder.Pack(ctx, dir, file, hosting.DefaultLimits()); err != nil {
		return nil, err
	}
	if a.size, err = file.Seek(0, io.SeekCurrent); err != nil {
		return nil, fmt.Errorf("measure the archive: %w", err)
	}
	if _, err = file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind the archive: %w", err)
	}
	return a, nil
}

// remove may be repeated.
func (a *packed) remove() {
	if a.file == nil {
		return
	}
	// What stays in the folder for temporary files is the system's to clean.
	_ = a.file.Close()
	_ = os.Remove(a.file.Name())
	a.file = nil
}

func (d *deployment) putSource(ctx context.Context, id hosting.DeploymentID, a *packed) (hosting.Deployment, error) {
	st := newStatus(d.output)
	st.set("Uploading")
	defer st.stop()
	body := &counter{r: a.file, tell: func(n int64) { st.detail(fmt.Sprintf("Uploading %s of %s", size(n), size(a.size))) }}
	made, err := d.c.PutSource(ctx, id, body, a.size)
	if err == nil {
		st.stop()
		d.say("Uploaded %s, %s packed", count(a.files, "file"), size(a.size))
	}
	return made, err
}

// counter tells how much was read.
type counter struct {
	r    io.Reader
	n    atomic.Int64
	tell func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.tell(c.n.Add(int64(n)))
	return n, err
}

// abandonTime bounds the good-bye of a command that was interrupted.
const abandonTime = 5 * time.Second

// abandon ends a deployment whose files will not come, so that it does not wait for them.
func (d *deployment) abandon(ctx context.Context, id hosting.DeploymentID, cause error) error {
	interrupted := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTime)
	defer cancel()
	_, err := d.c.Cancel(ctx, id)
	switch {
	case interrupted && err == nil:
		return errorf(ExitFailed, "stopped: the deployment is canceled and the site as it was")
	case err == nil || hosting.Is(err, hosting.CodeConflict): // it ended by itself
		return cause
	}
	return errors.Join(cause, err)
}

// confess has the deployment say why it failed, as one does that is built. It may be in
// vain, on a full disk: then abandon, which comes next, ends it in another way.
func (d *deployment) confess(ctx context.Context, job *client.Job, cause error) {
	ctx, cancel := context.WithTimeout(ctx, abandonTime)
	defer cancel()
	f := builder.FailureOf(cause)
	_, _ = job.Finish(ctx, hosting.Finish{Failure: &f})
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' || len(s) > 12 && s[:12] == "package.json" {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

var _ builder.Uploads = (*client.Job)(nil)
