package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

const (
	maxInMemory = 32 << 20 // larger bodies wait in a file until they are checked
	maxPut      = 5 << 30  // what S3 takes in one request
)

// Put reads body whole, checks it, and sends it in one request, which S3 makes visible
// whole or not at all. It takes up to 32 MiB of memory, and of larger bodies a file. A body
// has at most 5 GiB.
func (s *Store) Put(ctx context.Context, key string, body io.Reader, check object.Check) error {
	if err := usable(ctx, key); err != nil {
		return err
	}
	if check.Size < 0 {
		return invalid("an object's size cannot be %d", check.Size)
	}
	if check.Size > maxPut {
		return hosting.Errorf(hosting.CodeTooLarge, "an object in S3 has at most %d bytes", int64(maxPut))
	}
	whole, digest, err := s.read(ctx, body, check)
	if err != nil {
		return fmt.Errorf("put object %s: %w", key, err)
	}
	defer whole.Close() // a file that has no name, or memory
	bound, cancel := s.bound(ctx, check.Size)
	defer cancel()
	out, err := s.client.PutObject(bound, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: s.name(key), Body: whole, ContentLength: aws.Int64(check.Size),
		ContentType: aws.String("application/octet-stream"),
	}, signed(digest))
	if err == nil && out.ETag == nil {
		err = errNotS3
	}
	return s.explain(ctx, "put", key, err)
}

// read returns the checked body from its beginning, and its digest.
func (s *Store) read(ctx context.Context, body io.Reader, check object.Check) (io.ReadSeekCloser, hosting.Digest, error) {
	sum := sha256.New()
	if check.Size > maxInMemory {
		return s.spool(ctx, body, check, sum)
	}
	buf := bytes.NewBuffer(make([]byte, 0, check.Size))
	digest, err := digested(ctx, buf, body, check, sum)
	return memory{bytes.NewReader(buf.Bytes())}, digest, err
}

// digested copies a body and returns its digest, which is known where it was checked.
func digested(ctx context.Context, w io.Writer, body io.Reader, check object.Check, sum hash.Hash) (hosting.Digest, error) {
	if !check.Digest.IsZero() {
		return check.Digest, object.Copy(ctx, w, body, check)
	}
	err := object.Copy(ctx, io.MultiWriter(w, sum), body, check)
	return hosting.Digest(sum.Sum(nil)), err
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (s *Store) spool(ctx context.Context, body io.Reader, check object.Check, sum hash.Hash) (io.ReadSeekCloser, hosting.Digest, error) {
	f, err := os.CreateTemp(s.dir, ".tmp-put-*")
	if err != nil {
		return nil, hosting.Digest{}, unspooled(err)
	}
	// At once, so that nothing is left of a process that is killed.
	err = os.Remove(f.Name())
	var digest hosting.Digest
	if err == nil {
		digest, err = digested(ctx, f, body, check, sum)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, hosting.Digest{}, unspooled(err)
	}
	return f, digest, nil
}

// signed has the request signed with the digest of the body, in x-amz-content-sha256: over
// TLS, too, and without reading the body for it once more.
func signed(digest hosting.Digest) func(*s3.Options) {
	set := middleware.InitializeMiddlewareFunc("FairwayPayloadHash", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		return next.HandleInitialize(v4.SetPayloadHash(ctx, fmt.Sprintf("%x", digest[:])), in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Initialize.Add(set, middleware.Before)
		})
	}
}
