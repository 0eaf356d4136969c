package awsapi

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// A service that fails must not be asked many times more for it. Every call that succeeds at
// once earns one token, every retry costs retryCost for good, and there are never more than
// maxTokens: n calls make at most n + n/retryCost + FreeRetries requests, which is 1.1 n and 10,
// whatever share of them fails.
const (
	maxTokens = 100
	retryCost = 10

	// FreeRetries is how many retries there are before any call has earned one.
	FreeRetries = maxTokens / retryCost
)

// NewRetryer returns the SDK's standard retryer with that budget, which all calls of a client
// share. A request is made attempts times at most, after pauses that double up to backoff. Codes
// are those that say "again" besides the SDK's own.
func NewRetryer(attempts int, backoff time.Duration, codes ...string) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.MaxBackoff = backoff
		o.RateLimiter = &budget{ratelimit.NewTokenBucket(maxTokens)}
		o.RetryCost = retryCost
		o.ThrottlingRetryCost = retryCost
		o.NoRetryIncrement = 1
		again := map[string]struct{}{}
		for _, c := range codes {
			again[c] = struct{}{}
		}
		o.Retryables = append(o.Retryables, retry.RetryableErrorCode{Codes: again})
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
