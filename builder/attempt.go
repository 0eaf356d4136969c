package builder

import (
	"context"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The folders of an attempt.
const (
	dirSource = "src"
	dirHome   = "home"
	dirTemp   = "tmp"
)

// attempt is one run of a job.
type attempt struct {
	cfg   Config
	job   hosting.Job
	log   *journal
	heart *heart
}

func (a *attempt) run(context.Context) error { return nil }
