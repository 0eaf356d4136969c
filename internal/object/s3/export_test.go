package s3

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/scale-mesh/fairway/internal/object"
)

// PresignAgo has the store sign uploads as it would have done before d.
func (s *Store) PresignAgo(d time.Duration) {
	s.signer = late{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), d}
}

// PresignBySDK is what PresignPut answers but for the time that it takes.
func (s *Store) PresignBySDK(ctx context.Context, key string, check object.Check, life time.Duration) (object.Upload, error) {
	return s.presignBySDK(ctx, key, check, life)
}

type late struct {
	signer *v4.Signer
	by     time.Duration
}

func (l late) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return l.signer.PresignHTTP(ctx, c, r, hash, service, region, at.Add(-l.by), opts...)
}

// Enforce stands for a probe that found everything.
func (s *Store) Enforce() { s.enforces.Store(true) }
