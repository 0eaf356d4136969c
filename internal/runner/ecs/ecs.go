package ecs

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/scale-mesh/fairway/internal/awsapi"
	"github.com/scale-mesh/fairway/internal/runner"
)

var (
	_ runner.Runner = (*Runner)(nil)
	_ runner.Lister = (*Runner)(nil)
)

// settling is for how long after its start a task may not be shown yet: ECS is eventually
// consistent.
const settling = 2 * time.Minute

// maxAttempts is how often a request is made: every one may be repeated, since Start carries a
// client token.
const maxAttempts = 4

// pace is how often ECS is asked while something is awaited.
type pace struct {
	first, most time.Duration // between two looks at a task that stops
	backoff     time.Duration // the longest before a request is repeated
}

// Runner starts, finds and ends tasks. It is safe for concurrent use. Make it with Open.
type Runner struct {
	client *ecs.Client
	config Config

	mu      sync.Mutex
	started map[string]time.Time // the newest tasks, by ARN; guarded by mu
}

// Open prepares for the cluster that c names. It asks nothing of it: a service that is away is
// away for the calls that need it, not for whoever starts meanwhile.
func Open(ctx context.Context, c Config) (*Runner, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Installation == "" {
		return nil, invalid("the installation has no name for ECS")
	}
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.pace.first = cmp.Or(c.pace.first, 500*time.Millisecond)
	c.pace.most = cmp.Or(c.pace.most, 5*time.Second)
	c.pace.backoff = cmp.Or(c.pace.backoff, 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	cfg, err := awsapi.Settings{
		Service: serviceName, Region: c.Region, Hint: "add region= to the address of the cluster, or set AWS_REGION",
		Keys: c.Keys, Getenv: c.Getenv, HTTP: newHTTP(c.Timeout),
	}.Load(ctx)
	if err != nil {
		return nil, err
	}
	c.Region = cfg.Region
	client := ecs.NewFromConfig(cfg, func(o *ecs.Options) {
		o.Retryer = awsapi.NewRetryer(maxAttempts, c.pace.backoff)
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	return &Runner{client: client, config: c, started: map[string]time.Time{}}, nil
}

func newHTTP(timeout time.Duration) aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTimeout(timeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 2 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = 5 * time.Second
			t.MaxIdleConns, t.MaxIdleConnsPerHost, t.MaxConnsPerHost = 16, 16, 32
			t.IdleConnTimeout = 30 * time.Second
		})
}

// remember notes a task that may not be shown for a while.
func (r *Runner) remember(arn string) {
	now := r.config.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, at := range r.started {
		if now.Sub(at) > settling {
			delete(r.started, other)
		}
	}
	if _, ok := r.started[arn]; !ok {
		r.started[arn] = now
	}
}

// settles reports whether a task is so new that ECS may not show it yet.
func (r *Runner) settles(arn string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.started[arn]
	return ok && r.config.Now().Sub(at) <= settling
}
