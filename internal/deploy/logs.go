package deploy

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
)

const (
	maxBatchLines = 1000
	maxBatchBytes = 1 << 20
	// lineCost is added to each line's text when a log is measured, so that empty lines fill
	// it too. It is less than what a job reckons with, which keeps the limit by itself.
	lineCost = 16
	// logSlack is what an attempt may write beyond the limit, to say that it stopped there.
	logSlack = 1 << 20
	// archiveTime bounds how long the end of a deployment waits for its log's last line.
	archiveTime = 5 * time.Second
)

// AppendLog stores a batch of the attempt's log. The lines before the answered number are
// durable; a batch that was stored before is only acknowledged. CodeTooLarge means that the
// attempt has written more than its limit: it goes on without a log.
func (a *Attempt) AppendLog(ctx context.Context, b hosting.LogBatch) (hosting.LogAck, error) {
	if err := checkBatch(b); err != nil {
		return hosting.LogAck{}, err
	}
	id := a.run.Deployment
	// Under the lock no attempt can end and none can begin: a late batch of an old one would
	// take the numbers of the new one's lines.
	unlock := a.s.logs.lock(id)
	defer unlock()
	run, err := a.check(ctx)
	if err != nil {
		return hosting.LogAck{}, err
	}
	next, err := a.s.logs.append(ctx, run, b, a.s.cfg.Limits.LogBytes+logSlack)
	if err != nil {
		return hosting.LogAck{}, err
	}
	a.s.ring(ctx, bell.Log(id), hosting.Mark{Seq: uint64(next - 1)})
	return hosting.LogAck{Next: next}, nil
}

func checkBatch(b hosting.LogBatch) error {
	if b.First < 1 || len(b.Lines) > maxBatchLines {
		return hosting.Errorf(hosting.CodeInvalid, "a batch of log lines begins at 1 or later and has at most %d", maxBatchLines)
	}
	bytes := 0
	for i, l := range b.Lines {
		bytes += len(l.Text)
		if l.N != b.First+int64(i) {
			return hosting.Errorf(hosting.CodeInvalid, "line %d has the number %d", b.First+int64(i), l.N)
		}
		if err := checkLine(l); err != nil {
			return err
		}
	}
	if bytes > maxBatchBytes {
		return hosting.Errorf(hosting.CodeInvalid, "a batch of log lines has at most %d bytes", maxBatchBytes)
	}
	return nil
}

func checkLine(l hosting.LogLine) error {
	switch {
	case !isStream(l.Stream):
		return hosting.Errorf(hosting.CodeInvalid, "line %d belongs to no stream", l.N)
	case l.Step != "" && l.Step.Number() == 0:
		return hosting.Errorf(hosting.CodeInvalid, "line %d belongs to no step", l.N)
	case len(l.Text) > hosting.MaxLogLine:
		return hosting.Errorf(hosting.CodeInvalid, "line %d is longer than %d bytes", l.N, hosting.MaxLogLine)
	case !isLogText(l.Text):
		return hosting.Errorf(hosting.CodeInvalid, "line %d is not UTF-8 or holds control characters", l.N)
	}
	return nil
}

// isLogText reports whether s is UTF-8 without control characters, but for tabs and the
// sequences that only set colours (ESC [ digits and semicolons m): whatever else a terminal
// obeys could be aimed at who reads the log.
func isLogText(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == 0x1b:
			n := lenSGR(s[i:])
			if n == 0 {
				return false
			}
			i += n
		case c < 0x20 && c != '\t' || c == 0x7f:
			return false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if (r == utf8.RuneError && n == 1) || (r >= 0x80 && r <= 0x9f) {
				return false
			}
			i += n
		}
	}
	return true
}

func lenSGR(s string) int {
	if len(s) < 3 || s[1] != '[' {
		return 0
	}
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == 'm':
			return i + 1
		case (c < '0' || c > '9') && c != ';' && c != ':':
			return 0
		}
	}
	return 0
}

// archiveLog has the attempt's lines outlive the server of the logs, where that is not certain by
// itself, and refuses with CodeIncomplete when some of those before next are lost: the job has
// them still. Where next is 0 it has not.
func (a *Attempt) archiveLog(ctx context.Context, next int64) error {
	store, ok := a.s.cfg.Logs.(logs.Archiver)
	if !ok || next == 0 {
		return nil
	}
	there, err := store.Archive(ctx, a.run.Deployment)
	if err != nil {
		return fmt.Errorf("archive the log of %s: %w", a.run.Deployment, err)
	}
	if there < next {
		return hosting.Errorf(hosting.CodeIncomplete, "the log lacks its lines from %d on", there).WithHint("append them, and finish again")
	}
	return nil
}

// archive does what it can for the lines of a log that nobody would append again. What is left
// is archived before its run is forgotten.
func (s *Service) archive(ctx context.Context, id hosting.DeploymentID) {
	if store, ok := s.cfg.Logs.(logs.Archiver); ok {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), archiveTime)
		defer cancel()
		if _, err := store.Archive(ctx, id); err != nil {
			s.log.Warn("a log is archived later", "deployment", id, "error", err)
		}
	}
}

// note forgets what is known of an attempt that is over and adds a line of Fairway's own, if
// it is not empty, to the log; the caller holds the log's lock. A log is no reason to fail, so
// errors are only logged.
func (s *Service) note(ctx context.Context, id hosting.DeploymentID, text string) {
	s.logs.forget(id)
	if text == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	next, err := s.cfg.Logs.Next(ctx, id)
	if err == nil {
		line := hosting.LogLine{N: next, At: s.now().UnixMilli(), Stream: "sys", Text: printableText(text, maxReason)}
		next, err = s.cfg.Logs.Append(ctx, id, next, []hosting.LogLine{line})
	}
	if err != nil {
		s.log.Warn("the log got no last line", "deployment", id, "error", err)
		return
	}
	s.ring(ctx, bell.Log(id), hosting.Mark{Seq: uint64(next - 1)})
}
