// Package statetest holds the suite that every implementation of state.Store passes.
package statetest

import (
	"testing"

	"github.com/scale-mesh/fairway/internal/state"
)

// Open opens the store that is kept in dir, making it at the first call. The suite opens the
// same dir again after a Close, and expects to find there what was written.
type Open func(t *testing.T, dir string) state.Store

// Run runs the suite. Each case has a store of its own.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"an absent key has no value":                         absentKey,
		"what was put is found, an empty value too":          putAndGet,
		"a value is kept as it was when it was put":          putCopies,
		"a deletion is seen, and may be repeated":            deletion,
		"an Update reads its own writes":                     ownWrites,
		"a failed Update leaves nothing":                     failedUpdate,
		"an Update that panics leaves nothing":               panickingUpdate,
		"a View reads one state while Updates go on":         isolation,
		"a View cannot write":                                readOnly,
		"a View's error is passed on":                        viewError,
		"Scan goes in the order of bytes":                    scanOrder,
		"Scan keeps to its prefix":                           scanPrefix,
		"Scan begins behind after":                           scanAfter,
		"Scan stops at its limit and can be gone on with":    scanLimit,
		"Scan sees the writes of its own Update":             scanOwnWrites,
		"keys and values have limits":                        limits,
		"Updates are serial":                                 serial,
		"a context that has ended starts nothing":            endedContext,
		"what was acknowledged is there after a new opening": reopening,
		"a closed store refuses":                             closedStore,
		"random operations leave what a map would hold":      model,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

func opened(t *testing.T, open Open) state.Store {
	t.Helper()
	s := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// update runs fn in an Update that has to succeed.
func update(t *testing.T, s state.Store, fn func(state.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t *testing.T, s state.Store, fn func(state.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// putAll stores each key with itself as the value.
func putAll(t *testing.T, s state.Store, keys ...string) {
	t.Helper()
	update(t, s, func(tx state.Tx) error {
		for _, k := range keys {
			if err := tx.Put([]byte(k), []byte(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

// get returns the value and whether there is one, as a View of its own sees it.
func get(t *testing.T, s state.Store, key string) (value string, ok bool) {
	t.Helper()
	view(t, s, func(tx state.Tx) error {
		b, err := tx.Get([]byte(key))
		value, ok = string(b), b != nil
		return err
	})
	return value, ok
}

func wantValue(t *testing.T, s state.Store, key, want string) {
	t.Helper()
	if v, ok := get(t, s, key); !ok || v != want {
		t.Errorf("%q has %q (there: %t), want %q", key, v, ok, want)
	}
}

func wantAbsent(t *testing.T, s state.Store, key string) {
	t.Helper()
	if v, ok := get(t, s, key); ok {
		t.Errorf("%q has %q, want none", key, v)
	}
}
