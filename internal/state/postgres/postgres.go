// Package postgres keeps the state of many machines in a PostgreSQL database, by pgx: one
// table of keys and values, of which a view shows people what they look for.
//
// An Update locks one row first, in READ COMMITTED, so Updates of all processes are serial and
// none is ever repeated. Its writes go with the commit, in one message. A View is REPEATABLE
// READ READ ONLY. PostgreSQL 13 or later is needed.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/state"
)

const (
	// queryTimeout bounds one answer of the database.
	queryTimeout = 10 * time.Second
	// patience is how long an Update waits for the others. The database ends a transaction
	// whose process says nothing for as long, which holds up everybody.
	patience = 15 * time.Second
	// inDoubt is how long a commit whose answer was lost is asked about, and again how long it
	// is waited before that is done once more.
	inDoubt = 10 * time.Second
	again   = 100 * time.Millisecond
)

// Store is a state.Store in a database. Make it with Open.
type Store struct {
	pool *pgxpool.Pool
	// turn holds one for the Update that runs, so that those that wait hold no connection.
	turn  chan struct{}
	doubt time.Duration

	mu     sync.Mutex
	schema bool // the tables are there, in this release's version
}

var _ state.Store = (*Store)(nil)

// Open prepares for the database that c names. It does not wait for it: while it is away, what
// needs it is CodeUnavailable. Its tables are made, or brought to this release's form, when it
// is first reached.
func Open(ctx context.Context, c Config) (*Store, error) {
	pool, err := pgxpool.NewWithConfig(ctx, c.pool())
	if err != nil {
		return nil, explain(fmt.Errorf("prepare for the state's database: %w", err))
	}
	return &Store{pool: pool, turn: make(chan struct{}, 1), doubt: inDoubt}, nil
}

// View implements state.Store.
func (s *Store) View(ctx context.Context, fn func(state.Tx) error) error {
	t, err := s.begin(ctx, beginView)
	if err != nil {
		return err
	}
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	return t.failed
}

// Update implements state.Store. A ctx that ends while other Updates are waited for ends this
// one too; once fn has begun it is not looked at any more. A commit whose answer was lost is
// asked about: CodeUnavailable that says so is the only case in which it may have happened.
func (s *Store) Update(ctx context.Context, fn func(state.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	t, err := s.begin(ctx, beginUpdate)
	if err != nil {
		return err
	}
	defer t.end()
	t.writable, t.ctx = true, context.WithoutCancel(ctx)
	if err := fn(t); err != nil {
		return err
	}
	err = t.commit()
	if t.unanswered {
		t.end() // its connection is of no more use
		return s.resolve(context.WithoutCancel(ctx), t.id, err)
	}
	return err
}

// Close implements state.Store. It may be repeated.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// What begins a transaction, in one message; its last answer is version and transaction id.
const (
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT version, 0 FROM fairway_schema"
	beginUpdate = "BEGIN ISOLATION LEVEL READ COMMITTED; " +
		"SET LOCAL lock_timeout = '15s'; SET LOCAL idle_in_transaction_session_timeout = '15s'; " +
		"SELECT version, pg_current_xact_id() FROM fairway_schema FOR UPDATE"
)

// begin begins a transaction on a connection of its own.
func (s *Store) begin(ctx context.Context, how string) (*tx, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx); err != nil {
		return nil, explainIn(ctx, err)
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, explainIn(ctx, err)
	}
	t := &tx{ctx: ctx, conn: conn, seen: map[string][]byte{}}
	version, err := t.open(how)
	if err == nil && version != newest {
		err = otherVersion(version)
	}
	if err != nil {
		t.end()
		return nil, explainIn(ctx, err)
	}
	return t, nil
}

// acquire takes a connection of the pool, which opens one where all are in use.
func (s *Store) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	return s.pool.Acquire(ctx)
}

// open sends what begins the transaction.
func (t *tx) open(how string) (version int, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience+queryTimeout)
	defer cancel()
	results, err := t.conn.Conn().PgConn().Exec(ctx, how).ReadAll()
	if err != nil {
		return 0, err
	}
	last := results[len(results)-1]
	if len(last.Rows) != 1 {
		return 0, errors.New("the table fairway_schema has not one row")
	}
	t.id = string(last.Rows[0][1])
	return strconv.Atoi(string(last.Rows[0][0]))
}

// end gives the connection back. A transaction that was not committed ends with nothing done.
func (t *tx) end() {
	if t.conn == nil {
		return
	}
	if t.conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), queryTimeout)
		defer cancel()
		_, _ = t.conn.Exec(ctx, "ROLLBACK") // the pool closes a connection that is not idle
	}
	t.conn.Release()
	t.conn = nil
}

// resolve finds out whether the transaction whose commit was not answered has happened.
func (s *Store) resolve(ctx context.Context, id string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, s.doubt)
	defer cancel()
	for {
		var status string
		err := s.pool.QueryRow(ctx, "SELECT coalesce(pg_xact_status($1::text::xid8), '')", id).Scan(&status)
		switch {
		case err == nil && status == "committed":
			return nil
		case err == nil && status == "aborted":
			return explain(cause)
		}
		if pause.For(ctx, again) != nil {
			return fmt.Errorf("%w (%w)", hosting.Errorf(hosting.CodeUnavailable, "the state's database went away, and whether it has kept the change is not known").
				WithHint("look, before it is made once more"), cause)
		}
	}
}

// explainIn is explain for a call whose context may have ended meanwhile.
func explainIn(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && err != nil {
		return ended
	}
	return explain(err)
}

// explain turns what the driver and the database say into what a person may see. Errors of the
// transaction's own function pass through.
func explain(err error) error {
	var known *hosting.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	var db *pgconn.PgError
	code := ""
	if errors.As(err, &db) {
		code = db.Code
	}
	switch {
	case code == "53100":
		return fmt.Errorf("%w (%w)", hosting.Errorf(hosting.CodeStorageFull, "there is no space left for Fairway's state").
			WithHint("free some space of the database; nothing was changed"), err)
	case code == "28P01", code == "28000", code == "3D000", code == "42501":
		return fmt.Errorf("%w (%w)", hosting.Errorf(hosting.CodeUnavailable, "the state's database refuses Fairway").
			WithHint("check user, password, name and rights of the database"), err)
	case code == "55P03":
		return fmt.Errorf("%w (%w)", hosting.Errorf(hosting.CodeUnavailable, "too much is written to the state's database at once").WithHint("try again"), err)
	case code != "" && code[:2] != "08" && code[:2] != "57" && code[:2] != "53" && code[:2] != "25":
		return err // a fault of ours
	}
	return fmt.Errorf("%w (%w)", hosting.Errorf(hosting.CodeUnavailable, "the state's database cannot be reached"), err)
}
