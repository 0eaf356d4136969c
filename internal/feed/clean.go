package feed

import (
	"context"
	"strconv"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// clean removes what no edge asks for any more: the changes up to the snapshot before the
// newest, older snapshots, and what is left of older epochs. An edge that is further behind
// loads the newest snapshot.
func (p *Publisher) clean(ctx context.Context) error {
	keep := hosting.Mark{Epoch: p.head.Epoch} // the snapshot before the newest
	err := p.each(ctx, func(_ string, m hosting.Mark, isSnapshot bool) error {
		if isSnapshot && m.Epoch == p.head.Epoch && m.Seq < p.head.Snapshot.Seq {
			keep.Seq = max(keep.Seq, m.Seq)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.each(ctx, func(key string, m hosting.Mark, isSnapshot bool) error {
		old := m.Epoch < keep.Epoch || m.Epoch == keep.Epoch && m.Seq <= keep.Seq
		if !old || isSnapshot && m == keep {
			return nil
		}
		return p.Objects.Delete(ctx, key)
	})
}

// each calls fn for every change and snapshot that is stored.
func (p *Publisher) each(ctx context.Context, fn func(key string, m hosting.Mark, isSnapshot bool) error) error {
	const page = 1000
	after := ""
	for {
		found, err := p.Objects.List(ctx, prefix, after, page)
		if err != nil || len(found) == 0 {
			return err
		}
		for _, o := range found {
			if m, isSnapshot, ok := parseKey(o.Key); ok {
				if err := fn(o.Key, m, isSnapshot); err != nil {
					return err
				}
			}
		}
		after = found[len(found)-1].Key
	}
}

// parseKey reads the key of a change or of a snapshot.
func parseKey(key string) (m hosting.Mark, isSnapshot, ok bool) {
	epoch, name, found := strings.Cut(strings.TrimPrefix(key, prefix), "/")
	seq, isSnapshot := strings.CutPrefix(name, snapshotPrefix)
	var errs [2]error
	m.Epoch, errs[0] = strconv.ParseUint(epoch, 10, 64)
	m.Seq, errs[1] = strconv.ParseUint(seq, 10, 64)
	if !found || errs[0] != nil || errs[1] != nil {
		return hosting.Mark{}, false, false
	}
	// Only what the Publisher would name so.
	return m, isSnapshot, key == changeKey(m) || key == snapshotKey(m)
}
