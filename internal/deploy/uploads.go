package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/state"
)

// uploadRoom is how many times a site's limit an attempt may upload: a site holds most files
// in two forms, and any may have to be sent again.
const uploadRoom = 3

const (
	maxAskedFiles = 10_000
	// maxFormParts is how many blobs a compressed form has that is named: builds make no larger ones.
	maxFormParts = 16
)

// Missing answers which of the blobs have to be uploaded: those that none of the project's
// newest manifests names. The store itself is not asked. Where it presigns, the answer says how
// a blob gets there past control, which looks only at Finish whether it did. Of the files, 10,000
// at most, it names the compressed forms that builds for production among these have.
func (a *Attempt) Missing(ctx context.Context, r hosting.MissingRequest) (hosting.MissingAnswer, error) {
	answer := hosting.MissingAnswer{Missing: []hosting.BlobUpload{}}
	if len(r.Blobs) > a.s.maxBlobs() {
		return answer, hosting.Errorf(hosting.CodeTooLarge, "%d blobs are more than a site can have", len(r.Blobs))
	}
	if len(r.Files) > maxAskedFiles {
		return answer, hosting.Errorf(hosting.CodeTooLarge, "%d files are more than one request may ask for", len(r.Files)).
			WithHint("ask for at most %d at once", maxAskedFiles)
	}
	for _, b := range r.Blobs {
		if b.Digest.IsZero() || b.Size < 0 || b.Size > hosting.MaxBlob {
			return answer, hosting.Errorf(hosting.CodeInvalid, "a blob has a digest and at most %d bytes", hosting.MaxBlob)
		}
	}
	if err := a.begin(ctx); err != nil {
		return answer, err
	}
	stored, err := a.s.storedBy(ctx, a.run)
	if err != nil {
		return answer, fmt.Errorf("find missing blobs: %w", err)
	}
	asked := make(map[hosting.Digest]bool, len(r.Blobs))
	signs := true
	for _, b := range r.Blobs {
		if !asked[b.Digest] && !stored.has(b) {
			upload := hosting.BlobUpload{Digest: b.Digest}
			if signs && b.Size > 0 {
				upload, signs = a.presign(ctx, b)
			}
			answer.Missing = append(answer.Missing, upload)
		}
		asked[b.Digest] = true
	}
	told := make(map[hosting.Digest]bool, len(r.Files))
	for _, file := range r.Files {
		if form, ok := stored.form(file); ok && !told[file] {
			answer.Forms = append(answer.Forms, hosting.FileForm{File: file, Form: form})
		}
		told[file] = true
	}
	return answer, nil
}

// presign returns the object store's own upload of a blob, or the API's, with ok false, where
// the store signs none or the attempt has had as many as it could need.
func (a *Attempt) presign(ctx context.Context, b hosting.BlobRef) (upload hosting.BlobUpload, ok bool) {
	through := hosting.BlobUpload{Digest: b.Digest}
	if a.s.logs.sign(a.run.Deployment, b.Size, uploadRoom*a.s.cfg.Limits.SiteBytes) != nil {
		return through, false
	}
	upload, err := a.s.cfg.Blobs.PresignPut(ctx, a.run.Project, b, signedLife)
	if err == nil {
		return upload, true
	}
	if !errors.Is(err, object.ErrNotPresigned) && ctx.Err() == nil {
		a.s.log.Warn("blobs come through the API, since their uploads cannot be presigned", "deployment", a.run.Deployment, "error", err)
	}
	return through, false
}

func (s *Service) maxBlobs() int {
	return 2*s.cfg.Limits.Files + 2*int(s.cfg.Limits.SiteBytes/hosting.MaxBlob)
}

// begin checks that the attempt is live; the first call of an uploader without a job is the
// beginning of its attempt.
func (a *Attempt) begin(ctx context.Context) error {
	waits := false
	err := a.s.cfg.DB.View(ctx, func(tx state.Tx) error {
		_, d, err := a.live(tx)
		waits = d.Status == hosting.StatusNotStarted
		return err
	})
	if err != nil || !waits {
		return err
	}
	done, err := a.s.update(ctx, func(tx *change) error {
		_, d, err := a.live(tx)
		if err != nil || d.Status != hosting.StatusNotStarted {
			return err
		}
		if err := d.Advance(hosting.StatusInProgress, a.s.now()); err != nil {
			return err
		}
		d.Enter(hosting.PhaseUploading)
		return tx.putDeployment(&d)
	})
	if err != nil {
		return fmt.Errorf("begin the upload: %w", err)
	}
	a.s.announce(ctx, done)
	return nil
}

// PutBlob stores one blob, exactly size bytes of body whose SHA-256 is digest. It may be
// repeated. Any blob of a live attempt is taken, in all as much as a few sites could have:
// which were named missing is not remembered.
func (a *Attempt) PutBlob(ctx context.Context, digest hosting.Digest, size int64, body io.Reader) error {
	switch {
	case digest.IsZero() || size < 0:
		return hosting.Errorf(hosting.CodeInvalid, "a blob needs a digest and a length").WithHint("send a Content-Length")
	case size > hosting.MaxBlob:
		return hosting.Errorf(hosting.CodeTooLarge, "a blob has at most %d bytes", hosting.MaxBlob)
	}
	if _, err := a.check(ctx); err != nil {
		return err
	}
	if err := a.s.logs.charge(a.run.Deployment, size, uploadRoom*a.s.cfg.Limits.SiteBytes); err != nil {
		return err
	}
	err := a.s.cfg.Blobs.Put(ctx, a.run.Project, hosting.BlobRef{Digest: digest, Size: size}, body)
	if _, gone := a.check(ctx); gone != nil {
		a.s.discardLate(ctx, a.run.Team, a.run.Project)
		return gone
	}
	return err
}
