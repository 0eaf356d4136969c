package process

import (
	"context"
	"fmt"
	"os"

	"github.com/scale-mesh/fairway/internal/runner"
)

// Inspect tells how each of the jobs fares.
func (r *Runner) Inspect(ctx context.Context, refs []runner.Ref) ([]runner.State, error) {
	states := make([]runner.State, len(refs))
	for i, ref := range refs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		state, err := r.inspect(ref)
		if err != nil {
			return nil, fmt.Errorf("inspect job %s: %w", ref, err)
		}
		states[i] = state
	}
	return states, nil
}

func (r *Runner) inspect(ref runner.Ref) (runner.State, error) {
	id, ok := parseRef(ref)
	if !ok {
		return runner.State{Phase: runner.Gone}, nil
	}
	if c := r.child(id.name); c != nil && c.pid == id.pid {
		select {
		case <-c.ended:
			return runner.State{Phase: runner.Exited, Reason: c.reason}, nil
		case <-r.closing:
			// Nobody waits for it any more: it is looked at like one that was found.
		default:
			// What has ended but is not reaped counts as running: its reason follows.
			return runner.State{Phase: runner.Running}, nil
		}
	}
	dir := r.folder(id.name)
	now, ok, err := dir.identity()
	switch {
	case err != nil:
		return runner.State{}, err
	case !dir.exists() || ok && now != id:
		return runner.State{Phase: runner.Gone}, nil
	case ok && id.runs():
		return runner.State{Phase: runner.Running}, nil
	}
	return runner.State{Phase: runner.Exited, Reason: dir.reason()}, nil
}

// List names all jobs that have a folder, those included whose start was cut short.
func (r *Runner) List(ctx context.Context) ([]runner.Job, error) {
	entries, err := os.ReadDir(r.config.Dir)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	var jobs []runner.Job
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !e.IsDir() || !validName.MatchString(e.Name()) {
			continue
		}
		id, ok, err := r.folder(e.Name()).identity()
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		if !ok {
			id = identity{name: e.Name(), start: "-"}
		}
		jobs = append(jobs, runner.Job{Name: e.Name(), Ref: id.ref()})
	}
	return jobs, nil
}
