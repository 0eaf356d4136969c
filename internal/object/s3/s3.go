// Package s3 keeps objects in a bucket of S3, or of a service that speaks its protocol. A
// key is an object below the configured prefix, of the same name.
//
// A Put is seen by everybody when it returns, and as durable as the service makes it, since
// S3 is strongly consistent; the package has no Flush. It needs no versions and no multipart
// uploads. Only uploads that it presigns for others need conditions and checksums of the
// service, and it signs none before Probe has seen that the service holds to them.
//
// Its role needs s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket: without the
// last one S3 answers 403 for an object that is absent.
package s3

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// Store is an object.Store over a bucket. Make it with Open.
type Store struct {
	client    *s3.Client
	presigner *s3.PresignClient
	signer    s3.HTTPPresignerV4
	http      aws.HTTPClient // what client sends its requests by
	bucket    string
	prefix    string // "" or with a slash at its end
	dir       string
	timeout   time.Duration
	unsigned  bool // no upload is presigned, whatever a probe would find

	found    atomic.Bool           // the bucket was seen
	place    atomic.Pointer[place] // once it was found
	enforces atomic.Bool           // a probe found that presigned uploads are held to what was signed
}

var _ object.Store = (*Store)(nil)

const (
	maxAttempts = 3
	maxBackoff  = 2 * time.Second
)

// Open prepares for the bucket that c names. It asks nothing of it: a service that is away
// is away for the calls that need it, not for whoever starts meanwhile.
func Open(ctx context.Context, c Config) (*Store, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	cfg, err := awsapi.Settings{
		Service: service, Region: c.Region, Hint: "add region= to its address, or set AWS_REGION; services with one region take us-east-1, R2 takes auto",
		Keys: c.Keys, Getenv: c.Getenv, HTTP: newHTTP(c.Timeout),
	}.Load(ctx)
	if err != nil {
		return nil, err
	}
	s := &Store{bucket: c.Bucket, dir: c.Dir, timeout: c.Timeout, http: cfg.HTTPClient, unsigned: c.Unsigned}
	if c.Prefix != "" {
		s.prefix = c.Prefix + "/"
	}
	s.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		// versitygw says the code also where another request removed an empty folder meanwhile.
		o.Retryer = awsapi.NewRetryer(maxAttempts, maxBackoff, isFolder)
		o.UsePathStyle = c.PathStyle
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
		// By default the SDK adds CRC32 trailers, which R2 and older MinIO refuse. Put signs the
		// SHA-256 of its body instead, which every S3 compares with what it got.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		// What Get returns is verified by who needs it.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	s.presigner = s3.NewPresignClient(s.client)
	s.signer = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // as S3 wants it
	return s, nil
}

// newHTTP returns a client of HTTP/1.1, so that no request waits behind another's bytes. It
// has no read timeout of the connection, which would end an upload that takes longer.
func newHTTP(timeout time.Duration) aws.HTTPClient {
	return awshttp.NewBuildableClient().WithReadTimeout(0).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 2 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.ForceAttemptHTTP2 = false
			t.TLSHandshakeTimeout = 5 * time.Second
			t.ResponseHeaderTimeout = timeout
			t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = 64, 64, 256
			t.IdleConnTimeout = 30 * time.Second
		})
}

// Stat tells whether an object is there, and its size.
func (s *Store) Stat(ctx context.Context, key string) (object.Info, error) {
	if err := usable(ctx, key); err != nil {
		return object.Info{}, err
	}
	bound, cancel := s.bound(ctx, 0)
	defer cancel()
	out, err := s.client.HeadObject(bound, &s3.HeadObjectInput{Bucket: &s.bucket, Key: s.name(key)})
	if err != nil {
		return object.Info{}, s.explain(ctx, "stat", key, err)
	}
	if out.ContentLength == nil || out.ETag == nil {
		return object.Info{}, explained("stat", key, errNotS3)
	}
	return object.Info{Key: key, Size: *out.ContentLength}, nil
}

// Delete removes an object.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := usable(ctx, key); err != nil {
		return err
	}
	bound, cancel := s.bound(ctx, 0)
	defer cancel()
	_, err := s.client.DeleteObject(bound, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.name(key)})
	if err = s.explain(ctx, "delete", key, err); hosting.Is(err, hosting.CodeNotFound) {
		return nil
	}
	return err
}

// Get opens an object. A response that stops to come ends with CodeUnavailable.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	if err := usable(ctx, key); err != nil {
		return nil, object.Info{}, err
	}
	watched, cancel := context.WithCancel(ctx)
	out, err := s.client.GetObject(watched, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.name(key)})
	if err != nil {
		cancel()
		return nil, object.Info{}, s.explain(ctx, "get", key, err)
	}
	if out.ContentLength == nil || out.ETag == nil {
		cancel()
		_ = out.Body.Close()
		return nil, object.Info{}, explained("get", key, errNotS3)
	}
	return s.newBody(ctx, key, out.Body, cancel), object.Info{Key: key, Size: *out.ContentLength}, nil
}

// usable says whether a call for key should begin at all.
func usable(ctx context.Context, key string) error {
	if err := object.CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("object %s: %w", key, err)
	}
	return nil
}

func (s *Store) name(key string) *string { return aws.String(s.prefix + key) }

// bound ends a call whose response stops to come, or whose body is sent with less than
// 64 KiB a second, which no timeout of the connection sees.
func (s *Store) bound(ctx context.Context, size int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 6*s.timeout+time.Duration(size>>16)*time.Second)
}
