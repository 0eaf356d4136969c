package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"

	"github.com/scale-mesh/fairway/internal/hosting"
)

//go:embed schema/*.sql
var schema embed.FS

// steps are the forms of the tables, each made from the one before.
var steps = readSteps()

// newest is the form that this release reads and writes.
var newest = len(steps)

func readSteps() (all []string) {
	files, err := fs.Glob(schema, "schema/*.sql") // in the order of their names
	if err != nil {
		panic(err) // a constant pattern
	}
	for _, f := range files {
		b, err := schema.ReadFile(f)
		if err != nil {
			panic(err) // it is embedded
		}
		all = append(all, string(b))
	}
	return all
}

// schemaLock keeps two processes from making the tables at once.
const schemaLock = 0x6661697277617900 // "fairway"

// prepare brings the tables to this release's form, once.
func (s *Store) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.schema {
		return nil
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	ctx, cancel := context.WithTimeout(ctx, patience+queryTimeout)
	defer cancel()
	if err := pgx.BeginFunc(ctx, conn, func(t pgx.Tx) error { return migrate(ctx, t) }); err != nil {
		return err
	}
	s.schema = true
	return nil
}

// isThere looks into the catalog itself: what to_regclass knows may be from before the lock.
const isThere = "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'fairway_schema' AND pg_table_is_visible(oid))"

func migrate(ctx context.Context, t pgx.Tx) error {
	version, err := versionIn(ctx, t, "")
	if err != nil || version == newest { // then a role that may not make tables is enough
		return err
	}
	if _, err := t.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
		return err
	}
	if version, err = versionIn(ctx, t, " FOR UPDATE"); err != nil { // it waits for who writes
		return err
	}
	if version > newest {
		return otherVersion(version)
	}
	for ; version < newest; version++ {
		if _, err := t.Conn().PgConn().Exec(ctx, steps[version]).ReadAll(); err != nil {
			return fmt.Errorf("make form %d of the state's tables: %w", version+1, err)
		}
	}
	_, err = t.Exec(ctx, "UPDATE fairway_schema SET version = $1", newest)
	return err
}

// versionIn returns the form of the tables, 0 where there are none.
func versionIn(ctx context.Context, t pgx.Tx, lock string) (version int, err error) {
	var there bool
	if err := t.QueryRow(ctx, isThere).Scan(&there); err != nil || !there {
		return 0, err
	}
	err = t.QueryRow(ctx, "SELECT version FROM fairway_schema"+lock).Scan(&version)
	return version, err
}

func otherVersion(version int) error {
	e := hosting.Errorf(hosting.CodeUnavailable, "the state's database has form %d, and this release uses form %d", version, newest)
	if version > newest {
		return e.WithHint("a newer release has changed it: start that one")
	}
	return e.WithHint("start Fairway once more, which changes it")
}
