// Package redis rings the bell between processes, by Redis' publish and subscribe. Numbers
// that get lost, as all of them do while Redis is away, are what a bell may lose: who follows
// it looks by itself once in a while.
package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Prefix is what the names of all channels begin with. What follows is the topic.
const Prefix = "fairway:bell:"

// Config is what a Bell is made of.
type Config struct {
	// Client is the caller's, who closes it after the Bell.
	Client *redis.Client
	// Local wakes the listeners of this process.
	Local bell.Bell
	// Only names the topics that are listened to; all when empty. An edge needs one.
	Only []bell.Topic
	Log  *slog.Logger
}

// Bell is a bell.Bell. One goroutine publishes, and one, on a connection of its own, listens for
// all listeners of the process.
type Bell struct {
	Config
	mu      sync.Mutex
	pending map[bell.Topic]hosting.Mark // greatest of each topic that is not published yet
	kick    chan struct{}               // holds one when pending is not empty
	cancel  context.CancelFunc
	running sync.WaitGroup
}

var _ bell.Bell = (*Bell)(nil)

// publishTime bounds one attempt to publish what is pending.
const publishTime = 2 * time.Second

// New begins to listen. It does not wait for Redis.
func New(c Config) *Bell {
	ctx, cancel := context.WithCancel(context.Background())
	b := &Bell{Config: c, pending: map[bell.Topic]hosting.Mark{}, kick: make(chan struct{}, 1), cancel: cancel}
	b.running.Go(func() { b.publish(ctx) })
	b.running.Go(func() { b.hear(ctx) })
	return b
}

// Close ends the publishing and listening; what is pending is lost.
func (b *Bell) Close() error {
	b.cancel()
	b.running.Wait()
	return nil
}

// Announce wakes the listeners of this process at once, and those of others soon. It never
// waits for Redis.
func (b *Bell) Announce(ctx context.Context, topic bell.Topic, mark hosting.Mark) error {
	if err := b.Local.Announce(ctx, topic, mark); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if was, waits := b.pending[topic]; waits && mark.Compare(was) <= 0 {
		return nil
	}
	b.pending[topic] = mark
	select {
	case b.kick <- struct{}{}:
	default:
	}
	return nil
}

// Listen begins to remember the topic's marks, of this process and of others.
func (b *Bell) Listen(topic bell.Topic) bell.Listener { return b.Local.Listen(topic) }

// publish sends what is pending, many topics in one round trip, the newest mark of each.
func (b *Bell) publish(ctx context.Context) {
	failing := false
	for {
		select {
		case <-b.kick:
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
		marks := b.pending
		b.pending = make(map[bell.Topic]hosting.Mark, len(marks))
		b.mu.Unlock()
		err := b.send(ctx, marks)
		switch {
		case err == nil && failing:
			failing = false
			b.Log.Info("other processes are told of changes again")
		case err != nil && !failing && ctx.Err() == nil:
			failing = true
			b.Log.Warn("other processes are not told of changes, and find them by themselves", "err", err)
		}
	}
}

func (b *Bell) send(ctx context.Context, marks map[bell.Topic]hosting.Mark) error {
	ctx, cancel := context.WithTimeout(ctx, publishTime)
	defer cancel()
	_, err := b.Client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for topic, mark := range marks {
			p.Publish(ctx, Prefix+string(topic), text(mark))
		}
		return nil
	})
	return err
}

// hear passes on what other processes announce. The subscription mends itself.
func (b *Bell) hear(ctx context.Context) {
	sub := b.subscribe(ctx)
	defer sub.Close()
	news := sub.Channel()
	for {
		select {
		case m, ok := <-news:
			if !ok {
				return
			}
			if mark, ok := parse(m.Payload); ok {
				// A local bell neither fails nor waits.
				_ = b.Local.Announce(ctx, bell.Topic(strings.TrimPrefix(m.Channel, Prefix)), mark)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (b *Bell) subscribe(ctx context.Context) *redis.PubSub {
	if len(b.Only) == 0 {
		return b.Client.PSubscribe(ctx, Prefix+"*")
	}
	var channels []string
	for _, topic := range b.Only {
		channels = append(channels, Prefix+string(topic))
	}
	return b.Client.Subscribe(ctx, channels...)
}

// text is a mark as it is sent: epoch and sequence number in decimal.
func text(m hosting.Mark) string { return fmt.Sprintf("%d %d", m.Epoch, m.Seq) }

// parse reads what text writes, and nothing else: whoever can publish may send anything.
func parse(s string) (m hosting.Mark, ok bool) {
	if len(s) > 64 {
		return m, false
	}
	if _, err := fmt.Sscanf(s, "%d %d", &m.Epoch, &m.Seq); err != nil || text(m) != s {
		return hosting.Mark{}, false
	}
	return m, true
}
