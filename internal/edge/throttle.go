package edge

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logEvery is the shortest time between two lines about failing content: a store that is
// down fails for every visitor, and the log must not fill the disk that the edge serves from.
const logEvery = time.Second

// throttle writes warnings, and counts those it leaves out.
type throttle struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex // guards all below
	next    time.Time
	omitted int
}

func (t *throttle) warn(message string, attrs ...slog.Attr) {
	omitted, ok := t.turn()
	if !ok {
		return
	}
	if omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", omitted))
	}
	t.log.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
}

// turn reports whether a line may be written now, and how many were left out before it.
func (t *throttle) turn() (omitted int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Before(t.next) {
		t.omitted++
		return 0, false
	}
	omitted, t.omitted, t.next = t.omitted, 0, now.Add(logEvery)
	return omitted, true
}
