package controlapi

import (
	"container/list"
	"sync"
	"time"
)

// windowTime is how long a request counts.
const windowTime = time.Minute

// maxWindows bounds how many callers are counted at once, in memory: about 20 MB when each has
// made as many requests as it may. When there are more, the one that was idle longest is
// forgotten. That only ever admits more, and whoever commands so many addresses had as many
// limits before; what must hold against them, failed logins of one account, is counted in the
// state store.
const maxWindows = 20_000

// windows counts requests of many callers, each in a sliding minute: exactly the ones of the
// last 60 seconds, without the bursts that counters of whole minutes let pass. It is safe for
// concurrent use.
type windows struct {
	now func() time.Time

	mu     sync.Mutex // guards what follows
	byKey  map[string]*list.Element
	recent *list.List // of *window, the last used first
}

// window is the times of a caller's last requests: a ring, the oldest at next once it is full.
type window struct {
	key  string
	at   []time.Time
	next int
}

func newWindows(now func() time.Time) *windows {
	return &windows{now: now, byKey: make(map[string]*list.Element), recent: list.New()}
}

// count counts a request of the caller unless that would be more than quota in the last
// minute. It returns how many are left, and when the oldest one that counts no longer does;
// ok is false for one too many, which is not counted.
func (ws *windows) count(key string, quota int) (left int, reset time.Duration, ok bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	now, w := ws.now(), ws.of(key, quota)
	used, oldest := w.used(now)
	if used >= quota {
		return 0, windowTime - now.Sub(oldest), false
	}
	w.add(now, quota)
	if used == 0 {
		oldest = now
	}
	return quota - used - 1, windowTime - now.Sub(oldest), true
}

func (ws *windows) of(key string, quota int) *window {
	if el, ok := ws.byKey[key]; ok {
		ws.recent.MoveToFront(el)
		return el.Value.(*window)
	}
	if ws.recent.Len() >= maxWindows {
		last := ws.recent.Back()
		delete(ws.byKey, ws.recent.Remove(last).(*window).key)
	}
	w := &window{key: key, at: make([]time.Time, 0, min(quota, 8))}
	ws.byKey[key] = ws.recent.PushFront(w)
	return w
}

// used counts what lies within the last minute, and returns the oldest of it.
func (w *window) used(now time.Time) (n int, oldest time.Time) {
	for i := range w.at {
		if t := w.at[(w.next+len(w.at)-1-i)%len(w.at)]; now.Sub(t) < windowTime {
			n, oldest = n+1, t
		} else {
			break // the ring is in order, and all before this one are older
		}
	}
	return n, oldest
}

// add writes over the oldest once there are as many as the quota: that one no longer counts,
// or add would not have been called.
func (w *window) add(now time.Time, quota int) {
	if len(w.at) < quota {
		w.at = append(w.at, now)
		w.next = len(w.at) % quota
		return
	}
	w.at[w.next] = now
	w.next = (w.next + 1) % len(w.at)
}
