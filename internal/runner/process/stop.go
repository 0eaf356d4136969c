package process

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/runner"
)

// Stop ends the job and removes its folder. When ctx ends first, what of the job still runs
// does so until Stop is called again.
func (r *Runner) Stop(ctx context.Context, ref runner.Ref) error {
	id, ok := parseRef(ref)
	if !ok {
		return nil
	}
	release, err := r.hold(ctx, id.name)
	if err != nil {
		return err
	}
	defer release()
	dir := r.folder(id.name)
	now, ok, err := dir.identity()
	if err != nil {
		return fmt.Errorf("stop job %s: %w", id.name, err)
	}
	if ok && now != id {
		return nil // a later job of that name; the one that is meant was stopped before it
	}
	if c := r.child(id.name); c != nil {
		c.stopped.Store(true)
	}
	if err := newFamily(id).end(ctx, r.grace); err != nil {
		return fmt.Errorf("stop job %s: %w", id.name, err)
	}
	r.forget(id.name)
	if err := dir.remove(); err != nil {
		return fmt.Errorf("stop job %s: %w", id.name, err)
	}
	return nil
}
