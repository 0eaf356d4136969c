// Package state is the contract of Fairway's state store, the one authority on what exists:
// bytes by key in transactions, and on top of them the tables of nouns.
//
// Adapters (bolt, postgres) know bytes, not nouns. Table is the one generic struct that
// encodes nouns and keeps their indexes; Team and System say which tables there are and
// whose rows a caller can reach.
package state

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Store keeps keys and values. All methods may be called concurrently.
type Store interface {
	// View runs fn over one consistent state. What fn reads is valid until it returns.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn and makes all its writes durable together, or none if fn or the commit
	// fails. Updates are serial. fn must have no effect outside the transaction.
	Update(ctx context.Context, fn func(Tx) error) error
	// Close waits for running transactions and releases the store.
	Close() error
}

// Tx reads and, in an Update, writes. It belongs to one goroutine and to the call that made
// it. Keys are at most 1,024 bytes and not empty; Values are at most 8 MiB.
type Tx interface {
	// Get returns the value, nil if there is none. The caller must not change it.
	Get(key []byte) ([]byte, error)
	// Put stores the value. It fails in a View.
	Put(key, value []byte) error
	// Delete removes the key; an absent one is no error. It fails in a View.
	Delete(key []byte) error
	// Scan returns up to limit pairs whose keys have the prefix and are greater than after
	// (nil: from the first), in ascending order of bytes.
	Scan(prefix, after []byte, limit int) ([]Pair, error)
}

// Prefetcher is what a Tx may be, too, where each Get is a way over the network.
type Prefetcher interface {
	// Prefetch reads keys at once, which Get then has. It is never needed.
	Prefetch(keys [][]byte) error
}

// Pair is a key and its value.
type Pair struct{ Key, Value []byte }

// The largest keys and values, in bytes.
const (
	MaxKey   = 1024
	MaxValue = 8 << 20
)

// Fits reports whether a key can be stored.
func Fits(key []byte) bool { return len(key) > 0 && len(key) <= MaxKey }

// CheckPut refuses what every store refuses, with CodeTooLarge.
func CheckPut(key, value []byte) error {
	switch {
	case !Fits(key):
		return hosting.Errorf(hosting.CodeTooLarge, "a key of the state has 1 to %d bytes, not %d", MaxKey, len(key))
	case len(value) > MaxValue:
		return hosting.Errorf(hosting.CodeTooLarge, "a record of the state has at most %d bytes, not %d", MaxValue, len(value))
	}
	return nil
}

// ErrReadOnly is what a write in a View fails with.
var ErrReadOnly = errors.New("write state: a View cannot write")
