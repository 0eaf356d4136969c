package builder

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The streams of log lines.
const (
	streamOut = "out"
	streamErr = "err"
	streamSys = "sys" // Fairway itself
)

// lineOverhead is what a line costs beside its text, so that a build that prints nothing
// but line ends runs into the limit of its log too.
const lineOverhead = 48

// journal is the log of an attempt: it numbers the lines, keeps them in the spool and has a
// sender bring them to control. Every line is masked, whoever wrote it, so that no secret
// leaves the attempt, not even for the spool. Its methods may be called concurrently.
type journal struct {
	now    func() time.Time
	log    *slog.Logger
	mask   *masker
	limit  int64
	spool  *spool
	sender *sender

	mu      sync.Mutex // guards what follows, and orders the lines
	step    hosting.Phase
	bytes   int64
	dropped int64
	broken  bool // the spool cannot be written; said once
}

func openJournal(cfg Config, job hosting.Job, end context.CancelCauseFunc) (*journal, error) {
	s, err := createSpool(cfg.Spool, max(job.LogNext, 1))
	if err != nil {
		return nil, err
	}
	return &journal{
		now: cfg.Now, log: cfg.Log, mask: newMasker(job.Variables), limit: job.Limits.LogBytes, spool: s, step: hosting.PhaseProvisioning,
		sender: newSender(cfg.Logs, s, end),
	}, nil
}

func (j *journal) start(ctx context.Context) { j.sender.start(ctx) }

// stop ends the sending and removes the spool.
func (j *journal) stop() {
	j.sender.stop()
	if err := j.spool.remove(); err != nil {
		j.log.Warn("remove the log's spool", "error", err)
	}
}

// enter names the phase that later lines belong to.
func (j *journal) enter(p hosting.Phase) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.step = p
}

// say adds a line of Fairway's own. The limit does not hold for these: they are few.
func (j *journal) say(format string, args ...any) {
	w := newLineWriter(j.mask, func(line string) { j.add(streamSys, line) })
	_, _ = fmt.Fprintf(w, format, args...)
	_ = w.Close()
}

// printed returns what a command's stream is to be copied to. seen gets the lines as they are
// logged.
func (j *journal) printed(stream string, seen func(line string)) *lineWriter {
	return newLineWriter(j.mask, func(line string) {
		seen(line)
		j.add(stream, line)
	})
}

func (j *journal) add(stream, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	cost := int64(len(text)) + lineOverhead
	if stream != streamSys {
		if j.bytes+cost > j.limit {
			j.dropped++
			return
		}
		j.bytes += cost
	}
	err := j.spool.append(hosting.LogLine{At: j.now().UnixMilli(), Stream: stream, Step: j.step, Text: text})
	if err != nil && !j.broken {
		j.broken = true
		j.log.Error("keep the build's log", "error", err)
	}
	j.sender.wake()
}

// flush returns when control has acknowledged every line, or ctx ends.
func (j *journal) flush(ctx context.Context) error {
	j.sayDropped()
	return j.sender.flush(ctx)
}

// next is the number behind the last line, 0 where control does not have all of them for good.
func (j *journal) next() int64 {
	if j.sender.full.Load() {
		return 0
	}
	return j.spool.awaited()
}

// sayDropped adds a line in place of those that were one too many.
func (j *journal) sayDropped() {
	j.mu.Lock()
	dropped := j.dropped
	j.dropped = 0
	j.mu.Unlock()
	if dropped > 0 {
		j.say("%d lines were left out: a log holds at most %s", dropped, formatBytes(j.limit))
	}
}
