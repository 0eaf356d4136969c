package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// flakyLogs loses requests, answers and sometimes its newest lines.
type flakyLogs struct {
	t   *testing.T
	rng *rand.Rand

	mu    sync.Mutex // guards what follows
	first int64
	lines []hosting.LogLine
	calm  bool
}

func (f *flakyLogs) AppendLog(ctx context.Context, b hosting.LogBatch) (hosting.LogAck, error) {
	if !f.mu.TryLock() {
		f.t.Error("two batches at once")
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	size := 0
	for i, l := range b.Lines {
		if size += len(l.Text); l.N != b.First+int64(i) {
			f.t.Errorf("line %d of the batch from %d has the number %d", i, b.First, l.N)
		}
	}
	if len(b.Lines) > maxBatchLines || size > maxBatchBytes && len(b.Lines) > 1 {
		f.t.Errorf("a batch of %d lines, %d bytes", len(b.Lines), size)
	}
	down := hosting.Errorf(hosting.CodeUnavailable, "down")
	if !f.calm && f.rng.IntN(4) == 0 {
		return hosting.LogAck{}, down // the request was lost
	}
	if !f.calm && f.rng.IntN(6) == 0 { // the broker lost its tail
		f.lines = f.lines[:len(f.lines)-min(len(f.lines), f.rng.IntN(300))]
	}
	next := f.first + int64(len(f.lines))
	if b.First <= next {
		for _, l := range b.Lines {
			if l.N == next {
				f.lines = append(f.lines, l)
				next++
			}
		}
	}
	if !f.calm && f.rng.IntN(4) == 0 {
		return hosting.LogAck{}, errors.New("the answer was lost")
	}
	return hosting.LogAck{Next: next}, nil
}

func newTestJournal(t *testing.T, logs Logs, first int64, end context.CancelCauseFunc) *journal {
	t.Helper()
	j, err := openJournal(Config{Logs: logs, Spool: t.TempDir() + "/spool", Now: time.Now},
		hosting.Job{LogNext: first, Limits: hosting.DefaultLimits()}, end)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestSender_DeliversEveryLineOnceAndInOrder(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			logs := &flakyLogs{t: t, rng: rand.New(rand.NewPCG(seed, 1)), first: 5}
			j := newTestJournal(t, logs, 5, func(err error) { t.Errorf("ended: %v", err) })
			j.start(t.Context())
			const n = 1200
			for i := range n {
				j.add(streamOut, fmt.Sprint(i, strings.Repeat("x", i%50*i%40*10)))
				if i%300 == 0 {
					synctest.Wait() // the sender has caught up, or waits
				}
			}
			// What a broker loses after its last answer is asked for when the next line comes:
			// the last one therefore goes to one that has stopped losing.
			time.Sleep(time.Minute) // of the bubble's clock
			synctest.Wait()
			logs.calm = true
			j.say("the end")
			if err := j.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			j.stop()
			if len(logs.lines) != n+1 {
				t.Fatalf("seed %d: %d lines arrived", seed, len(logs.lines))
			}
			for i, l := range logs.lines[:n] {
				if l.N != int64(i)+5 || !strings.HasPrefix(l.Text, fmt.Sprint(i)) {
					t.Fatalf("seed %d: line %d is %d %.20q", seed, i, l.N, l.Text)
				}
			}
		})
	}
}

// What was lost after its acknowledgment is found out before the end, without another line.
func TestSender_AsksAtTheEndWhetherAllIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &flakyLogs{t: t, rng: rand.New(rand.NewPCG(1, 1)), first: 1, calm: true}
		j := newTestJournal(t, logs, 1, func(err error) { t.Errorf("ended: %v", err) })
		j.start(t.Context())
		for range 250 {
			j.say("x")
		}
		time.Sleep(time.Minute) // of the bubble's clock
		synctest.Wait()
		had := len(logs.lines)
		logs.lines = nil
		if err := j.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		j.stop()
		if had != 250 || len(logs.lines) != 250 || j.next() != 251 {
			t.Errorf("%d lines, then %d, next %d", had, len(logs.lines), j.next())
		}
	})
}

// logsFunc is Logs in one function.
type logsFunc func(hosting.LogBatch) (hosting.LogAck, error)

func (f logsFunc) AppendLog(_ context.Context, b hosting.LogBatch) (hosting.LogAck, error) {
	return f(b)
}

func TestSender_SendsWhatComesTogetherAsOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		j := newTestJournal(t, logsFunc(func(b hosting.LogBatch) (hosting.LogAck, error) {
			sizes = append(sizes, len(b.Lines))
			return hosting.LogAck{Next: b.First + int64(len(b.Lines))}, nil
		}), 1, func(error) {})
		j.start(t.Context())
		begun := time.Now()
		for range 30 {
			j.say("x")
		}
		if err := j.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		j.stop()
		// The last one asks whether all is there.
		if len(sizes) != 2 || sizes[0] != 30 || sizes[1] != 0 || time.Since(begun) > batchEvery {
			t.Errorf("got batches of %v after %s", sizes, time.Since(begun))
		}
	})
}

func TestSender_StandsInForLinesOfAnEarlierAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []hosting.LogLine
		j := newTestJournal(t, logsFunc(func(b hosting.LogBatch) (hosting.LogAck, error) {
			next := int64(len(got)) + 1
			if b.First <= next {
				got = append(got, b.Lines[next-b.First:]...)
			}
			return hosting.LogAck{Next: int64(len(got)) + 1}, nil
		}), 4, func(err error) { t.Errorf("ended: %v", err) })
		j.start(t.Context())
		j.say("mine")
		if err := j.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		j.stop()
		if len(got) != 4 || got[3].Text != "mine" || got[0].N != 1 || !strings.Contains(got[0].Text, "lost") {
			t.Errorf("got %+v", got)
		}
	})
}

func TestSender_EndsTheAttemptWhenItIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		j := newTestJournal(t, logsFunc(func(hosting.LogBatch) (hosting.LogAck, error) {
			return hosting.LogAck{}, hosting.Errorf(hosting.CodeGone, "over")
		}), 1, func(err error) { ended <- err })
		j.start(t.Context())
		j.say("x")
		if err := <-ended; !hosting.Is(err, hosting.CodeGone) {
			t.Errorf("got %v", err)
		}
		if err := j.flush(t.Context()); err == nil {
			t.Error("flush says that all was brought")
		}
		j.stop()
	})
}

func TestSender_GoesOnWithoutALogThatIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		j := newTestJournal(t, logsFunc(func(hosting.LogBatch) (hosting.LogAck, error) {
			calls++
			return hosting.LogAck{}, hosting.Errorf(hosting.CodeTooLarge, "the log is full")
		}), 1, func(err error) { t.Errorf("ended: %v", err) })
		j.start(t.Context())
		begun := time.Now()
		for range 3 {
			j.say("x")
			if err := j.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		j.stop()
		if calls > 3 || time.Since(begun) > time.Second {
			t.Errorf("it asked %d times, for %s", calls, time.Since(begun))
		}
	})
}

func TestSpool_ReadsFromAnyLine(t *testing.T) {
	s, err := createSpool(t.TempDir()+"/spool", 10)
	if err != nil {
		t.Fatal(err)
	}
	const n = 20_000 // more than are in memory
	for i := range n {
		if err := s.append(hosting.LogLine{Text: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int64{10, 11, 137, 138, 139, 1009, 10_000, n, n + 9} {
		lines, err := s.read(n)
		if err != nil || len(lines) == 0 || lines[0].N != n || lines[0].Text != fmt.Sprint(n-10) {
			t.Errorf("from %d: %d lines, %v", n, len(lines), err)
		}
	}
	if lines, err := s.read(n + 10); len(lines) != 0 || err != nil {
		t.Errorf("past the end: %d lines, %v", len(lines), err)
	}
	if err := s.remove(); err != nil {
		t.Error(err)
	}
}

// What is in the file is read from it although the disk takes no more.
func TestSpool_ReadsOnWhereTheDiskIsFull(t *testing.T) {
	s, err := createSpool(t.TempDir()+"/spool", 1)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n int) (err error) {
		for range n {
			err = errors.Join(err, s.append(hosting.LogLine{Text: "a line"}))
		}
		return err
	}
	if err := add(20_000); err != nil {
		t.Fatal(err)
	}
	full, err := os.Open(s.file.Name()) // not for writing
	if err != nil {
		t.Fatal(err)
	}
	s.file, full = full, s.file
	_ = full.Close()
	if err := add(2_000); err == nil {
		t.Error("void: the disk takes all")
	}
	for _, n := range []int64{1, 5_000, 21_000} {
		if lines, err := s.read(n); err != nil || len(lines) == 0 || lines[0].N != n {
			t.Errorf("from %d: %d lines, %v", n, len(lines), err)
		}
	}
}

// heartControl is Control as far as the heart needs it.
type heartControl struct {
	Control
	beat func(hosting.Heartbeat) error
}

func (c heartControl) Heartbeat(_ context.Context, b hosting.Heartbeat) error { return c.beat(b) }

func TestHeart_BeatsEveryFiveSecondsAndAtEveryPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		begun := time.Now()
		h := newHeart(heartControl{beat: func(b hosting.Heartbeat) error {
			got = append(got, fmt.Sprint(time.Since(begun), b.Phase))
			return nil
		}}, func(err error) { t.Errorf("ended: %v", err) })
		h.start(t.Context())
		time.Sleep(7 * time.Second)
		h.set(func(b *hosting.Heartbeat) { b.Phase = hosting.PhaseBuilding })
		time.Sleep(4 * time.Second)
		h.stop()
		if s := strings.Join(got, " "); s != "0s 5s 7sbuilding 10sbuilding" {
			t.Errorf("got %s", s)
		}
	})
}

func TestHeart_EndsTheAttempt(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		after  time.Duration
		code   hosting.Code
	}{
		"when it is gone":           {hosting.Errorf(hosting.CodeGone, "over"), 0, hosting.CodeGone},
		"when its token is void":    {hosting.Errorf(hosting.CodeUnauthenticated, "no"), 0, hosting.CodeUnauthenticated},
		"when control is not heard": {hosting.Errorf(hosting.CodeUnavailable, "down"), leaseTime, hosting.CodeUnavailable},
		"when control is broken":    {io.ErrUnexpectedEOF, leaseTime, hosting.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				begun := time.Now()
				h := newHeart(heartControl{beat: func(hosting.Heartbeat) error { return c.answer }}, func(err error) { ended <- err })
				h.start(t.Context())
				if err := <-ended; !hosting.Is(err, c.code) || time.Since(begun) != c.after {
					t.Errorf("got %v after %s", err, time.Since(begun))
				}
				h.stop()
			})
		})
	}
}

func TestRetry_GoesOnWhileTheLeaseCouldLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := hosting.Errorf(hosting.CodeUnavailable, "down")
		begun, calls := time.Now(), 0
		err := retry(t.Context(), func(context.Context) error { calls++; return down })
		if !errors.Is(err, down) || time.Since(begun) < leaseTime || time.Since(begun) > leaseTime+maxPause || calls < 10 {
			t.Errorf("got %v after %s and %d calls", err, time.Since(begun), calls)
		}
		calls = 0
		err = retry(t.Context(), func(context.Context) error {
			if calls++; calls < 4 {
				return down
			}
			return nil
		})
		if err != nil || calls != 4 {
			t.Errorf("got %v after %d calls", err, calls)
		}
		calls = 0
		if err := retry(t.Context(), func(context.Context) error { calls++; return io.EOF }); !errors.Is(err, io.EOF) || calls != maxFaults {
			t.Errorf("an internal fault: %v after %d calls", err, calls)
		}
		calls = 0
		full := hosting.Errorf(hosting.CodeStorageFull, "full")
		if err := retry(t.Context(), func(context.Context) error { calls++; return full }); !errors.Is(err, full) || calls != 1 {
			t.Errorf("a definite answer: %v after %d calls", err, calls)
		}
	})
}
