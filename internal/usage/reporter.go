package usage

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/seal"
)

const (
	// reportEvery is how often an edge reports.
	reportEvery = time.Minute
	// firstReport is how soon after its start it does for the first time, at the latest.
	firstReport = 5 * time.Second
	// sendTime bounds one report.
	sendTime = 20 * time.Second
)

// Status is how an edge is. Traffic has what its caches did since the process began.
type Status struct {
	Mark    hosting.Mark
	Held    int64
	Traffic hosting.Traffic // Hits, Misses and Fetched alone
}

// ReporterConfig is what a Reporter works with.
type ReporterConfig struct {
	// Send brings a report to control. When it returns nil, control has it for good.
	Send   func(ctx context.Context, r hosting.EdgeReport) error
	Meter  *Meter
	Status func() Status
	// Path is the file of what could not be sent.
	Path string
	// Node names the data folder, Host the machine, Release this build.
	Node, Host, Release string
	Every               time.Duration    // a minute when 0
	Now                 func() time.Time // time.Now when nil
	Log                 *slog.Logger
}

// Reporter reports what an edge did, and keeps what could not be sent, up to 1 MiB; beyond
// that it merges the oldest. It is used by Run alone.
type Reporter struct {
	cfg    ReporterConfig
	spool  spool
	boot   string
	number uint64 // of the last batch
	since  time.Time
	cached hosting.Traffic // what the caches had done at the last take
	told   hosting.Code    // the failure that the log has last; "" while reports are taken
}

// NewReporter returns a Reporter, which counts from now on.
func NewReporter(c ReporterConfig) *Reporter {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Every = cmp.Or(c.Every, reportEvery)
	return &Reporter{cfg: c, spool: spool{path: c.Path}, boot: seal.NewToken(), since: c.Now()}
}

// Run reports until ctx ends, and then writes down what is left. Its error is ctx's: whatever
// goes wrong is tried again, and told once.
func (r *Reporter) Run(ctx context.Context) error {
	if err := r.spool.load(); err != nil {
		r.cfg.Log.Error("reports to the control plane that waited are lost", "error", err)
	}
	// Edges that were started together do not report together.
	wait := rand.N(min(firstReport, r.cfg.Every))
	for pause.For(ctx, wait) == nil {
		r.take()
		r.tell(ctx, r.send(ctx))
		wait = r.cfg.Every - r.cfg.Every/10 + rand.N(r.cfg.Every/5)
	}
	r.take()
	if err := r.spool.save(); err != nil {
		r.cfg.Log.Warn("the last minute is not in the reports to the control plane", "error", err)
	}
	return ctx.Err()
}

// take puts what was counted since the last take behind what waits.
func (r *Reporter) take() {
	c := r.cfg.Meter.take()
	c.From, c.To = r.since.UTC().Truncate(time.Second), r.cfg.Now().UTC().Truncate(time.Second)
	r.since = c.To
	now := r.cfg.Status().Traffic
	c.Hits, c.Misses, c.Fetched = now.Hits-r.cached.Hits, now.Misses-r.cached.Misses, now.Fetched-r.cached.Fetched
	r.cached = now
	r.spool.add(c)
}

// send brings all that waits to control, one batch after the other.
func (r *Reporter) send(ctx context.Context) error {
	for {
		batch, err := r.spool.next(r.boot, r.number+1)
		if err != nil {
			return err
		}
		if batch.Boot == r.boot {
			r.number = batch.Number
		}
		if err := r.post(ctx, batch); err != nil {
			return err
		}
		if err := r.spool.done(); err != nil || len(r.spool.Waiting) == 0 {
			return err
		}
	}
}

func (r *Reporter) post(ctx context.Context, batch hosting.EdgeBatch) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	s := r.cfg.Status()
	return r.cfg.Send(ctx, hosting.EdgeReport{
		Form: hosting.EdgeForm, Node: r.cfg.Node, Host: r.cfg.Host, Release: r.cfg.Release,
		Mark: s.Mark, Clock: r.cfg.Now().UTC(), Held: s.Held, Batch: batch,
	})
}

// tell keeps what failed, and says so where the log does not have it yet.
func (r *Reporter) tell(ctx context.Context, err error) {
	if err == nil {
		if r.told != "" {
			r.cfg.Log.Info("the control plane takes reports again")
		}
		r.told = ""
		return
	}
	if saving := r.spool.save(); saving != nil {
		err = saving
	}
	if code := hosting.CodeOf(err); ctx.Err() == nil && code != r.told {
		r.cfg.Log.Warn("the control plane has no report of this edge, which serves on; they are kept", "error", err)
		r.told = code
	}
}
