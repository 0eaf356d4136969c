// Package blob keeps content-addressed bytes over an object store: blobs, which are files or
// parts of files, and the manifests that name them.
//
// What it returns was verified against its digest, whatever the object store did to it. It
// keeps projects apart by their keys, so no content of one project can be found out from
// another. It neither caches nor counts references.
package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// Store keeps blobs and manifests. Its methods may be called concurrently, and all of them
// may be repeated. Besides those named below, errors carry the codes of object.Store.
type Store struct {
	objects object.Store
}

// New returns a Store over objects.
func New(objects object.Store) *Store { return &Store{objects: objects} }

// Put stores a blob. CodeTooLarge refuses more than hosting.MaxBlob, CodeMismatch a body
// that is not what ref says. It is durable once the object store was flushed.
func (s *Store) Put(ctx context.Context, project hosting.ProjectID, ref hosting.BlobRef, body io.Reader) error {
	switch {
	case ref.Digest.IsZero() || ref.Size < 0:
		return hosting.Errorf(hosting.CodeInvalid, "a blob needs a digest and a size")
	case ref.Size > hosting.MaxBlob:
		return hosting.Errorf(hosting.CodeTooLarge, "a blob has at most %d bytes", hosting.MaxBlob)
	}
	check := object.Check{Size: ref.Size, Digest: ref.Digest}
	if err := s.objects.Put(ctx, contentKey(blobs, project, ref.Digest), body, check); err != nil {
		return fmt.Errorf("put blob %s: %w", ref.Digest, err)
	}
	return nil
}

// PresignPut returns the upload by which others can bring a blob to the object store
// themselves, once and exactly as ref says, while life lasts. object.ErrNotPresigned says that
// it has to come by Put.
func (s *Store) PresignPut(ctx context.Context, project hosting.ProjectID, ref hosting.BlobRef, life time.Duration) (hosting.BlobUpload, error) {
	p, ok := s.objects.(object.Presigner)
	if !ok || ref.Size < 1 || ref.Size > hosting.MaxBlob || ref.Digest.IsZero() {
		return hosting.BlobUpload{}, object.ErrNotPresigned
	}
	u, err := p.PresignPut(ctx, contentKey(blobs, project, ref.Digest), object.Check{Size: ref.Size, Digest: ref.Digest}, life)
	if err != nil {
		return hosting.BlobUpload{}, fmt.Errorf("presign blob %s: %w", ref.Digest, err)
	}
	return hosting.BlobUpload{Digest: ref.Digest, URL: u.URL, Headers: u.Headers}, nil
}

// Get returns a blob whole. CodeMismatch means that the store holds other bytes under its
// name; Put mends that.
func (s *Store) Get(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error) {
	b, err := s.read(ctx, contentKey(blobs, project, digest), digest, hosting.MaxBlob)
	if err != nil {
		return nil, fmt.Errorf("get blob %s: %w", digest, err)
	}
	return b, nil
}

// PutManifest stores a manifest and returns its name. CodeTooLarge refuses more than
// hosting.MaxManifest. It is durable once the object store was flushed.
func (s *Store) PutManifest(ctx context.Context, project hosting.ProjectID, b []byte) (hosting.Digest, error) {
	if len(b) > hosting.MaxManifest {
		return hosting.Digest{}, hosting.Errorf(hosting.CodeTooLarge, "a manifest has at most %d bytes", hosting.MaxManifest)
	}
	digest := hosting.DigestOf(b)
	check := object.Check{Size: int64(len(b)), Digest: digest}
	if err := s.objects.Put(ctx, contentKey(manifests, project, digest), bytes.NewReader(b), check); err != nil {
		return hosting.Digest{}, fmt.Errorf("put manifest %s: %w", digest, err)
	}
	return digest, nil
}

// GetManifest returns a manifest whole, with the codes of Get.
func (s *Store) GetManifest(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error) {
	b, err := s.read(ctx, contentKey(manifests, project, digest), digest, hosting.MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("get manifest %s: %w", digest, err)
	}
	return b, nil
}

// read returns an object of at most limit bytes, if they are what digest names.
func (s *Store) read(ctx context.Context, key string, digest hosting.Digest, limit int64) ([]byte, error) {
	body, info, err := s.objects.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if info.Size < 0 || info.Size > limit {
		return nil, hosting.Errorf(hosting.CodeMismatch, "stored content has %d bytes, more than it can have", info.Size)
	}
	// One byte more than announced, so that a longer object is noticed and not cut.
	b := make([]byte, info.Size+1)
	n, err := io.ReadFull(body, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read: %w", err)
	}
	if b = b[:n]; int64(n) != info.Size || hosting.DigestOf(b) != digest {
		return nil, hosting.Errorf(hosting.CodeMismatch, "stored content is not what its name says")
	}
	return b, nil
}
