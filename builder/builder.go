package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Control is the part of the job protocol that leads an attempt. CodeGone and
// CodeUnauthenticated from any method mean that the attempt is over.
type Control interface {
	Job(ctx context.Context) (hosting.Job, error)
	Heartbeat(ctx context.Context, beat hosting.Heartbeat) error
	// Source opens the archive of a job of kind archive.
	Source(ctx context.Context) (io.ReadCloser, error)
	// Finish may be repeated.
	Finish(ctx context.Context, f hosting.Finish) (hosting.Deployment, error)
}

// Uploads is the part of the job protocol that brings blobs.
type Uploads interface {
	Missing(ctx context.Context, req hosting.MissingRequest) (hosting.MissingAnswer, error)
	PutBlob(ctx context.Context, to hosting.BlobUpload, body []byte) error
}

// Logs is the part of the job protocol that takes log lines.
type Logs interface {
	AppendLog(ctx context.Context, batch hosting.LogBatch) (hosting.LogAck, error)
}

// Config is what an attempt needs.
type Config struct {
	Control Control
	Uploads Uploads
	Logs    Logs
	// Dir is an empty folder to work in. Run removes what it made there.
	Dir string
	// Spool is the file that holds the log until all of it is acknowledged. Run removes it.
	Spool string
	// Env is where the build's PATH and LANG come from, and the operator's settings for
	// proxies, certificates and package registries. Nothing else of it reaches the build.
	Env []string
	Log *slog.Logger
	Now func() time.Time
}

// Run makes one attempt at one deployment and returns when nothing of it runs any more. It
// returns nil once control has acknowledged how the attempt ended, a failed build included.
// An attempt that control ended returns CodeGone or CodeUnauthenticated; one that heard
// nothing from control while its lease ran out returns CodeUnavailable.
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return fmt.Errorf("find the work folder: %w", err)
	}
	var job hosting.Job
	err = retry(ctx, func(ctx context.Context) error {
		job, err = cfg.Control.Job(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("fetch the job: %w", err)
	}
	job.Limits = job.Limits.OrDefaults()

	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	journal, err := openJournal(cfg, job, end)
	if err != nil {
		return fmt.Errorf("open the log's spool: %w", err)
	}
	a := &attempt{cfg: cfg, job: job, log: journal, heart: newHeart(cfg.Control, end)}
	// The order of these matters: control hears from the attempt as long as anything of it is there.
	a.heart.start(ctx)
	defer a.heart.stop()
	defer func() { err = errors.Join(err, a.clean()) }()
	journal.start(ctx)
	defer journal.stop()
	return a.run(ctx)
}

// clean removes what the attempt made in its folder.
func (a *attempt) clean() error {
	var errs []error
	for _, name := range []string{dirSource, dirHome, dirTemp} {
		errs = append(errs, os.RemoveAll(filepath.Join(a.cfg.Dir, name)))
	}
	return errors.Join(errs...)
}
