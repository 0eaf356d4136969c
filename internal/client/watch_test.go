package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// flaky serves a log of lines and breaks each connection after a few bytes of events: the
// fault that a watch has to survive. Package controlapi tests it over the real handler.
func flaky(lines, perConnection int, connections *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections.Add(1)
		after, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "retry: 1\n\nevent: state\ndata: {\"revision\":%d}\n\n", 1+after/10)
		for n := max(1, after); n <= lines; n++ { // the last one once more, as a race may bring it
			if n > after+perConnection {
				_, _ = fmt.Fprintf(w, "id: %d\nevent: log\ndata: {\"n\":", n) // cut within a message
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			_, _ = fmt.Fprintf(w, "id: %d\nevent: log\ndata: {\"n\":%d,\"x\":\"line\"}\n\n", n, n)
		}
		_, _ = fmt.Fprint(w, "event: later\ndata: {}\n\nevent: end\ndata: {}\n\n")
	})
}

func TestWatch_GivesEachLineOnceHoweverOftenItIsCutOff(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewServer(flaky(100, 7, &connections))
	defer s.Close()
	var got []int64
	var revisions []uint64
	ended := false
	for e, err := range newClient(t, Options{Base: s.URL}).Watch(t.Context(), "dpl_a", 3) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Line != nil:
			got = append(got, e.Line.N)
		case e.Deployment != nil:
			revisions = append(revisions, e.Deployment.Revision)
		}
		ended = ended || e.End
	}
	if !ended || len(got) != 97 || got[0] != 4 || !slices.IsSorted(got) || len(slices.Compact(got)) != 97 {
		t.Errorf("ended %t, lines %v", ended, got)
	}
	if len(slices.Compact(slices.Clone(revisions))) != len(revisions) || !slices.IsSorted(revisions) {
		t.Errorf("states came twice or went back: %v", revisions)
	}
	if n := connections.Load(); n < 10 {
		t.Errorf("%d connections: nothing was cut off", n)
	}
}

func TestWatch_TellsOfLinesThatAreLeftOut(t *testing.T) {
	asked := []string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "retry: 1\n\nid: 9\nevent: gap\ndata: {\"first\":2,\"last\":9}\n\n")
		if len(asked) == 1 {
			return // cut off: the gap comes again
		}
		_, _ = fmt.Fprint(w, "id: 12\nevent: gap\ndata: {\"first\":8,\"last\":12}\n\nid: 13\nevent: log\ndata: {\"n\":13}\n\nevent: end\ndata: {}\n\n")
	}))
	defer s.Close()
	var got []string
	for e, err := range newClient(t, Options{Base: s.URL}).Watch(t.Context(), "dpl_a", 3) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Gap != nil:
			got = append(got, fmt.Sprint("gap ", e.Gap.First, " ", e.Gap.Last))
		case e.Line != nil:
			got = append(got, fmt.Sprint("line ", e.Line.N))
		}
	}
	if want := []string{"gap 4 9", "gap 10 12", "line 13"}; !slices.Equal(got, want) || !slices.Equal(asked, []string{"3", "9"}) {
		t.Errorf("got %q, asked behind %q", got, asked)
	}
}

func TestWatch_EndsWithItsReader(t *testing.T) {
	var connections atomic.Int64
	s := httptest.NewServer(flaky(100, 7, &connections))
	defer s.Close()
	for range newClient(t, Options{Base: s.URL}).Watch(t.Context(), "dpl_a", 0) {
		break
	}
	if connections.Load() != 1 {
		t.Errorf("%d connections for a reader that left at once", connections.Load())
	}
}

func TestWatch_GivesUpAtOnceWhereItIsRefused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	}))
	defer s.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for base, want := range map[string]hosting.Code{s.URL: hosting.CodeNotFound, gone.URL: hosting.CodeUnavailable} {
		n := 0
		for _, err := range newClient(t, Options{Base: base}).Watch(t.Context(), "dpl_a", 0) {
			n++
			if !hosting.Is(err, want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if n != 1 {
			t.Errorf("%d pairs, want the error alone", n)
		}
	}
}

func TestWatch_EndsWithItsContext(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "id: 1\nevent: log\ndata: {\"n\":1}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for e, err := range newClient(t, Options{Base: s.URL}).Watch(ctx, "dpl_a", 0) {
		if e.Line != nil {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
}

func TestWatch_WaitsLongerEachTimeAndThenGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &watch{pause: watchPause, worked: true, since: time.Now()}
		down := hosting.Errorf(hosting.CodeUnavailable, "down")
		begin := time.Now()
		var pauses []time.Duration
		var err error
		for err == nil {
			before := time.Now()
			err = w.wait(t.Context(), down)
			pauses = append(pauses, time.Since(before))
		}
		if !errors.Is(err, down) || time.Since(begin) < watchPatience || time.Since(begin) > watchPatience+watchPauseMax {
			t.Errorf("gave up after %v with %v", time.Since(begin), err)
		}
		if pauses[0] >= pauses[1] || slices.Max(pauses) != watchPauseMax {
			t.Errorf("paused %v", pauses)
		}
	})
}
