package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// A store that fails must not be asked many times more for it. Every call that succeeds at
// once earns one token, every retry costs retryCost for good, and there are never more than
// maxTokens: n calls make at most n + n/retryCost + maxTokens/retryCost requests, which is
// 1.1 n and 10, whatever share of them fails.
const (
	maxAttempts = 3
	maxTokens   = 100
	retryCost   = 10
	maxBackoff  = 2 * time.Second
)

// newRetryer returns the SDK's standard retryer with that budget. One is shared by all calls
// of a Store.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = maxBackoff
		o.RateLimiter = &budget{ratelimit.NewTokenBucket(maxTokens)}
		o.RetryCost = retryCost
		o.ThrottlingRetryCost = retryCost
		o.NoRetryIncrement = 1
		// versitygw says it also where another request removed an empty folder meanwhile.
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{isFolder: {}}})
	})
}

var errSpent = errors.New("no retry is left")

// budget is a token bucket that gives nothing back for a retry that succeeds. The SDK's own
// does, so that where 30 % of the requests fail, 70 % of the retries are free.
type budget struct{ bucket *ratelimit.TokenBucket }

func (b *budget) GetToken(_ context.Context, cost uint) (func() error, error) {
	if _, ok := b.bucket.Retrieve(cost); !ok {
		return nil, errSpent
	}
	return func() error { return nil }, nil
}

func (b *budget) AddTokens(n uint) error {
	b.bucket.Refund(n)
	return nil
}
