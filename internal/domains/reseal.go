package domains

import (
	"context"
	"errors"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Reseal seals under the current keys what is stored under older ones, and returns how much that
// was. What does not open is logged and left. It is the control plane's, after a rotation.
func (c *Certificates) Reseal(ctx context.Context) (n int, err error) {
	if c.edge() {
		return 0, ErrEdge
	}
	for after := ""; ; {
		infos, err := c.cfg.Objects.List(ctx, objectsFolder, after, page)
		if err != nil {
			return n, failed("seal anew", objectsFolder, err)
		}
		for _, info := range infos {
			name, ok := decode(objectsFolder, info.Key)
			if !ok {
				continue
			}
			done, err := c.reseal(ctx, name)
			if err != nil {
				return n, failed("seal anew", name, err)
			}
			if done {
				n++
			}
		}
		if len(infos) < page {
			return n, nil
		}
		after = infos[len(infos)-1].Key
	}
}

func (c *Certificates) reseal(ctx context.Context, name string) (bool, error) {
	at, err := c.place(name)
	if err != nil {
		return false, err
	}
	c.sealing.Lock()
	defer c.sealing.Unlock()
	v, err := c.open(ctx, c.cfg.Objects, at.key, at)
	switch {
	case hosting.Is(err, hosting.CodeNotFound):
		return false, nil
	case errors.Is(err, ErrDamaged):
		c.cfg.Log.Error("a stored certificate, key or token does not open", "object", at.key)
		return false, nil
	case err != nil || !at.ring.Stale(v.sealed):
		return false, err
	}
	sealed := sealValue(at.ring, name, v.plain, v.modified)
	err = durably(ctx, c.cfg.Objects, func() error { return put(ctx, c.cfg.Objects, at.key, sealed) })
	if err != nil {
		return false, err
	}
	c.refresh(ctx, at, c.changed(), sealed)
	return true, nil
}
