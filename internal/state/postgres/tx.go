package postgres

import (
	"bytes"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scale-mesh/fairway/internal/state"
)

// What an Update keeps before it sends it to the database.
const (
	maxPending      = 1000
	maxPendingBytes = 8 << 20
	maxSeen         = 10_000
)

// tx is one transaction. Nothing but it writes while it does, and it sees one state: what it
// read once it need not ask for again.
type tx struct {
	ctx      context.Context
	conn     *pgxpool.Conn
	id       string
	writable bool

	// seen are values that are known; nil for what is absent. Of them, pending are the keys
	// that were written and not yet sent.
	seen    map[string][]byte
	pending map[string]struct{}
	bytes   int

	failed     error // of a statement: the database does nothing more in this transaction
	unanswered bool  // the commit was sent, and no answer came
}

var _ state.Prefetcher = (*tx)(nil)

// Get implements state.Tx. A key that could not have been stored is absent.
func (t *tx) Get(key []byte) ([]byte, error) {
	if !state.Fits(key) {
		return nil, nil
	}
	if v, ok := t.seen[string(key)]; ok {
		return v, nil
	}
	var v []byte
	err := t.query(func(ctx context.Context) error {
		return t.conn.QueryRow(ctx, "SELECT value FROM fairway_state WHERE key = $1", key).Scan(&v)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		v, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	t.know(key, v)
	return v, nil
}

// Prefetch implements state.Prefetcher.
func (t *tx) Prefetch(keys [][]byte) error {
	var ask [][]byte
	for _, k := range keys {
		if _, ok := t.seen[string(k)]; !ok && state.Fits(k) {
			ask = append(ask, k)
		}
	}
	if len(ask) < 2 {
		return nil
	}
	found, err := t.pairs("SELECT key, value FROM fairway_state WHERE key = ANY($1)", ask)
	if err != nil {
		return err
	}
	for _, k := range ask {
		t.know(k, nil)
	}
	for _, p := range found {
		t.know(p.Key, p.Value)
	}
	return nil
}

// Put implements state.Tx.
func (t *tx) Put(key, value []byte) error {
	if !t.writable {
		return state.ErrReadOnly
	}
	if err := state.CheckPut(key, value); err != nil {
		return err
	}
	return t.write(key, append([]byte{}, value...))
}

// Delete implements state.Tx.
func (t *tx) Delete(key []byte) error {
	switch {
	case !t.writable:
		return state.ErrReadOnly
	case !state.Fits(key):
		return nil
	}
	return t.write(key, nil)
}

func (t *tx) write(key, value []byte) error {
	if t.pending == nil {
		t.pending = map[string]struct{}{}
	}
	t.seen[string(key)] = value
	t.pending[string(key)] = struct{}{}
	t.bytes += len(key) + len(value)
	if len(t.pending) < maxPending && t.bytes < maxPendingBytes {
		return nil
	}
	return t.flush()
}

// know remembers what was read.
func (t *tx) know(key, value []byte) {
	if len(t.seen) >= maxSeen && len(t.pending) == 0 {
		clear(t.seen)
	}
	t.seen[string(key)] = value
}

// Scan implements state.Tx.
func (t *tx) Scan(prefix, after []byte, limit int) ([]state.Pair, error) {
	if limit <= 0 {
		return nil, nil
	}
	if err := t.flush(); err != nil {
		return nil, err
	}
	from := append([]byte{}, prefix...)
	if after != nil && bytes.Compare(after, prefix) >= 0 {
		from = append(append([]byte{}, after...), 0) // the next key that there could be
	}
	if end := following(prefix); end != nil {
		return t.pairs("SELECT key, value FROM fairway_state WHERE key >= $1 AND key < $2 ORDER BY key LIMIT $3", from, end, limit)
	}
	return t.pairs("SELECT key, value FROM fairway_state WHERE key >= $1 ORDER BY key LIMIT $2", from, limit)
}

// following is the smallest key that is greater than all that begin with the prefix, nil if
// there is none.
func following(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return append(append([]byte{}, prefix[:i]...), prefix[i]+1)
		}
	}
	return nil
}

func (t *tx) pairs(sql string, args ...any) (found []state.Pair, err error) {
	err = t.query(func(ctx context.Context) error {
		rows, err := t.conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[state.Pair])
		return err
	})
	return found, err
}

// query runs one statement, unless an earlier one has failed.
func (t *tx) query(fn func(ctx context.Context) error) error {
	if t.failed != nil {
		return t.failed
	}
	ctx, cancel := context.WithTimeout(t.ctx, queryTimeout)
	defer cancel()
	err := fn(ctx)
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	t.failed = explainIn(t.ctx, err)
	return t.failed
}

// flush sends what is pending.
func (t *tx) flush() error {
	if len(t.pending) == 0 {
		return t.failed
	}
	return t.query(func(ctx context.Context) error {
		b := &pgx.Batch{}
		t.queue(b)
		return t.conn.SendBatch(ctx, b).Close()
	})
}

// queue moves what is pending into a message. Every key is in it once.
func (t *tx) queue(b *pgx.Batch) {
	var keys, values, gone [][]byte
	for k := range t.pending {
		if v := t.seen[k]; v != nil {
			keys, values = append(keys, []byte(k)), append(values, v)
		} else {
			gone = append(gone, []byte(k))
		}
	}
	if len(gone) > 0 {
		b.Queue("DELETE FROM fairway_state WHERE key = ANY($1)", gone)
	}
	if len(keys) > 0 {
		b.Queue("INSERT INTO fairway_state (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[]) "+
			"ON CONFLICT (key) DO UPDATE SET value = excluded.value", keys, values)
	}
	t.pending, t.bytes = nil, 0
}

// commit sends what is pending and commits it, in one message.
func (t *tx) commit() error {
	if t.failed != nil {
		return t.failed
	}
	ctx, cancel := context.WithTimeout(t.ctx, queryTimeout)
	defer cancel()
	b := &pgx.Batch{}
	t.queue(b)
	done := false
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		done = tag.String() == "COMMIT"
		return nil
	})
	err := t.conn.SendBatch(ctx, b).Close()
	switch {
	case err == nil && done:
		return nil
	case err == nil:
		return errors.New("commit state: the database has rolled back")
	}
	var refused *pgconn.PgError
	t.unanswered = !errors.As(err, &refused) || refused.SeverityUnlocalized != "ERROR"
	return explain(err)
}
