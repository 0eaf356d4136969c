package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/scale-mesh/fairway/internal/hosting"
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
	p, err := s.findPlace(bound)
	if err != nil {
		return object.Upload{}, err
	}
	if p.service != "s3" {
		return s.presignBySDK(ctx, key, check, life)
	}
	u, err := s.presignAt(bound, p, key, check, life)
	if err != nil {
		return object.Upload{}, s.explain(ctx, "presign", key, err)
	}
	return u, nil
}

// place is how the SDK addresses and signs a key, from which all others follow.
type place struct {
	base            string // what their URLs begin with
	region, service string // that requests are signed for; the service is "s3", but for directory buckets
}

// findPlace has the SDK presign one key. Doing so for each takes eight times as long as the signature
// itself, which many thousands of blobs are waited for.
func (s *Store) findPlace(ctx context.Context) (place, error) {
	if p := s.place.Load(); p != nil {
		return *p, nil
	}
	const key = "key"
	u, err := s.presignBySDK(ctx, key, object.Check{Size: 1, Digest: hosting.DigestOf(nil)}, time.Minute)
	if err != nil {
		return place{}, err
	}
	address, query, _ := strings.Cut(u.URL, "?")
	values, err := url.ParseQuery(query)
	scope := strings.Split(values.Get("X-Amz-Credential"), "/")
	base, ok := strings.CutSuffix(address, "/"+key)
	if err != nil || len(scope) != 5 || !ok {
		return place{}, explained("presign", key, errors.New("its address cannot be read"))
	}
	p := place{base: base + "/", region: scope[2], service: scope[3]}
	s.place.Store(&p)
	return p, nil
}

// presignAt makes the same address as presignBySDK.
func (s *Store) presignAt(ctx context.Context, p place, key string, check object.Check, life time.Duration) (object.Upload, error) {
	keys, err := s.client.Options().Credentials.Retrieve(ctx)
	if err != nil {
		return object.Upload{}, err
	}
	// No character of a key is escaped in a URL.
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, fmt.Sprintf("%s%s?X-Amz-Expires=%d&x-id=PutObject", p.base, key, int64(life/time.Second)), nil)
	if err != nil {
		return object.Upload{}, err
	}
	u := object.Upload{Headers: map[string]string{
		"If-None-Match": "*", "X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(check.Digest[:]),
	}}
	r.ContentLength = check.Size
	for name, value := range u.Headers {
		r.Header.Set(name, value)
	}
	u.URL, _, err = s.signer.PresignHTTP(ctx, keys, r, "UNSIGNED-PAYLOAD", p.service, p.region, time.Now().UTC())
	return u, err
}

func (s *Store) presignBySDK(ctx context.Context, key string, check object.Check, life time.Duration) (object.Upload, error) {
	bound, cancel := s.bound(ctx, 0)
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
