package routes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/bell/local"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

const domain = "localhost"

// world is a state store, its feed and its bell.
type world struct {
	t    testing.TB
	db   state.DB
	bell *local.Bell
}

func newWorld(t testing.TB) *world {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &world{t: t, db: state.DB{Store: s}, bell: local.New()}
}

func (w *world) feed() state.Feed { return state.Feed{DB: w.db} }

// commit commits the changes in one transaction, and rings.
func (w *world) commit(changes ...hosting.Change) (mark hosting.Mark) {
	w.t.Helper()
	err := w.db.Update(context.Background(), func(tx state.Tx) (err error) {
		for i := range changes {
			if mark, err = w.db.System().Commit(tx, &changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("commit: %v", err)
	}
	if err := w.bell.Announce(context.Background(), bell.Routes, mark); err != nil {
		w.t.Fatalf("announce: %v", err)
	}
	return mark
}

// catchUp brings the table to the state's head.
func (w *world) catchUp(table *Table) {
	w.t.Helper()
	if err := table.catchUp(context.Background(), w.feed()); err != nil {
		w.t.Fatalf("catch up: %v", err)
	}
}

// follow runs Follow until the test ends, and waits for its end.
func follow(t testing.TB, table *Table, src Source, b bell.Bell) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := table.Follow(ctx, src, b); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrClosed) {
			t.Errorf("Follow ended with %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

func openTable(t testing.TB, path string) *Table {
	t.Helper()
	return openLogging(t, path, slog.DiscardHandler)
}

func openLogging(t testing.TB, path string, h slog.Handler) *Table {
	t.Helper()
	table, err := Open(Config{Path: path, Domain: domain, Log: slog.New(h)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := table.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return table
}

func newTable(t testing.TB) *Table { return openTable(t, filepath.Join(t.TempDir(), "routes.db")) }

func waitFor(t testing.TB, table *Table, mark hosting.Mark) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := table.Wait(ctx, mark); err != nil {
		t.Fatalf("wait for %v, at %v: %v", mark, table.Mark(), err)
	}
}

// deployment returns the id of the deployment that the host shows, "" if it shows none.
func deployment(table *Table, host string) hosting.DeploymentID {
	r, ok := table.Lookup(host)
	if !ok {
		return ""
	}
	return r.Pointer.Deployment
}

func wantShown(t testing.TB, table *Table, host string, want hosting.DeploymentID) {
	t.Helper()
	for _, from := range []string{"first", "again"} { // from the file, and from the cache
		if got := deployment(table, host); got != want {
			t.Errorf("%s %s shows %q, want %q", host, from, got, want)
		}
	}
}

func site(name string, project hosting.ProjectID) hosting.Site {
	return hosting.Site{Name: name, Project: project, Team: "team_a", State: hosting.SiteActive}
}

func pointer(project hosting.ProjectID, name string, d hosting.DeploymentID) hosting.Pointer {
	return hosting.Pointer{Project: project, Name: name, Deployment: d, Manifest: hosting.DigestOf([]byte(d))}
}

// published is a change that publishes the deployment as the site's production.
func published(name string, project hosting.ProjectID, d hosting.DeploymentID) hosting.Change {
	return hosting.Change{
		Sites:    []hosting.Site{site(name, project)},
		Pointers: []hosting.Pointer{pointer(project, hosting.PointerProduction, d)},
	}
}

// lines is a log whose lines a test can look at.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), s)
}

func (l *lines) handler() slog.Handler { return slog.NewTextHandler(l, nil) }

func numbered(prefix string, n int) string { return fmt.Sprintf("%s-%d", prefix, n) }
