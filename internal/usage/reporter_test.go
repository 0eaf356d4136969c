package usage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

var errAway = errors.New("control is away")

// beyond is control as an edge sees it, which may fail, or take a report and lose the answer.
type beyond struct {
	mu      sync.Mutex
	err     error
	lose    bool // the answers: reports are taken
	reports []hosting.EdgeReport
	taken   map[string]bool // by boot and number
	total   hosting.Traffic // of each batch once
	twice   hosting.Traffic // of each report: the control of the counting
}

func (b *beyond) send(_ context.Context, r hosting.EdgeReport) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.reports = append(b.reports, r)
	name := fmt.Sprint(r.Batch.Boot, r.Batch.Number)
	for _, c := range r.Batch.Counts {
		b.twice = b.twice.Add(c.Traffic)
		if !b.taken[name] {
			b.total = b.total.Add(c.Traffic)
		}
	}
	if b.taken == nil {
		b.taken = map[string]bool{}
	}
	b.taken[name] = true
	if b.lose {
		return errAway
	}
	return nil
}

func (b *beyond) becomes(err error, lose bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err, b.lose = err, lose
}

// count is how many reports came.
func (b *beyond) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.reports)
}

// outpost is an edge that reports.
type outpost struct {
	*Reporter
	t      *testing.T
	meter  *Meter
	beyond *beyond
	log    bytes.Buffer
	cached hosting.Traffic
	ctx    context.Context
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// start runs a Reporter over a folder until the test ends, or it is stopped.
func start(t *testing.T, dir string, b *beyond) *outpost {
	t.Helper()
	o := &outpost{t: t, meter: new(Meter), beyond: b}
	o.Reporter = NewReporter(ReporterConfig{
		Send: b.send, Meter: o.meter, Path: filepath.Join(dir, "reports"), Node: "node", Host: "host", Release: "test",
		Status: func() Status { return Status{Mark: hosting.Mark{Epoch: 1, Seq: 2}, Held: 3, Traffic: o.cached} },
		Log:    slog.New(slog.NewTextHandler(&o.log, nil)),
	})
	o.ctx, o.stop = context.WithCancel(t.Context())
	o.ended.Go(func() { _ = o.Run(o.ctx) })
	t.Cleanup(o.end)
	return o
}

func (o *outpost) end() {
	o.stop()
	o.ended.Wait()
}

// minutes lets time pass, in each of which something is asked for.
func (o *outpost) minutes(n int) {
	for range n {
		o.meter.Count(hosting.ProjectID("prj_a"), 10, false)
		time.Sleep(time.Minute)
	}
	synctest.Wait()
}

// settled waits until what was asked for last is reported, too.
func (o *outpost) settled() {
	time.Sleep(2 * time.Minute)
	synctest.Wait()
}

func (o *outpost) spooled() (s spool) {
	o.t.Helper()
	b, err := os.ReadFile(o.cfg.Path)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		o.t.Fatal(err)
	}
	return s
}

func TestReporter_SaysOnceAMinuteWhatWasDoneSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(beyond)
		o := start(t, t.TempDir(), b)
		o.cached = hosting.Traffic{Hits: 7, Misses: 2, Fetched: 100}
		o.meter.Count("", 5, true)
		o.meter.Count("prj_b", 100, false)
		o.minutes(10)
		if n := b.count(); n < 9 || n > 12 {
			t.Errorf("%d reports in ten minutes", n)
		}
		o.settled()
		first := b.reports[0]
		if first.Check() != nil || first.Mark != (hosting.Mark{Epoch: 1, Seq: 2}) || first.Held != 3 || first.Node != "node" || first.Host != "host" || first.Release != "test" {
			t.Errorf("the first report is %+v", first)
		}
		if got := first.Batch.Counts[0]; got.Traffic != (hosting.Traffic{Requests: 3, Bytes: 115, Failures: 1, Hits: 7, Misses: 2, Fetched: 100}) || len(got.Projects) != 2 || got.Projects[0].Project != "prj_b" {
			t.Errorf("it counts %+v", got)
		}
		if b.total.Requests != 12 || b.total.Hits != 7 {
			t.Errorf("all of them count %+v", b.total)
		}
		if _, err := os.Stat(o.cfg.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something is spooled: %v", err)
		}
	})
}

func TestReporter_CountsOnceWhateverGetsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := new(beyond), t.TempDir()
		o := start(t, dir, b)
		asked := int64(0)
		minutes := func(n int) { o.minutes(n); asked += int64(n) }
		minutes(3)
		b.becomes(nil, true) // answers are lost
		minutes(5)
		b.becomes(errAway, false) // control is away
		minutes(40)
		if s := o.spooled(); s.Sent == nil || len(s.Waiting) < 40 {
			t.Errorf("spooled: %+v", s)
		}
		o.end() // and the edge is started anew
		o = start(t, dir, b)
		minutes(3)
		b.becomes(nil, true) // each start of a batch is taken, its answer lost
		minutes(3)
		o.end()
		o = start(t, dir, b)
		minutes(1)
		b.becomes(nil, false)
		minutes(2)
		o.end()
		o = start(t, dir, b)
		minutes(2)
		o.settled()
		if b.total.Requests != asked {
			t.Errorf("control counts %d requests, there were %d", b.total.Requests, asked)
		}
		if b.twice.Requests <= asked {
			t.Errorf("nothing was sent twice: the counting was not tried (%d, %d)", b.twice.Requests, asked)
		}
		if _, err := os.Stat(o.cfg.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("something is left: %v", err)
		}
	})
}

// A process is killed at its n-th report, before control had it or after, and the next one goes
// on with what is on the disk then.
func TestReporter_CountsOnceIfItIsKilledWhileItCatchesUp(t *testing.T) {
	for moment := range 8 {
		at, had := 1+moment/2, moment%2 == 1
		t.Run(fmt.Sprint("at report ", at, ", which control had: ", had), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, dir := &beyond{err: errAway}, t.TempDir()
				o := start(t, dir, b)
				o.minutes(70) // four batches
				o.end()
				b.becomes(nil, false)
				sent := 0
				killed := NewReporter(ReporterConfig{Meter: new(Meter), Path: o.cfg.Path, Node: "node", Status: func() Status { return Status{} }, Send: func(ctx context.Context, r hosting.EdgeReport) error {
					if sent++; sent == at && !had {
						return errAway
					}
					return errors.Join(b.send(ctx, r), map[bool]error{true: errAway}[sent == at])
				}})
				if err := killed.spool.load(); err != nil {
					t.Fatal(err)
				}
				if err := killed.send(t.Context()); err == nil || sent != at {
					t.Fatalf("it was not killed: %v, %d reports", err, sent)
				}
				last := start(t, dir, b)
				time.Sleep(2 * time.Minute)
				last.end()
				if b.total.Requests != 70 || had != (b.twice.Requests > 70) {
					t.Errorf("control counts %d requests (%d with what was sent twice), there were 70", b.total.Requests, b.twice.Requests)
				}
			})
		})
	}
}

func TestReporter_KeepsAMegabyteAndMergesTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &beyond{err: errAway}, t.TempDir()
		o := start(t, dir, b)
		const hours = 4
		for range hours * 60 {
			for p := range 120 { // more than are told of
				o.meter.Count(hosting.ProjectID("prj_"+strings.Repeat("a", 24)+string(rune('a'+p%20))+string(rune('a'+p/20))), 100, false)
			}
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		info, err := os.Stat(o.cfg.Path)
		if err != nil || info.Size() > maxSpool || info.Size() < maxSpool/2 {
			t.Errorf("spooled: %v %v", info, err)
		}
		s := o.spooled()
		if span := s.Waiting[0].To.Sub(s.Waiting[0].From); span < time.Hour || len(s.Waiting[0].Projects) != maxReported {
			t.Errorf("the oldest is of %s, with %d projects", span, len(s.Waiting[0].Projects))
		}
		b.becomes(nil, false)
		o.settled()
		if b.total.Requests != hours*60*120 || b.total.Bytes != hours*60*12000 {
			t.Errorf("control counts %+v", b.total)
		}
		for _, r := range b.reports {
			if err := r.Check(); err != nil {
				t.Errorf("a report is refused: %v", err)
			}
			if body, _ := json.Marshal(r); len(body) > 1<<20 {
				t.Errorf("a report has %d bytes", len(body))
			}
		}
	})
}

func TestReporter_TellsOnceWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &beyond{err: hosting.Errorf(hosting.CodeUnauthenticated, "the edge token is no longer good")}
		o := start(t, t.TempDir(), b)
		o.minutes(10)
		if n := strings.Count(o.log.String(), "no longer good"); n != 1 {
			t.Errorf("the log says it %d times:\n%s", n, o.log.String())
		}
		b.becomes(nil, false)
		o.minutes(2)
		b.becomes(errAway, false)
		o.minutes(3)
		if n := strings.Count(o.log.String(), "\n"); n != 3 {
			t.Errorf("the log has %d lines:\n%s", n, o.log.String())
		}
	})
}

func TestReporter_SendsNothingThatItCannotWriteDownFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, dir := &beyond{err: errAway}, filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		o := start(t, dir, b)
		o.minutes(70)
		if err := os.Rename(dir, dir+".away"); err != nil { // as a disk that fails
			t.Fatal(err)
		}
		b.becomes(nil, false)
		o.minutes(5)
		if n := b.count(); n != 1 { // the batch that was on disk as sent
			t.Errorf("%d reports were sent", n)
		}
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
		o.minutes(2)
		o.settled()
		if b.total.Requests != 77 {
			t.Errorf("control counts %d requests", b.total.Requests)
		}
	})
}

func TestReporter_BeginsAnewWhereItsFileIsDamaged(t *testing.T) {
	for name, content := range map[string]string{
		"no JSON":       "\x00\x00",
		"a poor batch":  `{"sent":{"boot":"a","number":0}}`,
		"poor counts":   `{"waiting":[{"requests":-1}]}`,
		"an empty file": "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, dir := new(beyond), t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "reports"), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				o := start(t, dir, b)
				o.minutes(2)
				if b.total.Requests < 1 || !strings.Contains(o.log.String(), "are lost") {
					t.Errorf("counted %+v, log %s", b.total, o.log.String())
				}
			})
		})
	}
}
