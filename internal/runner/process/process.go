package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/runner"
)

var (
	_ runner.Runner = (*Runner)(nil)
	_ runner.Lister = (*Runner)(nil)
)

// stopGrace is how long a job that was asked to end may take.
const stopGrace = 10 * time.Second

// Config says what a job is and where its folders are.
type Config struct {
	// Executable and Args are the job program. It reads its token with runner.ReadToken.
	Executable string
	Args       []string
	// Env is what of the server's environment jobs inherit, beside PATH. What the runner sets
	// itself wins.
	Env []string
	// Dir holds a folder for each job. No other Runner may use it at the same time.
	Dir string
	// Log is slog.Default unless it is set.
	Log *slog.Logger
	// Now is time.Now unless it is set.
	Now func() time.Time
}

// Runner starts, finds and ends jobs. It is safe for concurrent use.
type Runner struct {
	config Config
	path   string             // PATH of jobs: the one that the server was given
	grace  time.Duration      // stopGrace, but for tests
	at     func(point string) // crash.At, but for tests

	// mu guards what follows. Two callers never work on the same name at once: see hold.
	mu       sync.Mutex
	held     map[string]chan struct{}
	children map[string]*child
	closed   bool

	closing chan struct{} // closed by Close
	waiting sync.WaitGroup
}

// New returns a runner of the jobs in config.Dir, which is made if it is not there.
func New(config Config) (*Runner, error) {
	if config.Executable == "" || config.Dir == "" {
		return nil, errors.New("process runner: the executable and the folder have to be named")
	}
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, fmt.Errorf("process runner: %w", err)
	}
	config.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("process runner: %w", err)
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	r := &Runner{
		config: config, grace: stopGrace, at: crash.At,
		held: map[string]chan struct{}{}, children: map[string]*child{},
		closing: make(chan struct{}),
	}
	if r.path = os.Getenv("PATH"); r.path == "" {
		r.path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	return r, nil
}

// Close stops waiting for jobs and leaves them running; the next Runner of this folder
// finds them. It may be repeated.
func (r *Runner) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.closing)
		for _, c := range r.children {
			c.exit.abandon()
		}
	}
	r.mu.Unlock()
	r.waiting.Wait()
	return nil
}

// hold makes the caller the only one that works on the job called name.
func (r *Runner) hold(ctx context.Context, name string) (release func(), err error) {
	for {
		r.mu.Lock()
		busy, taken := r.held[name]
		if !taken {
			mine := make(chan struct{})
			r.held[name] = mine
			r.mu.Unlock()
			return func() { r.let(name, mine) }, nil
		}
		r.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Runner) let(name string, mine chan struct{}) {
	r.mu.Lock()
	delete(r.held, name)
	r.mu.Unlock()
	close(mine)
}
