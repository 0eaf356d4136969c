package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/platform"
	"github.com/scale-mesh/fairway/internal/servertest"
	"github.com/scale-mesh/fairway/internal/state"
)

func TestState_IsCopiedIntoADatabaseAndBack(t *testing.T) {
	_, p := stocked(t)
	server := servertest.Postgres(t)
	dir := t.TempDir()
	first, second := "bolt://"+filepath.Join(dir, "first.db"), "bolt://"+filepath.Join(dir, "second.db")
	p.env["DB"] = servertest.Password
	database := "postgres://" + servertest.User + "@" + server.Addr + "/postgres?password=env:DB"
	put(t, first, "kept")
	for _, run := range [][]string{{first, database}, {database, second}} {
		if r := p.run("state", "copy", run[0], run[1]).ok(); !strings.Contains(r.err, "Copied 1 record") {
			t.Errorf("said %q", r.err)
		}
	}
	if got := value(t, second); got != "kept" {
		t.Errorf("came back as %q", got)
	}
	p.run("state", "copy", first, database).failed(ExitFailed, "not empty")
	p.run("state", "copy", first, first).failed(ExitUsage, "the same")
	p.run("state", "copy", "mysql://ann:hunter2@db/x", first).failed(ExitUsage, "bolt:, postgres:")
	p.run("state", "copy", first).failed(ExitUsage, "missing")
	p.run("state").failed(ExitUsage, "copy")
}

func put(t *testing.T, dsn, v string) {
	t.Helper()
	s := openState(t, dsn)
	if err := s.Update(t.Context(), func(tx state.Tx) error { return tx.Put([]byte("x"), []byte(v)) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func value(t *testing.T, dsn string) (v string) {
	t.Helper()
	s := openState(t, dsn)
	defer s.Close()
	err := s.View(t.Context(), func(tx state.Tx) error {
		b, err := tx.Get([]byte("x"))
		v = string(b)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return v
}

func openState(t *testing.T, dsn string) state.Store {
	t.Helper()
	s, err := platform.OpenState(t.Context(), platform.Config{}, dsn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
