// Package redis keeps the logs of deployments that run in Redis, as streams, and moves them from
// there to the object store: piece by piece while they grow, and whole when an attempt ends.
//
// A log is what the object store has of it, the lines 1 to n in pieces, and behind that what the
// stream has. Redis may lose its part: the next Append is answered with the number to go on
// with, and the job, which keeps its lines until it has ended, sends them again. While Redis is
// away, or full, lines go to the object store at once. So a build waits for neither, and no line
// is lost as long as one of the two is there when the attempt ends.
//
// Redis 6.2 or later is needed.
package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/object"
)

// Prefix is what the names of all streams begin with. What follows is the deployment.
const Prefix = "fairway:log:"

const (
	// pieceBytes is about how large a piece in the object store is, before it is packed.
	pieceBytes = 4 << 20
	// mostBytes is how much of a log Redis holds before a build waits until some of it is moved.
	mostBytes = pieceBytes * 3 / 2
	// pause is how long Redis is not asked after it has failed.
	pause = 2 * time.Second
	// listEvery is how long what the object store was found to have is good for where there
	// might be more.
	listEvery = 2 * time.Second
	// streamLife is how long a stream stays that nobody appends to, and movedLife one whose
	// lines are all in the object store.
	streamLife = 7 * 24 * time.Hour
	movedLife  = time.Hour
	// moveTime bounds a move behind the Appends, so that others get their turn.
	moveTime = time.Minute
	maxLogs  = 1000 // that something is remembered of
	// endedKept is how long that is so behind the end of a log: whoever follows it reads that.
	endedKept = time.Minute
	maxOpened = 4 // pieces that are kept open for who reads on
)

// Config is what a Store is made of.
type Config struct {
	// Client is the caller's, who closes it after the Store.
	Client *redis.Client
	// Objects has the pieces, below logs/.
	Objects object.Store
	Log     *slog.Logger
}

// Store is a logs.Store and a logs.Archiver.
type Store struct {
	cfg  Config
	away atomic.Int64 // until then, in Unix nanoseconds, Redis is not asked

	// Logs that have grown are moved behind the Appends, one at a time: packing a piece takes
	// longer than readers should wait for their lines.
	ctx    context.Context //nolint:containedctx // of these moves, which Close ends
	cancel context.CancelFunc
	moves  sync.WaitGroup
	turn   chan struct{}

	mu   sync.Mutex // guards what follows
	logs map[hosting.DeploymentID]*log
	read []opened // pieces that were read lately, the newest last
}

var (
	_ logs.Store    = (*Store)(nil)
	_ logs.Archiver = (*Store)(nil)
)

// log is what is remembered of one.
type log struct {
	id  hosting.DeploymentID
	key string // of the stream

	moving sync.Mutex // held by whoever adds pieces

	mu     sync.Mutex // guards what follows
	pieces []piece
	listed time.Time   // when the object store was asked; zero: never
	grown  int         // bytes that this process has added to the stream since a piece was made
	leaves bool        // a move is under way, or waits for its turn
	recent logs.Recent // what this process has appended, which needs no reading from Redis
	ended  time.Time   // when it was archived behind its last line
}

// Open returns a store. It does not wait for Redis.
func Open(c Config) *Store {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: c, logs: map[hosting.DeploymentID]*log{}, turn: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close waits for what the store does by itself. No other method may be called any more.
func (s *Store) Close() error {
	s.cancel()
	s.moves.Wait()
	return nil
}

// of returns what is remembered of a log.
func (s *Store) of(ctx context.Context, id hosting.DeploymentID) (*log, error) {
	if !hosting.ValidID(string(id)) || !strings.HasPrefix(string(id), "dpl_") {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%.40q is not the id of a deployment", id)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[id]
	if l == nil {
		for id, old := range s.logs { // whichever: what is forgotten is found again
			if len(s.logs) >= maxLogs || old.endedFor() > endedKept {
				delete(s.logs, id)
			}
		}
		l = &log{id: id, key: Prefix + string(id)}
		s.logs[id] = l
	}
	return l, nil
}

// Append implements logs.Store. Lines go to Redis, and while that fails to the object store.
func (s *Store) Append(ctx context.Context, id hosting.DeploymentID, first int64, lines []hosting.LogLine) (next int64, err error) {
	l, err := s.of(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := check(first, lines); err != nil {
		return 0, err
	}
	if !s.isAway() {
		next, err = s.appendStream(ctx, l, first, lines)
		if err == nil || ctx.Err() != nil {
			return next, err
		}
		s.failed(err)
		if isFull(err) {
			if _, err := s.move(ctx, l, true); err != nil {
				return 0, err
			}
		}
	}
	return s.appendPiece(ctx, l, first, lines)
}

// check says whether lines can be the ones from number first on.
func check(first int64, lines []hosting.LogLine) error {
	if first < 1 {
		return hosting.Errorf(hosting.CodeInvalid, "the first line of a log has the number 1, not %d", first)
	}
	for i := range lines {
		if want := first + int64(i); lines[i].N != want {
			return hosting.Errorf(hosting.CodeInvalid, "a log line has the number %d instead of %d", lines[i].N, want)
		}
	}
	return nil
}

// appendStream adds the lines that are new to the stream.
func (s *Store) appendStream(ctx context.Context, l *log, first int64, lines []hosting.LogLine) (next int64, err error) {
	listing := s.list(ctx, l, never) // of an error it is told below, where it matters
	for again := false; ; {
		moved := l.moved()
		var there bool
		data := encode(lines)
		if next, there, err = s.push(ctx, l.key, moved, first, lines, data); err != nil {
			return 0, err
		}
		end := first + int64(len(lines))
		switch {
		case next == end && len(lines) > 0:
			s.appended(ctx, l, lines, len(data))
			return next, nil
		case next > first && next < end: // some of them are there
			lines, first = lines[next-first:], next
		case next < first && !there && !again:
			// There is no stream, and what was known of the object store may be old.
			if listing = s.list(ctx, l, 0); listing != nil {
				return 0, listing
			}
			again = true
		case next <= first && !there && listing != nil:
			return 0, listing // it may have the lines before
		default:
			return next, nil
		}
	}
}

// appended notes what was added to the stream, and moves it on where it has become much.
func (s *Store) appended(ctx context.Context, l *log, lines []hosting.LogLine, size int) {
	l.mu.Lock()
	l.recent.Add(lines)
	l.ended = time.Time{}
	l.grown += size
	tooMuch := l.grown >= mostBytes
	begin := !tooMuch && !l.leaves && l.grown >= pieceBytes
	l.leaves = l.leaves || begin
	l.mu.Unlock()
	switch {
	case tooMuch:
		s.moveOn(ctx, l)
	case begin:
		s.moves.Go(func() { s.moveInTurn(l) })
	}
}

func (s *Store) moveInTurn(l *log) {
	select {
	case s.turn <- struct{}{}:
		ctx, cancel := context.WithTimeout(s.ctx, moveTime)
		s.moveOn(ctx, l)
		cancel()
		<-s.turn
	case <-s.ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaves = false
}

// moveOn moves a log that has grown. Where that fails, it is tried again when it has grown more.
func (s *Store) moveOn(ctx context.Context, l *log) {
	if _, err := s.move(ctx, l, false); err != nil && s.ctx.Err() == nil {
		s.cfg.Log.Warn("a log stays in Redis, and is moved to the object store later", "deployment", l.id, "error", err)
	}
}

// Next implements logs.Store. It is CodeUnavailable while Redis is away.
func (s *Store) Next(ctx context.Context, id hosting.DeploymentID) (int64, error) {
	l, err := s.of(ctx, id)
	if err != nil {
		return 0, err
	}
	if s.isAway() {
		return 0, errAway
	}
	if err := s.list(ctx, l, never); err != nil {
		return 0, err
	}
	next, there, err := s.push(ctx, l.key, l.moved(), 1, nil, nil)
	if err == nil && !there { // it may have been moved by another process
		if err = s.list(ctx, l, listEvery); err == nil {
			next = l.moved() + 1
		}
	}
	if err != nil {
		return 0, s.explain(ctx, err)
	}
	return next, nil
}

// Delete implements logs.Store.
func (s *Store) Delete(ctx context.Context, id hosting.DeploymentID) error {
	l, err := s.of(ctx, id)
	if err != nil {
		return err
	}
	if err := s.cfg.Client.Del(ctx, l.key).Err(); err != nil {
		return s.explain(ctx, err)
	}
	return s.deletePieces(ctx, l)
}

// deletePieces deletes what the object store has of a log, and forgets the rest.
func (s *Store) deletePieces(ctx context.Context, l *log) error {
	l.moving.Lock()
	defer l.moving.Unlock()
	if err := s.list(ctx, l, 0); err != nil {
		return err
	}
	l.mu.Lock()
	pieces := l.pieces
	l.mu.Unlock()
	for _, p := range pieces {
		if err := s.cfg.Objects.Delete(ctx, p.key(l.id)); err != nil {
			return fmt.Errorf("delete the log of %s: %w", l.id, err)
		}
	}
	l.forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = slices.DeleteFunc(s.read, func(o opened) bool { return strings.HasPrefix(o.key, folder+string(l.id)+"/") })
	return nil
}

// Archive implements logs.Archiver. While Redis is away it is the number behind what the object
// store has.
func (s *Store) Archive(ctx context.Context, id hosting.DeploymentID) (next int64, err error) {
	l, err := s.of(ctx, id)
	if err != nil {
		return 0, err
	}
	if s.isAway() {
		if err := s.list(ctx, l, listEvery); err != nil {
			return 0, err
		}
		return l.moved() + 1, nil
	}
	if next, err = s.move(ctx, l, true); err != nil {
		return 0, err
	}
	if err := s.cfg.Client.Expire(ctx, l.key, movedLife).Err(); err != nil {
		s.failed(err) // then it goes later
	}
	l.end()
	return next, nil
}

// failed has Redis left alone for a while, and tells of it.
func (s *Store) failed(err error) {
	if isFull(err) {
		s.cfg.Log.Warn("Redis is full: logs go to the object store", "error", err)
		return
	}
	now := time.Now()
	if was := s.away.Swap(now.Add(pause).UnixNano()); was < now.Add(-pause).UnixNano() {
		s.cfg.Log.Warn("Redis cannot be reached: logs go to the object store", "error", err)
	}
}

func (s *Store) isAway() bool { return time.Now().UnixNano() < s.away.Load() }

var errAway = hosting.Errorf(hosting.CodeUnavailable, "the logs' Redis cannot be reached")

// explain turns what Redis says into what a person may see.
func (s *Store) explain(ctx context.Context, err error) error {
	var known *hosting.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return err
	}
	s.failed(err)
	return fmt.Errorf("%w (%w)", errAway, err)
}
