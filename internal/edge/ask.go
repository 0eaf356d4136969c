package edge

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/scale-mesh/fairway/internal/pause"
)

const (
	// askEvery is how often the feed is asked for the sake of visitors, over all sites.
	askEvery = time.Second
	// askTimeout ends a question.
	askTimeout = 2 * time.Second
	// maxAsking bounds the requests that wait for their turn to ask.
	maxAsking = 256
)

// asker asks the feed for what this edge may not know yet: a page that another edge served
// names files of a deployment that this one is about to show. It asks once in askEvery,
// however many visitors ask for what is nowhere.
type asker struct {
	refresh func(context.Context) error // nil: there is nothing to ask
	now     func() time.Time

	mu      sync.Mutex
	newest  *question // nil before the first
	waiting int
}

// question is one call of refresh, for all who came before it began.
type question struct {
	began time.Time
	done  chan struct{} // closed when it has ended
	err   error         // after done
}

// ask reports whether the feed was asked after the request came, with success. Who is patient
// waits until the feed may be asked again; others are told no.
func (a *asker) ask(ctx context.Context, patient bool) bool {
	came := a.now()
	for {
		q, mine, wait := a.turn(came)
		switch {
		case mine:
			return a.put(ctx, q)
		case q != nil:
			return await(ctx, q)
		case !patient || !a.pause(ctx, wait):
			return false
		}
	}
}

// turn returns a question that serves who came then, whether it is theirs to put, or how long
// to wait until there can be one.
func (a *asker) turn(came time.Time) (q *question, mine bool, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if q := a.newest; q != nil {
		if !q.began.Before(came) {
			return q, false, 0
		}
		if wait := q.began.Add(askEvery).Sub(now); wait > 0 {
			return nil, false, wait
		}
	}
	a.newest = &question{began: now, done: make(chan struct{})}
	return a.newest, true, 0
}

// put asks. That its visitor leaves must not fail the others.
func (a *asker) put(ctx context.Context, q *question) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	defer close(q.done)
	q.err = a.refresh(ctx)
	return q.err == nil
}

func await(ctx context.Context, q *question) bool {
	select {
	case <-q.done:
		return q.err == nil
	case <-ctx.Done():
		return false
	}
}

// pause waits, and reports whether to go on: not where too many wait already.
func (a *asker) pause(ctx context.Context, d time.Duration) bool {
	a.mu.Lock()
	full := a.waiting >= maxAsking
	if !full {
		a.waiting++
	}
	a.mu.Unlock()
	if full {
		return false
	}
	defer func() {
		a.mu.Lock()
		a.waiting--
		a.mu.Unlock()
	}()
	return pause.For(ctx, d) == nil
}

// ofPage reports whether a page asks for a part of itself: what has no meaning without the page
// that another edge may have sent. Fetch Metadata says so, and for clients without it the page's address.
func ofPage(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "":
		return r.Header.Get("Referer") != ""
	case "document", "iframe", "frame":
		return false
	}
	return true
}

// askAgain looks once more for what is not here, after the feed was asked. It reports whether
// the request has been answered, by what the host shows now; else it is a 404, and only until
// a moment later.
func (s *Server) askAgain(x *exchange) bool {
	if s.asks.refresh == nil || x.asked {
		return false
	}
	x.asked = true
	if !s.asks.ask(x.r.Context(), ofPage(x.r)) {
		return false
	}
	resolved, ok := s.router.Lookup(x.resolved.Host)
	if ok && resolved.Pointer == x.resolved.Pointer {
		return false
	}
	x.trace.say("The feed had something newer than this edge.")
	if !ok {
		delete(x.h, "X-Fairway-Deployment")
		s.pages.unknown.serve(x.w, x.r)
		return true
	}
	x.resolved, x.site = resolved, nil
	if s.admit(x) {
		s.serveSite(x)
	}
	return true
}
