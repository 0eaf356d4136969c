package ecs

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Every call may be repeated: Start carries a client token. A request that is throttled or
// fails is tried maxAttempts times, after pauses that double; all retries together are a tenth
// of the calls that succeed at once, and maxTokens/retryCost.
const (
	maxAttempts = 4
	maxTokens   = 100
	retryCost   = 10
)

// newRetryer returns the SDK's standard retryer with that budget. One is shared by all calls
// of a Runner.
func newRetryer(backoff time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		o.MaxBackoff = backoff
		o.RateLimiter = &budget{ratelimit.NewTokenBucket(maxTokens)}
		o.RetryCost = retryCost
		o.ThrottlingRetryCost = retryCost
		o.NoRetryIncrement = 1
	})
}

var errSpent = errors.New("no retry is left")

// budget is a token bucket that gives nothing back for a retry that succeeds: where a share of
// the requests fails, the SDK's own makes most retries free.
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
