package controlapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// cutter breaks a log's stream off after some bytes, wherever that is, as networks do.
type cutter struct {
	next http.Handler
	left int
	cuts atomic.Int64
}

func (c *cutter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/logs") || r.Method != http.MethodGet {
		c.next.ServeHTTP(w, r)
		return
	}
	c.next.ServeHTTP(&cutWriter{ResponseWriter: w, c: c, left: c.left}, r)
}

type cutWriter struct {
	http.ResponseWriter
	c    *cutter
	left int
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *cutWriter) Write(b []byte) (int, error) {
	b = bytes.Replace(b, []byte("retry: 1000"), []byte("retry: 1"), 1) // the test's patience
	if len(b) <= w.left {
		w.left -= len(b)
		return w.ResponseWriter.Write(b)
	}
	_, _ = w.ResponseWriter.Write(b[:w.left])
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	w.c.cuts.Add(1)
	panic(http.ErrAbortHandler)
}

func TestWatch_MissesNothingThoughItIsCutOff(t *testing.T) {
	w := newWorld(t)
	w.project("watched")
	id, j := w.build("watched")
	// Enough for the retry line, the state and a few lines; the cut falls within one.
	c := &cutter{next: w.api.Public(), left: 1500}
	s := httptest.NewServer(c)
	defer s.Close()

	const total = 60
	var texts []string
	for i := range total {
		texts = append(texts, fmt.Sprintf("line %d: %s", i+1, strings.Repeat("x", 20)))
	}
	if _, err := j.AppendLog(t.Context(), lines(1, texts[:total/2]...)); err != nil {
		t.Fatal(err)
	}
	var got []string
	var states []hosting.Status
	for e, err := range w.client(client.Options{Base: at(s), Token: ownerToken}).Watch(t.Context(), id, 0) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Deployment != nil:
			states = append(states, e.Deployment.Status)
		case e.Line == nil:
			continue
		case e.Line.N != int64(len(got)+1):
			t.Fatalf("line %d came after line %d", e.Line.N, len(got))
		default:
			got = append(got, e.Line.Text)
		}
		if len(got) == total/2 && e.Line != nil { // the rest is written while it is watched
			if _, err := j.AppendLog(t.Context(), lines(total/2+1, texts[total/2:]...)); err != nil {
				t.Fatal(err)
			}
			if d := w.publish(j, "done"); d.Status != hosting.StatusReady {
				t.Fatalf("became %+v", d)
			}
		}
	}
	if len(got) < total || !slices.Equal(got[:total], texts) {
		t.Errorf("%d lines came, %d were written", len(got), total)
	}
	if n := len(states); n == 0 || states[n-1] != hosting.StatusReady {
		t.Errorf("the states were %v", states)
	}
	if c.cuts.Load() < 3 {
		t.Errorf("only %d streams were cut off", c.cuts.Load())
	}
}

// finished returns a deployment with a log that has ended.
func finished(t *testing.T, w *world) hosting.DeploymentID {
	t.Helper()
	w.project("ended")
	id, j := w.build("ended")
	if _, err := j.AppendLog(t.Context(), lines(1, "one", "two </script> \u2028 \x1b[31mred\x1b[0m", "three")); err != nil {
		t.Fatal(err)
	}
	w.publish(j, "done")
	return id
}

// events reads a stream of server-sent events to its end, each as kind, id and data.
func events(t *testing.T, resp *http.Response) (all [][3]string) {
	t.Helper()
	var e [3]string
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		field, value, _ := strings.Cut(s.Text(), ": ")
		switch {
		case s.Text() == "" && e[2] != "":
			all, e = append(all, e), [3]string{}
		case field == "event":
			e[0] = value
		case field == "id":
			e[1] = value
		case field == "data":
			e[2] = value
		}
	}
	return all
}

func TestEvents_AreTheLogTheStateAndTheEnd(t *testing.T) {
	w := newWorld(t)
	id := finished(t, w)
	for name, headers := range map[string][]string{"by Accept": {"Accept", "text/event-stream"}, "by follow": {"Last-Event-ID", ""}} {
		path := "/api/deployments/" + string(id) + "/logs"
		if name == "by follow" {
			path += "?follow=true"
		}
		resp := w.ask("GET", path, "", headers...)
		if h := resp.Header; h.Get("Content-Type") != "text/event-stream" || h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the headers are %v", name, h)
		}
		all := events(t, resp)
		if len(all) < 5 || all[0][0] != "log" || all[0][1] != "1" || all[2][1] != "3" || all[len(all)-2][0] != "state" || all[len(all)-1][0] != "end" {
			t.Fatalf("%s: got %q", name, all)
		}
		var line hosting.LogLine
		if err := json.Unmarshal([]byte(all[1][2]), &line); err != nil || line.N != 2 || !strings.Contains(line.Text, "\x1b[31mred") {
			t.Errorf("%s: line 2 is %q, %v", name, all[1][2], err)
		}
	}
}

func TestEvents_ResumeBehindTheLastOneSeen(t *testing.T) {
	w := newWorld(t)
	path := "/api/deployments/" + string(finished(t, w)) + "/logs?follow=true"
	for name, tc := range map[string]struct {
		path  string
		last  string
		first string
	}{
		"by after":               {path + "&after=1", "", "2"},
		"by the header":          {path, "2", "3"},
		"the header is the last": {path + "&after=1", "2", "3"},
	} {
		all := events(t, w.ask("GET", tc.path, "", "Last-Event-ID", tc.last))
		if len(all) == 0 || all[0][1] != tc.first {
			t.Errorf("%s: got %q, want it to begin at %s", name, all, tc.first)
		}
	}
	if resp := w.ask("GET", path, "", "Last-Event-ID", "x"); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an id that is no number answered %d", resp.StatusCode)
	}
	if resp := w.ask("GET", "/api/deployments/dpl_aaaaaaaa/logs?follow=true", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown deployment answered %d", resp.StatusCode)
	}
}

func TestLog_IsReadInPages(t *testing.T) {
	w := newWorld(t)
	id := finished(t, w)
	page := func(query string) (p struct {
		Lines []hosting.LogLine
		Next  int64
	}) {
		b, _ := io.ReadAll(w.ask("GET", "/api/deployments/"+string(id)+"/logs"+query, "").Body)
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		return p
	}
	if p := page("?limit=2"); len(p.Lines) != 2 || p.Next != 2 {
		t.Errorf("the first page is %+v", p)
	}
	if p := page("?after=2&limit=1"); len(p.Lines) != 1 || p.Lines[0].N != 3 || p.Next != 3 {
		t.Errorf("the second page is %+v", p)
	}
	if p := page("?after=1000"); p.Lines == nil || len(p.Lines) != 0 || p.Next != 1000 {
		t.Errorf("behind the end is %+v", p)
	}
}

// dial opens the log's web socket.
func (w *world) dial(ctx context.Context, base, path string, headers ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{"Authorization": {"Bearer " + ownerToken}}
	host := "localhost"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			host = headers[i+1]
			continue
		}
		h.Set(headers[i], headers[i+1])
	}
	return websocket.Dial(ctx, base+path, &websocket.DialOptions{HTTPHeader: h, Host: host})
}

type socketMessage struct {
	Type       string
	Line       *hosting.LogLine
	Gap        *hosting.LogGap
	Deployment *hosting.Deployment
}

func messages(t *testing.T, conn *websocket.Conn) (all []socketMessage, status websocket.StatusCode) {
	t.Helper()
	for {
		_, b, err := conn.Read(t.Context())
		if err != nil {
			return all, websocket.CloseStatus(err)
		}
		var m socketMessage
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

func TestSocket_SendsWhatTheEventsSend(t *testing.T) {
	w := newWorld(t)
	id := finished(t, w)
	for _, query := range []string{"", "after=2"} {
		path := "/api/deployments/" + string(id) + "/logs"
		conn, _, err := w.dial(t.Context(), w.public.URL, path+"/socket?"+query, "Origin", "http://localhost")
		if err != nil {
			t.Fatal(err)
		}
		got, status := messages(t, conn)
		if status != websocket.StatusNormalClosure {
			t.Errorf("closed with %d", status)
		}
		want := events(t, w.ask("GET", path+"?follow=true&"+query, ""))
		if len(got) != len(want) || len(got) < 3 {
			t.Fatalf("%d messages, %d events", len(got), len(want))
		}
		for i, m := range got {
			var data []byte
			switch m.Type {
			case "log":
				data = m.Line.AppendJSON(nil)
			case "state":
				data, _ = json.Marshal(m.Deployment)
			case "end":
				data = []byte("{}")
			}
			if m.Type != want[i][0] || string(data) != want[i][2] {
				t.Errorf("message %d is %s %s, the event %q", i, m.Type, data, want[i])
			}
		}
	}
}

func TestSocket_FollowsWhileLinesCome(t *testing.T) {
	w := newWorld(t)
	w.project("live")
	id, j := w.build("live")
	conn, _, err := w.dial(t.Context(), w.public.URL, "/api/deployments/"+string(id)+"/logs/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow() //nolint:errcheck // the test is over
	next := func(kind string) socketMessage {
		for {
			var m socketMessage
			_, b, err := conn.Read(t.Context())
			if err != nil || json.Unmarshal(b, &m) != nil {
				t.Fatalf("read %q, %v", b, err)
			}
			if m.Type == kind {
				return m
			}
		}
	}
	for i, text := range []string{"one", "two", "three"} {
		if _, err := j.AppendLog(t.Context(), lines(int64(i+1), text)); err != nil {
			t.Fatal(err)
		}
		if m := next("log"); m.Line.Text != text {
			t.Errorf("got %+v, want %s", m.Line, text)
		}
	}
	w.publish(j, "done")
	next("end")
}

// Of lines that are printed at once, two seconds' worth are shown, and the rest is left out.
func TestStreams_MarkTheLinesThatAreLeftOut(t *testing.T) {
	const total, shown = 4000, 2 * liveRate
	w := newWorld(t)
	w.project("live")
	id, j := w.build("live")
	conn, _, err := w.dial(t.Context(), w.public.URL, "/api/deployments/"+string(id)+"/logs/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()                                //nolint:errcheck // the test is over
	if _, _, err := conn.Read(t.Context()); err != nil { // the state: it has looked, and found no line
		t.Fatal(err)
	}
	seen, last := int64(0), int64(0) // lines; number of the last that was there or left out
	line := func(l *hosting.LogLine) {
		if l.N != last+1 {
			t.Fatalf("line %d came after line %d", l.N, last)
		}
		last = l.N
		seen++
	}
	gap := func(g *hosting.LogGap) {
		if g.First != last+1 || g.Last < g.First {
			t.Fatalf("the gap %+v came after line %d", g, last)
		}
		last = g.Last
	}
	begun := false
	for e, err := range w.client(client.Options{Base: at(w.public), Token: ownerToken}).Watch(t.Context(), id, 0) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Line != nil:
			line(e.Line)
		case e.Gap != nil:
			gap(e.Gap)
		case e.Deployment != nil && !begun:
			begun = true
			for n := int64(1); n < total; n += 1000 {
				if _, err := j.AppendLog(t.Context(), lines(n, slices.Repeat([]string{"line"}, 1000)...)); err != nil {
					t.Fatal(err)
				}
			}
			w.publish(j, "done")
		}
	}
	if seen < shown || seen > shown+10 || last < total { // some are Fairway's own
		t.Errorf("%d lines of %d were shown", seen, last)
	}
	seen, last = 0, 0
	all, _ := messages(t, conn)
	for _, m := range all {
		if m.Line != nil {
			line(m.Line)
		}
		if m.Gap != nil {
			gap(m.Gap)
		}
	}
	if seen < shown || seen > shown+10 || last < total {
		t.Errorf("%d lines of %d were shown by the socket", seen, last)
	}
}

func TestSocket_IsRefusedToOthers(t *testing.T) {
	w := newWorld(t)
	path := "/api/deployments/" + string(finished(t, w)) + "/logs/socket"
	trusted := httptest.NewServer(w.api.Trusted())
	defer trusted.Close()
	for name, tc := range map[string]struct {
		base    string
		path    string
		headers []string
		status  int
	}{
		"no token":              {w.public.URL, path, []string{"Authorization", ""}, 401},
		"another origin":        {w.public.URL, path, []string{"Origin", "https://evil.example"}, 403},
		"a deployed site":       {w.public.URL, path, []string{"Origin", "https://site.localhost"}, 403},
		"a sandboxed page":      {w.public.URL, path, []string{"Origin", "null"}, 403},
		"another host":          {w.public.URL, path, []string{"Host", "evil.example", "Origin", "https://evil.example"}, 421},
		"an unknown deployment": {w.public.URL, "/api/deployments/dpl_aaaaaaaa/logs/socket", nil, 404},
		"the admin endpoint":    {trusted.URL, path, nil, 501},
	} {
		conn, resp, err := w.dial(t.Context(), tc.base, tc.path, tc.headers...)
		if err == nil {
			_ = conn.CloseNow()
			t.Errorf("%s: it opened", name)
			continue
		}
		if resp == nil || resp.StatusCode != tc.status || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: answered %+v, %v; want %d", name, resp, err, tc.status)
		}
	}
	if resp := w.ask("GET", path, ""); resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" {
		t.Errorf("a plain GET answered %d %v", resp.StatusCode, resp.Header)
	}
}

func TestStreams_EndWithTheProcessAndAskToComeBack(t *testing.T) {
	w := newWorld(t)
	w.project("stopping")
	id, _ := w.build("stopping")
	path := "/api/deployments/" + string(id) + "/logs"
	resp := w.ask("GET", path+"?follow=true", "")
	stream := bufio.NewReader(resp.Body)
	conn, _, err := w.dial(t.Context(), w.public.URL, path+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	for { // until both follow
		if s, err := stream.ReadString('\n'); err != nil || strings.HasPrefix(s, "data:") {
			break
		}
	}
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(w.stopping)
	rest, err := io.ReadAll(stream)
	if err != nil || !strings.Contains(string(rest), ": restarting") || strings.Contains(string(rest), "event: end") {
		t.Errorf("the stream ended with %q, %v", rest, err)
	}
	if _, status := messages(t, conn); status != websocket.StatusGoingAway {
		t.Errorf("the socket closed with %d", status)
	}
}
