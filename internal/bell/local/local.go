// Package local rings the bell within one process, in memory. It loses no mark as long as
// somebody listens, and keeps nothing of a topic that nobody listens to.
package local

import (
	"context"
	"sync"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Bell is a bell.Bell. Make it with New.
type Bell struct {
	mu     sync.Mutex // guards topics and everything in them
	topics map[bell.Topic]*topic
}

var _ bell.Bell = (*Bell)(nil)

// topic is what the listeners of one topic share. It lives as long as one of them does.
type topic struct {
	mark      hosting.Mark
	news      chan struct{} // closed, and replaced, when mark grows
	listeners int
}

// New returns a bell that nobody listens to yet.
func New() *Bell { return &Bell{topics: make(map[bell.Topic]*topic)} }

// Announce wakes the topic's listeners if mark is greater than the last one. It never fails
// and does not look at ctx: what is announced has happened, whoever caused it has left or not.
func (b *Bell) Announce(_ context.Context, name bell.Topic, mark hosting.Mark) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	if t == nil || mark.Compare(t.mark) <= 0 {
		return nil
	}
	t.mark = mark
	close(t.news)
	t.news = make(chan struct{})
	return nil
}

// Listen begins to remember the topic's marks until the listener is closed.
func (b *Bell) Listen(name bell.Topic) bell.Listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[name]
	if t == nil {
		t = &topic{news: make(chan struct{})}
		b.topics[name] = t
	}
	t.listeners++
	return &listener{bell: b, name: name, topic: t, closed: make(chan struct{})}
}

type listener struct {
	bell   *Bell
	name   bell.Topic
	topic  *topic
	once   sync.Once
	closed chan struct{}
}

// Await returns the topic's mark as soon as it is greater than after. An ended ctx and a
// closed listener win over news, so a loop around Await always ends.
func (l *listener) Await(ctx context.Context, after hosting.Mark) (hosting.Mark, error) {
	for {
		select {
		case <-l.closed:
			return hosting.Mark{}, bell.ErrClosed
		default:
		}
		if err := ctx.Err(); err != nil {
			return hosting.Mark{}, err
		}
		mark, news := l.newest()
		if mark.Compare(after) > 0 {
			return mark, nil
		}
		select {
		case <-news:
		case <-l.closed:
		case <-ctx.Done():
		}
	}
}

// newest returns the mark together with the channel that is closed when it is outdated.
func (l *listener) newest() (hosting.Mark, <-chan struct{}) {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	return l.topic.mark, l.topic.news
}

// Close ends the listening; the last listener takes the topic with it.
func (l *listener) Close() {
	l.once.Do(func() {
		close(l.closed)
		l.bell.mu.Lock()
		defer l.bell.mu.Unlock()
		if l.topic.listeners--; l.topic.listeners == 0 {
			delete(l.bell.topics, l.name)
		}
	})
}
