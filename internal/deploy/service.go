package deploy

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/runner"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// Blobs is what deploy needs of the content-addressed store. What was put is durable once
// Config.Objects, over which it works, was flushed.
type Blobs interface {
	Put(ctx context.Context, project hosting.ProjectID, ref hosting.BlobRef, body io.Reader) error
	// PresignPut returns an upload that goes past control, or object.ErrNotPresigned.
	PresignPut(ctx context.Context, project hosting.ProjectID, ref hosting.BlobRef, life time.Duration) (hosting.BlobUpload, error)
	// Absent returns those of the blobs that are not stored in the size that they are said to have.
	Absent(ctx context.Context, project hosting.ProjectID, refs []hosting.BlobRef) ([]hosting.BlobRef, error)
	PutManifest(ctx context.Context, project hosting.ProjectID, b []byte) (hosting.Digest, error)
	GetManifest(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error)
	// DeleteProject removes all objects of a project. It may be repeated.
	DeleteProject(ctx context.Context, project hosting.ProjectID) error
}

// Routes is this process's routing table.
type Routes interface {
	// Wait returns once the table has applied the mark, or with ctx's error.
	Wait(ctx context.Context, mark hosting.Mark) error
}

// Config is what a Service works with. All fields but CheckURL, Now and Log are needed; zero
// Limits and MaxBuilds mean the defaults.
type Config struct {
	DB      state.DB
	Objects object.Store
	Blobs   Blobs
	Logs    logs.Store
	Bell    bell.Bell
	Runner  runner.Runner
	Routes  Routes
	Key     seal.Key
	// JobAPI is where jobs reach the job protocol, as runner.Spec.API spells it.
	JobAPI string
	// URL is the address of a site, or of what a left label names on it.
	URL func(label, site string) string
	// CheckURL says whether a policy admits a repository's address.
	CheckURL func(policy hosting.SourcePolicy, url string) error
	// Policy says where sources may be fetched from; that it is Open holds only while there is
	// at most one person.
	Policy hosting.SourcePolicy
	Limits hosting.Limits
	// Ring seals the projects' variables.
	Ring seal.Ring
	// Quotas are what a team may use where it has none of its own; zero fields do not bound.
	Quotas hosting.Quotas
	// Unsandboxed says that the runner keeps builds apart from Fairway and from each other, or
	// that the operator knows that builds of other people run with Fairway's own rights. Without
	// it, no build runs once there is a second person (see mayBuild).
	Unsandboxed bool
	// NoBuilds says that the Runner runs nothing: only finished files are published.
	NoBuilds bool
	// HashPassword returns the PHC string of a site's password.
	HashPassword func(ctx context.Context, password string) (string, error)
	// MaxBuilds is how many jobs run at once.
	MaxBuilds int
	// LogLife is how long a log is kept after its deployment ended; 0 is for ever.
	LogLife time.Duration
	// LogRate is how many lines a second of one log are shown to who follows it; 0 is all.
	LogRate int
	Now     func() time.Time
	Log     *slog.Logger
}

// Service changes projects and deployments. All methods may be called concurrently, by the
// API before, during and after Run.
type Service struct {
	cfg   Config
	sys   state.System
	log   *slog.Logger
	logs  *tails
	known *known
}

const (
	defaultBuilds  = 4
	routesWait     = 2 * time.Second
	loopEvery      = 5 * time.Second
	trashEvery     = 30 * time.Second
	afterFailure   = time.Second
	maxAttempts    = 3                // whose jobs started
	startPatience  = 15 * time.Minute // with a runner that starts nothing, or does not get a job to run
	mostTokens     = 100              // attempts of a deployment whose tokens are told from others
	leaseTime      = time.Minute
	leaseSlack     = 15 * time.Second
	firstLease     = 90 * time.Second
	startTime      = 30 * time.Second
	uploadTime     = time.Hour
	signedLife     = 15 * time.Minute // of an upload to the object store
	signedSlack    = 15 * time.Minute // that one may take which began at the end of its life
	endedKept      = time.Hour
	siteHeld       = 30 * 24 * time.Hour
	maxWaiting     = 100
	pageOfRows     = 500
	fewRows        = 100
	parallelStops  = 8
	firstBackoff   = 5 * time.Second
	maxBackoff     = time.Minute
	maxReason      = 2000
	maxCommitText  = 500
	maxFramework   = 64
	uploadAttempt  = 0 // fences the uploader of a deployment without a job
	slugTries      = 20
	listedAbsent   = 20
	knownManifests = 5
)

// New returns a Service. It starts nothing: Run does.
func New(cfg Config) *Service {
	cfg.Limits = cfg.Limits.OrDefaults()
	cfg.MaxBuilds = cmp.Or(cfg.MaxBuilds, defaultBuilds)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, sys: cfg.DB.System(), log: cfg.Log}
	s.logs = newTails(cfg.Logs)
	s.known = newKnown(cfg.Blobs)
	return s
}

// Run admits builds from the queue, reconciles attempts with their jobs, ends uploads that
// nobody finishes, empties the trash, deletes old logs and counts what is stored, until ctx ends. It returns when
// all of that has ended; jobs go on, and the next Run finds them again.
func (s *Service) Run(ctx context.Context) error {
	s.takeOver(ctx)
	if ctx.Err() != nil {
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.sweep(ctx) })
	wg.Go(func() { s.resealAtStart(ctx) })
	wg.Go(func() {
		s.regularly(ctx, measureEvery, "what is stored could not be counted and will be again", s.measureDue)
	})
	wg.Go(func() { s.regularly(ctx, expireEvery, "old logs could not be deleted and will be later", s.expireLogs) })
	wg.Go(func() { s.loop(ctx, "queue", loopEvery, s.admit) })
	wg.Go(func() { s.loop(ctx, "reconcile", loopEvery, s.reconcile) })
	wg.Go(func() { s.loop(ctx, "stop", loopEvery, s.stopEnded) })
	wg.Go(func() { s.loop(ctx, "trash", trashEvery, s.emptyTrash) })
	wg.Wait()
	return nil
}

// takeOver renews the leases before anything looks at them. It tries until it succeeds or ctx
// ends: a disk that is full when the process starts must not leave one without its loops.
func (s *Service) takeOver(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.renewLeases(ctx)
		if err == nil {
			return
		}
		s.log.Error("running builds could not be taken over; it will be tried again", "error", err)
		_ = pause.For(ctx, loopEvery)
	}
}

// loop takes the step whenever the queue's bell rings, and now and then without it.
func (s *Service) loop(ctx context.Context, name string, every time.Duration, step func(context.Context) error) {
	l := s.cfg.Bell.Listen(bell.Queue)
	defer l.Close()
	var heard hosting.Mark
	failing := false
	for ctx.Err() == nil {
		err := step(ctx)
		if err != nil && ctx.Err() == nil && !failing { // told of once, until it succeeds again
			s.log.Error("a step failed and will be repeated", "loop", name, "error", err)
		}
		if failing = err != nil; failing {
			_ = pause.For(ctx, afterFailure) // whatever rings meanwhile
		}
		wait, cancel := context.WithTimeout(ctx, every)
		if mark, err := l.Await(wait, heard); err == nil {
			heard = mark
		} else {
			<-wait.Done() // a broken bell must not make this a busy loop
		}
		cancel()
	}
}

// regularly takes the step now, and then now and again until ctx ends. failed is what the log
// says of a step that failed.
func (s *Service) regularly(ctx context.Context, every time.Duration, failed string, step func(context.Context) error) {
	again := time.NewTicker(every)
	defer again.Stop()
	for ctx.Err() == nil {
		if err := step(ctx); err != nil && ctx.Err() == nil {
			s.log.Error(failed, "error", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC() }

func (s *Service) team(id hosting.TeamID) state.Team { return s.cfg.DB.Team(id) }
