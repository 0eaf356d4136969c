package bolt

import (
	"bytes"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/scale-mesh/fairway/internal/state"
)

// tx is one transaction over the one bucket.
type tx struct {
	bucket   *bbolt.Bucket
	writable bool
}

// Get implements state.Tx. A key that could not have been stored is absent.
func (t *tx) Get(key []byte) ([]byte, error) {
	if !state.Fits(key) {
		return nil, nil
	}
	return t.bucket.Get(key), nil
}

// Put implements state.Tx.
func (t *tx) Put(key, value []byte) error {
	if !t.writable {
		return state.ErrReadOnly
	}
	if err := state.CheckPut(key, value); err != nil {
		return err
	}
	// bbolt keeps the slice until the commit, and answers nil for a nil one.
	return t.bucket.Put(key, append(make([]byte, 0, len(value)), value...))
}

// Delete implements state.Tx.
func (t *tx) Delete(key []byte) error {
	if !t.writable {
		return state.ErrReadOnly
	}
	if !state.Fits(key) {
		return nil
	}
	return t.bucket.Delete(key)
}

// Scan implements state.Tx.
func (t *tx) Scan(prefix, after []byte, limit int) ([]state.Pair, error) {
	if limit <= 0 {
		return nil, nil
	}
	c := t.bucket.Cursor()
	k, v := c.Seek(slices.MaxFunc([][]byte{prefix, after}, bytes.Compare))
	if after != nil && bytes.Equal(k, after) {
		k, v = c.Next()
	}
	var pairs []state.Pair
	for ; k != nil && bytes.HasPrefix(k, prefix) && len(pairs) < limit; k, v = c.Next() {
		pairs = append(pairs, state.Pair{Key: k, Value: v})
	}
	return pairs, nil
}
