package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// delays counts how long lines took from their printing to a reader, for each second in which
// they were printed. It may be used concurrently.
type delays struct {
	began time.Time
	at    [300]delaysOf
}

// delaysOf has a count for each delayStep; the last is of all that took longer.
type delaysOf [401]atomic.Int64

const delayStep = 5 * time.Millisecond

// add counts lines that took so long.
func (d *delays) add(printed time.Time, took time.Duration, lines int64) {
	second := min(max(0, int(printed.Sub(d.began)/time.Second)), len(d.at)-1)
	d.at[second][min(max(0, int(took/delayStep)), len(d.at[0])-1)].Add(lines)
}

// between adds up the seconds that lie between two times.
func (d *delays) between(from, to time.Time) (sum [401]int64, lines int64, seconds int) {
	first, last := int(from.Sub(d.began)/time.Second)+1, int(to.Sub(d.began)/time.Second)
	for s := first; s < last; s++ {
		seconds++
		for i := range sum {
			n := d.at[s][i].Load()
			sum[i] += n
			lines += n
		}
	}
	return sum, lines, seconds
}

// quantileOf is the end of the step in which the q-quantile lies.
func quantileOf(sum [401]int64, lines int64, q float64) time.Duration {
	var seen int64
	for i, n := range sum {
		if seen += n; seen > 0 && float64(seen) >= q*float64(lines) {
			return time.Duration(i+1) * delayStep
		}
	}
	return 0
}

// lineCheck holds what a reader is told to being the whole log: every line once, in order, but for
// what a gap says is left out.
type lineCheck struct {
	last    int64 // number of the last line of the log
	printed int64 // number that the build gave its last line
	hidden  int64 // lines that gaps left out
	gaps    int
	over    bool // the build said how many it printed
	err     error
}

func (k *lineCheck) fail(format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf(format, args...)
	}
}

// line takes a line; at is when it was printed, 0 where the build did not print it.
func (k *lineCheck) line(l *hosting.LogLine) (at int64) {
	if l.N != k.last+1 {
		k.fail("line %d came after line %d", l.N, k.last)
	}
	k.last = l.N
	if all, ok := strings.CutPrefix(l.Text, allPrinted); ok {
		k.over = true
		if k.gaps == 0 && all != fmt.Sprint(k.printed) {
			k.fail("the build printed %s lines, and %d came", all, k.printed)
		}
	}
	n, at, ok := parsePrinted(l.Text)
	if !ok {
		return 0
	}
	if n != k.printed+1 && (k.gaps == 0 || n <= k.printed) {
		k.fail("the build's line %d came after its line %d", n, k.printed)
	}
	k.printed = n
	return at
}

func (k *lineCheck) gap(g *hosting.LogGap) {
	if g.First != k.last+1 || g.Last < g.First {
		k.fail("the gap %d to %d came after line %d", g.First, g.Last, k.last)
	}
	k.last, k.gaps, k.hidden = g.Last, k.gaps+1, k.hidden+g.Last-g.First+1
}

// lineReader is one who follows a log to its end.
type lineReader struct {
	lineCheck
	id      hosting.DeploymentID
	delays  *delays    // nil: its delays do not count
	spoiled []*spoiler // controls of the check, who are told what this one is
	pause   func()     // called after the first line of the build; may be nil
}

func (r *lineReader) take(l *hosting.LogLine) {
	at := r.line(l)
	if at > 0 && r.delays != nil {
		printed := time.Unix(0, at)
		r.delays.add(printed, time.Since(printed), 1)
	}
	for _, s := range r.spoiled {
		s.take(l)
	}
	if at > 0 && r.pause != nil {
		r.pause()
		r.pause = nil
	}
}

func (r *lineReader) ended() {
	if !r.over && r.gaps == 0 { // it may be in a gap
		r.fail("the log ended behind line %d, before the build's last line", r.last)
	}
	for _, s := range r.spoiled {
		s.ended()
	}
}

// follow reads by server-sent events, with the client of the command line.
func (r *lineReader) follow(ctx context.Context, api *client.Client) {
	for ev, err := range api.Watch(ctx, r.id, 0) {
		switch {
		case err != nil:
			r.fail("following behind line %d: %w", r.last, err)
		case ev.Line != nil:
			r.take(ev.Line)
		case ev.Gap != nil:
			r.gap(ev.Gap)
		case ev.End:
			r.ended()
		}
	}
}

// socket reads by the web socket.
func (r *lineReader) socket(ctx context.Context, s *Server, token string) {
	url := fmt.Sprintf("ws://localhost:%d/api/deployments/%s/logs/socket", s.HTTP, r.id)
	v := s.Visitor(1)
	v.Timeout = 0
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: v, HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		r.fail("the web socket: %w", err)
		return
	}
	defer func() { _ = ws.CloseNow() }()
	ws.SetReadLimit(1 << 20)
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			r.fail("the web socket behind line %d: %w", r.last, err)
			return
		}
		var m struct {
			Type string
			Line *hosting.LogLine
			Gap  *hosting.LogGap
		}
		if err := json.Unmarshal(b, &m); err != nil {
			r.fail("the web socket behind line %d: %w", r.last, err)
			return
		}
		switch m.Type {
		case "log":
			r.take(m.Line)
		case "gap":
			r.gap(m.Gap)
		case "end":
			r.ended()
			return
		}
	}
}

// spoiler is a control of the check: a reader from whom lines are kept, or to whom they are given
// in another order.
type spoiler struct {
	lineCheck
	how  string
	n    int
	held *hosting.LogLine
}

// spoilers are all of them.
func spoilers() []*spoiler {
	return []*spoiler{{how: "a batch is lost"}, {how: "the last line is lost"}, {how: "two lines are swapped"}, {how: "a line comes twice"}}
}

func (s *spoiler) take(l *hosting.LogLine) {
	s.n++
	switch {
	case s.how == "a batch is lost" && s.n > 100 && s.n <= 200:
		return
	case s.how == "the last line is lost" && strings.HasPrefix(l.Text, allPrinted):
		return
	case s.how == "two lines are swapped" && s.n == 100:
		s.held = l
		return
	case s.how == "a line comes twice" && s.n == 100:
		s.line(l)
	}
	s.line(l)
	if s.held != nil {
		s.line(s.held)
		s.held = nil
	}
}

func (s *spoiler) ended() {
	if !s.over {
		s.fail("the log ended early")
	}
}

// tabReader is one in a browser. It keeps in the page what a lineReader keeps.
type tabReader struct {
	tab *page
	id  hosting.DeploymentID
}

// begin opens the stream in a page of the control host.
func (r *tabReader) begin() {
	r.tab.b.t.Helper()
	r.tab.Eval(nil, `(() => {
	const k = window.followed = {last: 0, printed: 0, lines: 0, gaps: 0, error: "", over: false, ended: false, delays: {}}
	const fail = (text) => { k.error ||= text }
	const source = new EventSource("/api/deployments/" + %s + "/logs?follow=true")
	source.addEventListener("log", (e) => {
		const l = JSON.parse(e.data), now = Date.now()
		if (l.n !== k.last + 1) fail("line " + l.n + " came after line " + k.last)
		k.last = l.n
		const [word, n, at] = l.x.split(" ")
		if (l.x.startsWith(%s)) k.over = true
		if (word !== "printed") return
		if (+n !== k.printed + 1) fail("the build's line " + n + " came after its line " + k.printed)
		k.printed = +n
		k.lines++
		const printed = Math.floor(at / 1e6), second = Math.floor(printed / 1000), step = Math.floor((now - printed) / 5)
		const of = k.delays[second] ||= {}
		of[step] = (of[step] || 0) + 1
	})
	source.addEventListener("gap", () => { k.gaps++ })
	source.addEventListener("error", () => { if (!k.ended && source.readyState === EventSource.CLOSED) fail("the stream broke off") })
	source.addEventListener("end", () => { k.ended = true; source.close() })
})()`, r.id, allPrinted)
}

// end waits until the stream has ended, and adds what was seen.
func (r *tabReader) end(s *Server, d *delays) (lines int64, err error) {
	r.tab.b.t.Helper()
	var k struct {
		Printed, Lines int64
		Gaps           int
		Error          string
		Over, Ended    bool
		Delays         map[int64]map[int64]int64
	}
	s.eventually(time.Minute, "the browser has seen the log's end", func() bool {
		r.tab.Eval(&k, `({...followed, delays: followed.ended || followed.error ? followed.delays : {}})`)
		return k.Ended || k.Error != ""
	})
	for second, of := range k.Delays {
		for step, n := range of {
			d.add(time.Unix(second, 0), time.Duration(step)*delayStep, n)
		}
	}
	switch {
	case k.Error != "":
		return k.Lines, fmt.Errorf("%s", k.Error)
	case !k.Over || k.Lines != k.Printed:
		return k.Lines, fmt.Errorf("%d lines of %d came", k.Lines, k.Printed)
	case k.Gaps > 0:
		return k.Lines, fmt.Errorf("%d gaps", k.Gaps)
	}
	return k.Lines, nil
}

func TestLineCheck_FindsEachPlantedLoss(t *testing.T) {
	r := &lineReader{spoiled: spoilers()}
	for n := int64(1); n <= 1000; n++ {
		r.take(&hosting.LogLine{N: n, Text: fmt.Sprintf("%s%d %d x", printed, n, n)})
	}
	r.take(&hosting.LogLine{N: 1001, Text: allPrinted + "1000"})
	r.ended()
	if r.err != nil {
		t.Error(r.err)
	}
	for _, s := range r.spoiled {
		if s.err == nil {
			t.Errorf("%s: not found", s.how)
		}
	}
}
