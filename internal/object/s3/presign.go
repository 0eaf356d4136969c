package s3

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/scale-mesh/fairway/internal/object"
)

var _ object.Presigner = (*Store)(nil)

// PresignPut signs the method, the key, the length, the SHA-256 of the body and the condition
// that nothing is there. S3 hashes the body because of x-amz-checksum-sha256, a header that
// is signed; x-amz-content-sha256, which Put signs, counts for nothing in a presigned URL.
func (s *Store) PresignPut(ctx context.Context, key string, check object.Check, life time.Duration) (object.Upload, error) {
	if err := usable(ctx, key); err != nil {
		return object.Upload{}, err
	}
	if check.Size < 1 || check.Size > maxPut || check.Digest.IsZero() {
		return object.Upload{}, invalid("an upload is signed for 1 to %d bytes and their digest", int64(maxPut))
	}
	if !s.enforces.Load() {
		return object.Upload{}, object.ErrNotPresigned
	}
	return s.presign(ctx, key, check, life)
}

func (s *Store) presign(ctx context.Context, key string, check object.Check, life time.Duration) (object.Upload, error) {
	bound, cancel := s.bound(ctx, 0) // keys may have to be fetched
	defer cancel()
	r, err := s.presigner.PresignPutObject(bound, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: s.name(key), ContentLength: aws.Int64(check.Size), IfNoneMatch: aws.String("*"),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(check.Digest[:])),
	}, s3.WithPresignExpires(life))
	if err != nil {
		return object.Upload{}, s.explain(ctx, "presign", key, err)
	}
	u := object.Upload{URL: r.URL, Headers: make(map[string]string)}
	for name := range r.SignedHeader {
		if name != "Host" && name != "Content-Length" { // which every client makes itself
			u.Headers[name] = r.SignedHeader.Get(name)
		}
	}
	return u, nil
}
