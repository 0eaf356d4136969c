package deploy_test

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestAppendLog_RefusesWhatNoLogShouldHold(t *testing.T) {
	w := open(t)
	a := w.job(w.pushAdmitted(w.project("site")))
	line := func(fn func(*hosting.LogLine)) hosting.LogBatch {
		b := batch(1, "x")
		fn(&b.Lines[0])
		return b
	}
	many := make([]string, 1001)
	long := make([]string, 100)
	for i := range long {
		long[i] = strings.Repeat("x", 16<<10)
	}
	for name, b := range map[string]hosting.LogBatch{
		"first 0":        batch(0, "x"),
		"too many lines": batch(1, many...),
		"too many bytes": batch(1, long...),
		"a long line":    batch(1, strings.Repeat("x", hosting.MaxLogLine+1)),
		"a gap":          {First: 1, Lines: []hosting.LogLine{{N: 2, Stream: "out"}}},
		"no stream":      line(func(l *hosting.LogLine) { l.Stream = "" }),
		"no such step":   line(func(l *hosting.LogLine) { l.Step = "x" }),
		"a line ending":  batch(1, "a\nb"),
		"a return":       batch(1, "a\rb"),
		"a title":        batch(1, "\x1b]0;pwned\a"),
		"a cursor move":  batch(1, "\x1b[2J"),
		"half a colour":  batch(1, "\x1b[31"),
		"C1":             batch(1, "a\u009b31m"),
		"not UTF-8":      batch(1, "a\xff"),
	} {
		if _, err := a.AppendLog(t.Context(), b); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ack, err := a.AppendLog(t.Context(), batch(1, "\t\x1b[1;31mrød\x1b[0m \uFFFD", ""))
	w.ok(err)
	if ack.Next != 3 {
		t.Errorf("awaited next: %d", ack.Next)
	}
}

func TestAppendLog_AsksAgainForWhatIsMissingAndKeepsOneCopy(t *testing.T) {
	w := open(t)
	d := w.pushAdmitted(w.project("site"))
	a := w.job(d)
	for _, c := range []struct {
		b    hosting.LogBatch
		next int64
	}{{batch(3, "c"), 1}, {batch(1, "a", "b"), 3}, {batch(1, "a", "b"), 3}, {batch(2, "b", "c"), 4}} {
		ack, err := a.AppendLog(t.Context(), c.b)
		w.ok(err)
		if ack.Next != c.next {
			t.Errorf("awaited next: %d, want %d", ack.Next, c.next)
		}
	}
	if got := strings.Join(w.logText(d), ""); got != "abc" {
		t.Errorf("the log is %q", got)
	}
}

func TestAppendLog_IsBoundedAcrossRestarts(t *testing.T) {
	w := open(t, func(w *world) { w.limits.LogBytes = 1 }) // and the mebibyte of slack
	d := w.pushAdmitted(w.project("site"))
	text := strings.Repeat("x", 16<<10-16)
	var b hosting.LogBatch
	for n := int64(1); n <= 64; n += 32 {
		texts := make([]string, 32)
		for i := range texts {
			texts[i] = text
		}
		b = batch(n, texts...)
		_, err := w.job(d).AppendLog(t.Context(), b)
		w.ok(err)
		w.restart()
	}
	_, err := w.job(d).AppendLog(t.Context(), batch(65, text))
	w.refused(err, hosting.CodeTooLarge)
	ack, err := w.job(d).AppendLog(t.Context(), b)
	w.ok(err)
	if ack.Next != 65 {
		t.Errorf("a repeated batch is answered with %d", ack.Next)
	}
	w.runner.exit(d.ID, "")
	w.clock.pass(2 * time.Minute)
	w.reconcile()
	w.clock.pass(time.Minute)
	w.admit()
	job, err := w.job(d).Job(t.Context())
	w.ok(err)
	_, err = w.job(d).AppendLog(t.Context(), batch(job.LogNext, text)) // each attempt has room of its own
	w.ok(err)
}

func TestReadLog_RefusesBadPages(t *testing.T) {
	w := open(t)
	d := w.push(w.project("site"))
	for _, c := range []struct {
		after int64
		limit int
	}{{-1, 1}, {0, -1}, {0, 1001}} {
		_, err := w.ReadLog(t.Context(), ann, d.ID, c.after, c.limit)
		w.refused(err, hosting.CodeInvalid)
	}
}

var colours = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

func FuzzIsLogText(f *testing.F) {
	for _, s := range []string{"", "plain\t", "\x1b[0m", "\x1b[31;1mred", "\x1b[", "\x1b]8;;x\a", "é\u0085", "\xc2", "\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := utf8.ValidString(s)
		for _, r := range colours.ReplaceAllString(s, "") {
			want = want && (r == '\t' || r >= 0x20 && r < 0x7f || r > 0x9f)
		}
		if got := deploy.IsLogText(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	})
}

func FuzzPrintableText(f *testing.F) {
	f.Add("a\x00b\nc", 3)
	f.Add("üüü", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(0, min(limit, 1000))
		got := deploy.PrintableText(s, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\n\r\t\x1b") {
			t.Errorf("%q cut to %d is %q", s, limit, got)
		}
	})
}
