package state

import (
	"context"
	"fmt"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
)

// Node is a control plane that uses the state, which others may use, too. Alone says why it
// cannot share the work with them, "" where it can. Key tells the platform's key from others.
// Beat grows while it lives.
type Node struct {
	Name  string `json:"name"`
	Alone string `json:"alone,omitempty"`
	Key   string `json:"key,omitempty"`
	Beat  uint64 `json:"beat"`
}

var nodes = &Table[Node]{Name: "node", Version: 1, Key: func(n *Node) Key { return K(n.Name) }}

// maxNodes bounds how many control planes are looked at.
const maxNodes = 100

// Join enters a control plane among those that use the state. It is CodeConflict, and says
// why, where one of them lives with which it cannot share the work. Of one that gives no sign
// of life that takes a quarter of a minute to find out.
func (db DB) Join(ctx context.Context, n Node) error {
	seen, err := db.enter(ctx, n, nil)
	for since := time.Now(); err == nil && len(seen) > 0 && time.Since(since) < leaseTTL; {
		_ = pause.For(ctx, leaseBeat/5)
		if err = ctx.Err(); err == nil {
			err = db.compare(ctx, n, seen)
		}
	}
	if err == nil && len(seen) > 0 {
		if seen, err = db.enter(ctx, n, seen); err == nil && len(seen) > 0 {
			err = cannotShare(n, seen[0]) // it came meanwhile
		}
	}
	return err
}

// enter stores the node and removes those that are dead, unless there are others with which it
// cannot share; those it returns.
func (db DB) enter(ctx context.Context, n Node, dead []Node) (others []Node, err error) {
	err = db.Update(ctx, func(tx Tx) error {
		rows := db.System().nodes
		for _, d := range dead {
			now, ok, err := rows.Find(tx, K(d.Name))
			if err != nil {
				return err
			}
			if ok && now != d {
				return cannotShare(n, now)
			}
			if err := rows.Delete(tx, K(d.Name)); err != nil {
				return err
			}
		}
		if others, err = db.unlike(tx, n); err != nil || len(others) > 0 {
			return err
		}
		return rows.Put(tx, &n)
	})
	if err != nil {
		return nil, fmt.Errorf("join the control planes: %w", err)
	}
	return others, nil
}

// unlike returns the nodes with which n cannot share.
func (db DB) unlike(tx Tx, n Node) (found []Node, err error) {
	all, err := db.System().nodes.List(tx, "", "", maxNodes)
	for _, o := range all {
		if o.Name != n.Name && (n.Alone != "" || o.Alone != "" || n.Key != o.Key) {
			found = append(found, o)
		}
	}
	return found, err
}

// compare fails when one of the nodes has shown a sign of life since it was seen.
func (db DB) compare(ctx context.Context, n Node, seen []Node) error {
	return db.View(ctx, func(tx Tx) error {
		for _, old := range seen {
			now, ok, err := db.System().nodes.Find(tx, K(old.Name))
			if err != nil {
				return err
			}
			if ok && now.Beat != old.Beat {
				return cannotShare(n, now)
			}
		}
		return nil
	})
}

func cannotShare(n, other Node) error {
	if n.Key != other.Key {
		return hosting.Errorf(hosting.CodeConflict, "another control plane uses this database, with another key").
			WithHint("give all of them the same: copy the file key, or set key env:NAME")
	}
	if n.Alone == "" {
		return hosting.Errorf(hosting.CodeConflict, "another control plane uses this database, and cannot share the work: %s", other.Alone).
			WithHint("change its settings first, or stop it")
	}
	return hosting.Errorf(hosting.CodeConflict, "another control plane uses this database, and this one could not share the work: %s", n.Alone).
		WithHint("change its settings, or stop the other one")
}

// Attend shows signs of life of a node until ctx ends, and then removes it.
func (db DB) Attend(ctx context.Context, n Node) error {
	for ctx.Err() == nil {
		n.Beat++
		_ = db.putNode(ctx, n) // what keeps it from that, keeps others from seeing it
		_ = pause.For(ctx, leaseBeat)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseBeat)
	defer cancel()
	// Should it fail, others find out that it is dead.
	_ = db.Update(last, func(tx Tx) error { return db.System().nodes.Delete(tx, K(n.Name)) })
	return ctx.Err()
}

func (db DB) putNode(ctx context.Context, n Node) error {
	ctx, cancel := context.WithTimeout(ctx, leaseBeat)
	defer cancel()
	return db.Update(ctx, func(tx Tx) error { return db.System().nodes.Put(tx, &n) })
}
