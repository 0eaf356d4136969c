package redis

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/object"
)

// piece is an object with the lines first to last, as gzip of JSON texts.
type piece struct{ first, last int64 }

const folder = "logs/"

func (p piece) key(id hosting.DeploymentID) string {
	return fmt.Sprintf("%s%s/%012d-%012d", folder, id, p.first, p.last)
}

func pieceOf(id hosting.DeploymentID, key string) (p piece, ok bool) {
	name, _ := strings.CutPrefix(key, folder+string(id)+"/")
	n, err := fmt.Sscanf(name, "%d-%d", &p.first, &p.last)
	return p, n == 2 && err == nil && p.first >= 1 && p.last >= p.first && p.key(id) == key
}

// never is an age that no listing reaches.
const never = time.Duration(math.MaxInt64)

// list asks the object store which pieces there are, unless it was asked within age.
func (s *Store) list(ctx context.Context, l *log, age time.Duration) error {
	l.mu.Lock()
	good := !l.listed.IsZero() && time.Since(l.listed) < age
	l.mu.Unlock()
	if good {
		return nil
	}
	const page = 1000
	var found []piece
	after := ""
	for {
		infos, err := s.cfg.Objects.List(ctx, folder+string(l.id)+"/", after, page)
		if err != nil {
			return fmt.Errorf("find the log of %s: %w", l.id, err)
		}
		for _, o := range infos {
			if p, ok := pieceOf(l.id, o.Key); ok {
				found = append(found, p)
			}
			after = o.Key
		}
		if len(infos) < page {
			break
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pieces, l.listed = found, time.Now()
	return nil
}

// moved is the number of the last line that the pieces have without a gap from the first on.
func (l *log) moved() (last int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pieces { // in the order of their first lines
		if p.first <= last+1 {
			last = max(last, p.last)
		}
	}
	return last
}

// piece returns one that has the line n.
func (l *log) piece(n int64) (p piece, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.pieces, func(p piece) bool { return p.first <= n && n <= p.last })
	if i < 0 {
		return p, false
	}
	return l.pieces[i], true
}

func (l *log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pieces, l.listed, l.grown, l.recent = nil, time.Time{}, 0, logs.Recent{}
}

// end notes that nothing is appended any more, as far as is known.
func (l *log) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = time.Now()
}

// endedFor returns for how long that has been so.
func (l *log) endedFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended.IsZero() {
		return 0
	}
	return time.Since(l.ended)
}

// fresh returns lines behind after that this process has appended lately.
func (l *log) fresh(after int64, limit int) []hosting.LogLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.recent.Read(after, limit)
}

// put stores a piece. The caller holds moving.
func (s *Store) put(ctx context.Context, l *log, lines []hosting.LogLine) error {
	p := piece{lines[0].N, lines[len(lines)-1].N}
	b := pack(lines)
	if err := s.cfg.Objects.Put(ctx, p.key(l.id), bytes.NewReader(b), object.Check{Size: int64(len(b)), Digest: hosting.DigestOf(b)}); err != nil {
		return fmt.Errorf("store lines of the log of %s: %w", l.id, err)
	}
	if err := object.Flush(ctx, s.cfg.Objects); err != nil {
		return fmt.Errorf("store lines of the log of %s: %w", l.id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.pieces, p, func(a, b piece) int { return int(a.first - b.first) })
	l.pieces = slices.Insert(l.pieces, i, p)
	return nil
}

// appendPiece adds the lines that are new to the object store.
func (s *Store) appendPiece(ctx context.Context, l *log, first int64, lines []hosting.LogLine) (next int64, err error) {
	l.moving.Lock()
	defer l.moving.Unlock()
	if err := s.list(ctx, l, listEvery); err != nil {
		return 0, err
	}
	next = l.moved() + 1
	if first > next || first+int64(len(lines)) <= next {
		return next, nil
	}
	lines = lines[next-first:]
	if err := s.put(ctx, l, lines); err != nil {
		return 0, err
	}
	l.mu.Lock()
	l.recent.Add(lines)
	l.mu.Unlock()
	return next + int64(len(lines)), nil
}

// move moves the lines of the stream to the object store, and returns the number behind them. Unless
// all are to go, it leaves those that came meanwhile, as long as they make no piece.
func (s *Store) move(ctx context.Context, l *log, all bool) (next int64, err error) {
	l.moving.Lock()
	defer l.moving.Unlock()
	if err := s.list(ctx, l, listEvery); err != nil {
		return 0, err
	}
	l.mu.Lock()
	grown := l.grown
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.grown = max(0, l.grown-grown)
	}()
	for first := true; ; first = false {
		moved := l.moved()
		lines, size, err := s.much(ctx, l.key, moved)
		if err != nil && ctx.Err() == nil {
			s.failed(err)
			return moved + 1, nil
		}
		if err != nil || len(lines) == 0 || lines[0].N != moved+1 || !all && !first && size < pieceBytes {
			return moved + 1, err
		}
		if err := s.put(ctx, l, lines); err != nil {
			return 0, err
		}
		if err := s.trim(ctx, l.key, lines[len(lines)-1].N); err != nil {
			s.failed(err) // it goes with the next piece
		}
	}
}

// much reads about as many lines of a stream as a piece has. size is about how many bytes they are.
func (s *Store) much(ctx context.Context, key string, after int64) (all []hosting.LogLine, size int, err error) {
	for size < pieceBytes {
		lines, _, err := s.span(ctx, key, after, logs.MaxRecent)
		if err != nil {
			return nil, 0, err
		}
		if len(lines) == 0 || lines[0].N != after+1 {
			break
		}
		for i := range lines {
			size += len(lines[i].Text) + 64
		}
		all, after = append(all, lines...), lines[len(lines)-1].N
	}
	return all, size, nil
}

// opened is a piece with its lines, which are not changed.
type opened struct {
	key   string
	lines []hosting.LogLine
}

// readPiece reads lines behind after, which the piece has.
func (s *Store) readPiece(ctx context.Context, l *log, p piece, after int64, limit int) ([]hosting.LogLine, error) {
	lines, err := s.open(ctx, l, p)
	if err != nil {
		return nil, err
	}
	from := after + 1 - p.first
	to := min(from+int64(limit), int64(len(lines)))
	return lines[from:to:to], nil
}

func (s *Store) open(ctx context.Context, l *log, p piece) ([]hosting.LogLine, error) {
	key := p.key(l.id)
	s.mu.Lock()
	i := slices.IndexFunc(s.read, func(o opened) bool { return o.key == key })
	if i >= 0 {
		defer s.mu.Unlock()
		return s.read[i].lines, nil
	}
	s.mu.Unlock()
	body, _, err := s.cfg.Objects.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }() // it was only read
	lines, err := unpack(body)
	if err == nil && (len(lines) == 0 || lines[0].N != p.first || lines[len(lines)-1].N != p.last) {
		err = fmt.Errorf("it has other lines than its name says")
	}
	if err != nil {
		return nil, fmt.Errorf("read lines %d to %d of the log of %s: %w", p.first, p.last, l.id, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = append(s.read[max(0, len(s.read)+1-maxOpened):], opened{key, lines})
	return lines, nil
}

func pack(lines []hosting.LogLine) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // a level that there is
	_, _ = w.Write(encode(lines))                   // into memory
	_ = w.Close()
	return b.Bytes()
}

// maxUnpacked bounds what a piece can have, in bytes: its lines before packing are more than
// pieceBytes by one read of the stream at most.
const maxUnpacked = 1 << 30

func unpack(r io.Reader) ([]hosting.LogLine, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return decode(io.LimitReader(z, maxUnpacked))
}
