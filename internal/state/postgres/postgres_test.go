package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/servertest"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/statetest"
)

func TestStore_KeepsTheContract(t *testing.T) {
	server := servertest.Postgres(t)
	statetest.Run(t, func(t *testing.T, dir string) state.Store {
		h := fnv.New64a()
		_, _ = h.Write([]byte(dir)) // never fails
		schema := fmt.Sprintf("s%x", h.Sum64())
		ask[string](t, server, "CREATE SCHEMA IF NOT EXISTS "+schema)
		return open(t, server.URL("search_path="+schema))
	})
}

func noSecret(string) (string, error) { return "", errors.New("is not there") }

// open returns the store of one process.
func open(t testing.TB, url string) *Store {
	t.Helper()
	c, err := Parse(url, noSecret)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// ask runs a statement beside the stores, and returns its first column.
func ask[T any](t testing.TB, server *servertest.Server, statement string) []T {
	t.Helper()
	c, err := pgx.Connect(context.Background(), server.URL(""))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	rows, err := c.Query(context.Background(), statement)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return all
}

func put(s *Store, key, value string) error {
	return s.Update(context.Background(), func(tx state.Tx) error { return tx.Put([]byte(key), []byte(value)) })
}

func get(s *Store, key string) (value string, err error) {
	err = s.View(context.Background(), func(tx state.Tx) error {
		b, err := tx.Get([]byte(key))
		value = string(b)
		return err
	})
	return value, err
}

func wantValue(t *testing.T, s *Store, key, want string) {
	t.Helper()
	if v, err := get(s, key); v != want || err != nil {
		t.Errorf("%s is %q, %v; want %q", key, v, err, want)
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !hosting.Is(err, hosting.CodeUnavailable) {
		t.Errorf("%s: %v, want %s", what, err, hosting.CodeUnavailable)
	}
}

// Processes are as serial among themselves as goroutines are.
func TestUpdate_IsSerialAcrossProcesses(t *testing.T) {
	const processes, writers, each = 3, 4, 25
	server := servertest.Postgres(t)
	var all sync.WaitGroup
	for range processes {
		s := open(t, server.URL("pool_max=3"))
		for range writers {
			all.Go(func() {
				for range each {
					if err := s.Update(t.Context(), increment); err != nil {
						t.Errorf("update: %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	wantValue(t, open(t, server.URL("")), "counter", strconv.Itoa(processes*writers*each))
	// The control: of two that do not lock the row, one undoes what the other did.
	s := open(t, server.URL(""))
	if err := put(s, "counter", "0"); err != nil {
		t.Fatal(err)
	}
	var two [2]*tx
	for i := range two {
		var err error
		if two[i], err = s.begin(t.Context(), strings.Replace(beginUpdate, "FOR UPDATE", "", 1)); err != nil {
			t.Fatal(err)
		}
		defer two[i].end()
		two[i].writable = true
		if _, err = two[i].Get([]byte("counter")); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range two {
		if err := errors.Join(increment(tx), tx.commit()); err != nil {
			t.Fatal(err)
		}
	}
	wantValue(t, s, "counter", "1")
}

func increment(tx state.Tx) error {
	b, err := tx.Get([]byte("counter"))
	n, _ := strconv.Atoi(string(b)) // none is 0
	return errors.Join(err, tx.Put([]byte("counter"), []byte(strconv.Itoa(n+1))))
}

func TestStore_WaitsForNoDatabaseAndFindsItAgain(t *testing.T) {
	server := servertest.Postgres(t)
	server.Kill()
	s := open(t, server.URL(""))
	_, err := get(s, "a")
	wantUnavailable(t, "a View while it is dead", err)
	wantUnavailable(t, "an Update", put(s, "a", "0"))
	server.Start()
	if err := put(s, "a", "1"); err != nil {
		t.Fatalf("once it is there: %v", err)
	}
	server.Kill()
	_, err = get(s, "a")
	wantUnavailable(t, "after it died", err)
	server.Start()
	wantValue(t, s, "a", "1")
}

func TestStore_DoesNotWaitForADatabaseThatHangs(t *testing.T) {
	server := servertest.Postgres(t)
	s := open(t, server.URL("pool_max=2"))
	if err := put(s, "a", "1"); err != nil {
		t.Fatal(err)
	}
	goOn := server.Pause()
	defer goOn()
	for _, call := range []func(ctx context.Context) error{
		func(ctx context.Context) error { return s.View(ctx, func(state.Tx) error { return nil }) },
		func(ctx context.Context) error { return s.Update(ctx, func(state.Tx) error { return nil }) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the end of the context", err)
		}
		cancel()
	}
	goOn()
	wantValue(t, s, "a", "1")
}

// An error that a caller swallows does not make the rest of its Update durable.
func TestUpdate_FailsWithWhatFailedInIt(t *testing.T) {
	server := servertest.Postgres(t)
	s := open(t, server.URL(""))
	end := func() {
		ask[bool](t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'fairway' AND state LIKE 'idle in%'")
	}
	err := s.Update(t.Context(), func(tx state.Tx) error {
		if err := tx.Put([]byte("a"), []byte("1")); err != nil {
			return err
		}
		end()
		_, _ = tx.Get([]byte("b"))
		return nil
	})
	wantUnavailable(t, "an Update", err)
	err = s.View(t.Context(), func(tx state.Tx) error {
		end()
		_, _ = tx.Get([]byte("b"))
		return nil
	})
	wantUnavailable(t, "a View", err)
	wantValue(t, s, "a", "")
}

// A process that stops in an Update does not hold up the others for ever: the database ends it.
func TestUpdate_IsBoundedByTheDatabase(t *testing.T) {
	s := open(t, servertest.Postgres(t).URL(""))
	err := s.Update(t.Context(), func(t state.Tx) error {
		for name, want := range map[string]string{"idle_in_transaction_session_timeout": "15s", "lock_timeout": "15s", "transaction_isolation": "read committed"} {
			var got string
			err := t.(*tx).conn.QueryRow(context.Background(), "SELECT current_setting($1)", name).Scan(&got)
			if err != nil || got != want {
				return fmt.Errorf("%s is %s (%w), want %s", name, got, err, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if want := fmt.Sprint(patience); want != "15s" || !strings.Contains(beginUpdate, want) {
		t.Errorf("patience is %s", want)
	}
}

func TestUpdate_TakesMoreThanOneMessage(t *testing.T) {
	const n = 3*maxPending + 7
	s := open(t, servertest.Postgres(t).URL(""))
	key := func(i int) []byte { return fmt.Appendf(nil, "k%05d", i) }
	err := s.Update(t.Context(), func(tx state.Tx) error {
		for i := range n {
			if err := tx.Put(key(i), key(i)); err != nil {
				return err
			}
		}
		for i := 0; i < n; i += 3 {
			if err := tx.Delete(key(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx state.Tx) error {
		pairs, err := tx.Scan([]byte("k"), nil, n)
		if len(pairs) != n-(n+2)/3 {
			t.Errorf("%d rows of %d", len(pairs), n-(n+2)/3)
		}
		keys := [][]byte{key(0), key(1), key(2), []byte("none"), nil}
		if err := errors.Join(err, tx.(state.Prefetcher).Prefetch(keys)); err != nil {
			return err
		}
		for i, k := range keys {
			if v, err := tx.Get(k); err != nil || (v != nil) != (i == 1 || i == 2) {
				t.Errorf("after Prefetch %q is %q, %v", k, v, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestSchema_IsMadeOnceByMany(t *testing.T) {
	server := servertest.Postgres(t)
	var all sync.WaitGroup
	for i := range 8 {
		s := open(t, server.URL("pool_max=2"))
		all.Go(func() {
			if err := put(s, strconv.Itoa(i), "x"); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if v := ask[int](t, server, "SELECT version FROM fairway_schema"); len(v) != 1 || v[0] != newest {
		t.Errorf("versions %v, want %d", v, newest)
	}
	if n := ask[int64](t, server, "SELECT count(*) FROM fairway_state"); n[0] != 8 {
		t.Errorf("%d rows", n[0])
	}
}

// A release does not write where a newer one has changed the tables, whether it finds them so
// or it happens while it runs.
func TestSchema_OfANewerReleaseIsLeftAlone(t *testing.T) {
	server := servertest.Postgres(t)
	s := open(t, server.URL(""))
	if err := put(s, "a", "1"); err != nil {
		t.Fatal(err)
	}
	ask[int](t, server, "UPDATE fairway_schema SET version = 99 RETURNING 1")
	for name, s := range map[string]*Store{"one that ran": s, "one that starts": open(t, server.URL(""))} {
		_, viewed := get(s, "a")
		for what, err := range map[string]error{"View": viewed, "Update": put(s, "a", "2")} {
			wantUnavailable(t, name+" "+what, err)
			if err == nil || !strings.Contains(err.Error(), "newer release") {
				t.Errorf("%s %s says %v", name, what, err)
			}
		}
	}
	if n := ask[int64](t, server, "SELECT count(*) FROM fairway_state WHERE value = '1'"); n[0] != 1 {
		t.Error("it was written")
	}
}

// Once the tables are there, a role that may only use them is enough.
func TestStore_NeedsLittle(t *testing.T) {
	server := servertest.Postgres(t)
	if err := put(open(t, server.URL("")), "a", "1"); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"CREATE ROLE app LOGIN PASSWORD 'app-password'",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON fairway_state TO app",
		"GRANT SELECT, UPDATE ON fairway_schema TO app",
	} {
		ask[string](t, server, s)
	}
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("app-password")
	c, err := Parse("postgres://app@"+server.Addr+"/postgres?password=file:x&pool_max=1", func(string) (string, error) {
		b, err := os.ReadFile(file)
		return string(b), err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := put(s, "a", "2"); err != nil {
		t.Fatal(err)
	}
	// The password is changed, and found at the next connection.
	ask[string](t, server, "ALTER ROLE app PASSWORD 'another'")
	ask[bool](t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'")
	s.pool.Reset()
	err = put(s, "a", "3")
	wantUnavailable(t, "with the old password", err)
	if err != nil && (strings.Contains(err.Error(), "app-password") || !strings.Contains(err.Error(), "refuses")) {
		t.Errorf("it says %v", err)
	}
	write("another")
	if err := put(s, "a", "3"); err != nil {
		t.Error(err)
	}
}

func TestSchema_ShowsPeopleWhatIsThere(t *testing.T) {
	server := servertest.Postgres(t)
	db := state.DB{Store: open(t, server.URL(""))}
	at := time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC)
	err := db.Update(t.Context(), func(tx state.Tx) error {
		team := db.Team("team_a")
		_, err := db.System().Commit(tx, &hosting.Change{Hosts: []hosting.Host{{Name: "example.com", Project: "prj_a"}}})
		return errors.Join(err,
			db.System().Users.Put(tx, &state.User{User: hosting.User{ID: "usr_a", Email: "ann@example.com", Name: "Ann", CreatedAt: at}}),
			team.Projects.Put(tx, &hosting.Project{ID: "prj_a", Team: "team_a", Name: "A \x00 shop", Slug: "shop", GitURL: "https://example.com/x.git", CreatedAt: at}),
			team.Deployments.Put(tx, &hosting.Deployment{ID: "dpl_a", Team: "team_a", Project: "prj_a", Status: hosting.StatusReady, Target: hosting.TargetProduction, CreatedAt: at,
				Source: hosting.Source{Ref: "main", Commit: "abc"}}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{
		"SELECT id || email || name || extract(year from created_at) FROM fairway_users":                                      "usr_aann@example.comAnn2026",
		"SELECT id || team || slug || git_url FROM fairway_projects":                                                          "prj_ateam_ashophttps://example.com/x.git",
		"SELECT id || team || project || target || status || ref || commit || (finished_at IS NULL) FROM fairway_deployments": "dpl_ateam_aprj_aproductionREADYmainabctrue",
		"SELECT name || project FROM fairway_domains":                                                                         "example.comprj_a",
	} {
		if got := ask[string](t, server, query); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := open(b, servertest.Postgres(b).URL(""))
	for b.Loop() {
		if err := put(s, "key", "value"); err != nil {
			b.Fatal(err)
		}
	}
}
