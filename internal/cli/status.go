package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// status is the one moving line at the bottom of a terminal: what is waited for, and since
// when. Where nobody watches it prints nothing.
type status struct {
	w     io.Writer
	style style
	done  chan struct{} // closed by stop; nil where nobody watches
	owner sync.WaitGroup

	mu    sync.Mutex // guards what follows, and the order of writes to w
	text  string
	since time.Time
	frame int
	drawn bool
}

const statusTick = 120 * time.Millisecond

var frames = [...]string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// newStatus starts the line; stop ends it.
func newStatus(o output) *status {
	st := &status{w: o.err, style: o.errStyle}
	if !o.watched {
		return st
	}
	st.done = make(chan struct{})
	st.owner.Go(st.run)
	return st
}

func (st *status) run() {
	tick := time.NewTicker(statusTick)
	defer tick.Stop()
	for {
		select {
		case <-st.done:
			return
		case <-tick.C:
			st.mu.Lock()
			st.draw()
			st.mu.Unlock()
		}
	}
}

// set says what is waited for now; the seconds begin anew unless it is the same.
func (st *status) set(text string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if text != st.text {
		st.text, st.since = text, time.Now()
	}
}

// detail changes what is said and lets the seconds run on.
func (st *status) detail(text string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.text = text
}

// print runs f, which writes to the terminal, with the line out of its way.
func (st *status) print(f func() error) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.erase()
	return f()
}

// stop takes the line away and waits until nothing draws it. It may be repeated.
func (st *status) stop() {
	if st.done != nil {
		close(st.done)
		st.owner.Wait()
		st.done = nil
	}
	st.erase()
}

func (st *status) draw() {
	if st.text == "" {
		st.erase()
		return
	}
	st.frame = (st.frame + 1) % len(frames)
	line := st.style.blue(frames[st.frame]) + " " + st.text
	if s := time.Since(st.since); s >= time.Second {
		line += st.style.muted(fmt.Sprintf(" %d s", s/time.Second))
	}
	// Errors of the terminal are met by whoever writes something that matters.
	_, _ = fmt.Fprintf(st.w, "\r\x1b[K%s", line)
	st.drawn = true
}

func (st *status) erase() {
	if st.drawn {
		_, _ = io.WriteString(st.w, "\r\x1b[K")
		st.drawn = false
	}
}
