package state

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// copyAtOnce is how many rows are read at a time.
const copyAtOnce = 1000

// Copy writes all that is in one store into another, which must be empty, in one transaction,
// and begins a new Epoch there: whoever followed the one takes a snapshot of the other. It
// leaves out what only processes that run have: leases, control planes and old changes.
//
// Nothing may write to the one meanwhile: what it changed after the copy had begun is not in
// it. It returns the number of rows.
func Copy(ctx context.Context, from, to Store) (n int, err error) {
	err = to.Update(ctx, func(tx Tx) error {
		there, err := tx.Scan(nil, nil, 1)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			return hosting.Errorf(hosting.CodeConflict, "the store to copy into is not empty").WithHint("name a new one")
		}
		return from.View(ctx, func(source Tx) error {
			n, err = copyRows(ctx, source, tx)
			return err
		})
	})
	if err != nil {
		return 0, fmt.Errorf("copy the state: %w", err)
	}
	return n, nil
}

func copyRows(ctx context.Context, source, to Tx) (n int, err error) {
	sys := DB{}.System()
	var left [][]byte
	for _, prefix := range []string{sys.leases.prefix(), sys.nodes.prefix(), sys.changes.prefix()} {
		left = append(left, []byte(prefix))
	}
	var after []byte
	for ctx.Err() == nil {
		pairs, err := source.Scan(nil, after, copyAtOnce)
		if err != nil {
			return n, err
		}
		for _, p := range pairs {
			if beginsWithOne(p.Key, left) {
				continue
			}
			if err := to.Put(p.Key, p.Value); err != nil {
				return n, err
			}
			n++
		}
		if len(pairs) < copyAtOnce {
			return n, newEpoch(sys, to)
		}
		after = bytes.Clone(pairs[len(pairs)-1].Key)
	}
	return n, ctx.Err()
}

func beginsWithOne(key []byte, of [][]byte) bool {
	for _, prefix := range of {
		if bytes.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// newEpoch numbers changes anew, greater than any before.
func newEpoch(sys System, tx Tx) error {
	h, ok, err := sys.heads.Find(tx, K("routes"))
	if err != nil || !ok {
		return err
	}
	h.Mark.Epoch = max(h.Mark.Epoch+1, uint64(time.Now().UnixMilli()))
	h.Mark.Seq++
	h.First = h.Mark.Seq + 1
	return sys.heads.Put(tx, &h)
}
