package deploy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/state"
)

// PutSource stores the archive of a deployment of kind archive, exactly size bytes of body,
// and queues it. Until that has succeeded it may be repeated; afterwards it is CodeConflict.
func (s *Service) PutSource(ctx context.Context, c hosting.Caller, id hosting.DeploymentID, body io.Reader, size int64) (hosting.Deployment, error) {
	release, ok := s.logs.tryUpload(id)
	if !ok { // the object has one key, which two uploads must not share
		return hosting.Deployment{}, hosting.Errorf(hosting.CodeConflict, "the archive is being uploaded already")
	}
	defer release()
	if size <= 0 {
		return hosting.Deployment{}, hosting.Errorf(hosting.CodeInvalid, "the archive is empty or its length unknown").WithHint("send a Content-Length")
	}
	if size > s.cfg.Limits.SourceBytes {
		return hosting.Deployment{}, hosting.Errorf(hosting.CodeTooLarge, "the archive has %d bytes, the limit is %d", size, s.cfg.Limits.SourceBytes).
			WithHint("leave out what is not needed to build")
	}
	d, err := s.awaitsArchive(ctx, c, id)
	if err != nil {
		return hosting.Deployment{}, err
	}
	digest, err := s.storeSource(ctx, d, body, size)
	if err != nil {
		return hosting.Deployment{}, fmt.Errorf("store the archive: %w", err)
	}
	done, err := s.update(ctx, func(tx *change) error { return s.sourceStored(tx, c, id, digest, size) })
	if err != nil {
		s.discardSource(ctx, d, err)
		return hosting.Deployment{}, fmt.Errorf("queue the archive: %w", err)
	}
	s.announce(ctx, done)
	return s.FindDeployment(ctx, c, id)
}

// awaitsArchive returns the deployment if an archive can be uploaded for it.
func (s *Service) awaitsArchive(ctx context.Context, c hosting.Caller, id hosting.DeploymentID) (d hosting.Deployment, err error) {
	err = s.cfg.DB.View(ctx, func(tx state.Tx) error {
		if d, _, err = s.deployment(tx, c, id); err != nil {
			return err
		}
		return checkAwaitsArchive(d)
	})
	return d, err
}

func checkAwaitsArchive(d hosting.Deployment) error {
	if d.Source.Kind != hosting.SourceArchive || d.Status != hosting.StatusNotStarted {
		return hosting.Errorf(hosting.CodeConflict, "the deployment is %s, of kind %s, and awaits no archive", d.Status, d.Source.Kind)
	}
	return nil
}

func (s *Service) storeSource(ctx context.Context, d hosting.Deployment, body io.Reader, size int64) (hosting.Digest, error) {
	sum := sha256.New()
	err := s.cfg.Objects.Put(ctx, blob.SourceKey(d.Project, d.ID), io.TeeReader(body, sum), object.Check{Size: size})
	if err != nil {
		return hosting.Digest{}, err
	}
	return hosting.Digest(sum.Sum(nil)), object.Flush(ctx, s.cfg.Objects)
}

func (s *Service) sourceStored(tx *change, c hosting.Caller, id hosting.DeploymentID, digest hosting.Digest, size int64) error {
	d, _, err := s.deployment(tx, c, id)
	if err != nil {
		return err
	}
	if err := checkAwaitsArchive(d); err != nil {
		return err // it was canceled, or its hour passed, during the upload
	}
	run, err := s.sys.Runs.Get(tx, state.K(string(id)))
	if err != nil {
		return err
	}
	d.Source.Digest, d.Source.Size, d.Source.Origin = digest, size, id
	if err := d.Advance(hosting.StatusQueued, s.now()); err != nil {
		return err
	}
	run.State = state.RunQueued
	if run.Number, err = tx.wakeQueue(); err != nil {
		return err
	}
	if err := s.sys.Runs.Put(tx, &run); err != nil {
		return err
	}
	return tx.putDeployment(&d)
}

// discardSource removes an archive that came too late, after its deployment or project had
// ended. After any other failure it may be part of the deployment, and stays.
func (s *Service) discardSource(ctx context.Context, d hosting.Deployment, cause error) {
	if hosting.Is(cause, hosting.CodeConflict) {
		if err := s.cfg.Objects.Delete(context.WithoutCancel(ctx), blob.SourceKey(d.Project, d.ID)); err != nil {
			s.log.Error("an archive that nobody needs stays", "deployment", d.ID, "error", err)
		}
	}
	s.discardLate(ctx, d.Team, d.Project)
}

// OpenSource opens the archive that the attempt builds, and tells its length.
func (a *Attempt) OpenSource(ctx context.Context) (io.ReadCloser, int64, error) {
	var d hosting.Deployment
	err := a.s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		_, d, err = a.live(tx)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	if d.Source.Kind != hosting.SourceArchive {
		return nil, 0, hosting.Errorf(hosting.CodeNotFound, "the deployment has no archive")
	}
	body, info, err := a.s.cfg.Objects.Get(ctx, blob.SourceKey(d.Project, d.Source.Origin))
	if err != nil {
		return nil, 0, fmt.Errorf("open the archive: %w", err)
	}
	return body, info.Size, nil
}
