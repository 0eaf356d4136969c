package state_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

var errTest = errors.New("the test's own error")

func openDB(t *testing.T) state.DB {
	t.Helper()
	s, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return state.DB{Store: s}
}

// update runs fn in an Update that has to succeed.
func update(t *testing.T, db state.DB, fn func(state.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t *testing.T, db state.DB, fn func(state.Tx) error) {
	t.Helper()
	if err := db.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

func wantCode(t *testing.T, err error, want hosting.Code) {
	t.Helper()
	if got := hosting.CodeOf(err); got != want {
		t.Errorf("got %v (%s), want %s", err, got, want)
	}
}

// at is a moment, n seconds after another one.
func at(n int) time.Time { return time.Unix(1_700_000_000+int64(n), 0).UTC() }
