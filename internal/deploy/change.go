package deploy

import (
	"context"
	"fmt"
	"iter"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/crash"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// change is a transaction and what has to be announced once it is durable.
type change struct {
	state.Tx
	s           *Service
	deployments []hosting.Deployment
	queue       uint64
	mark        hosting.Mark
	published   bool // it shows visitors another deployment
	trails      map[move]hosting.Digest
}

// update runs fn in one transaction. The change that it returns is durable, but nobody was
// told of it yet: announce does.
func (s *Service) update(ctx context.Context, fn func(*change) error) (*change, error) {
	var c *change
	err := s.withTrails(ctx, func(trails map[move]hosting.Digest) error {
		return s.cfg.DB.Update(ctx, func(tx state.Tx) error {
			c = &change{Tx: tx, s: s, trails: trails} // anew, since fn may run again
			if err := fn(c); err != nil {
				return err
			}
			if c.published {
				crash.At("activate.commit")
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// conclude ends a deployment, or its attempt, by fn, which says what its log should end with.
// All that does so goes through here: no line of the attempt is stored after the last one.
func (s *Service) conclude(ctx context.Context, id hosting.DeploymentID, fn func(*change) (note string, err error)) error {
	done, err := s.concludeLocked(ctx, id, fn)
	if err != nil {
		return err
	}
	s.announce(ctx, done)
	return nil
}

func (s *Service) concludeLocked(ctx context.Context, id hosting.DeploymentID, fn func(*change) (string, error)) (*change, error) {
	unlock := s.logs.lock(id)
	defer unlock()
	note := ""
	done, err := s.update(ctx, func(tx *change) (err error) {
		note, err = fn(tx)
		return err
	})
	if err == nil {
		s.note(ctx, id, note)
		s.archive(ctx, id)
	}
	return done, err
}

// putDeployment stores d, which has a greater Revision than before.
func (c *change) putDeployment(d *hosting.Deployment) error {
	if err := c.s.team(d.Team).Deployments.Put(c, d); err != nil {
		return fmt.Errorf("store deployment %s: %w", d.ID, err)
	}
	c.deployments = append(c.deployments, *d)
	return nil
}

// wakeQueue has the loops look again: a build waits, ended, or has to be stopped. The number
// it takes is the next place in the queue.
func (c *change) wakeQueue() (uint64, error) {
	n, err := c.s.sys.Next(c, "queue")
	if err != nil {
		return 0, fmt.Errorf("number the queue: %w", err)
	}
	c.queue = n
	return n, nil
}

// route writes routing records.
func (c *change) route(r hosting.Change) error {
	mark, err := c.s.sys.Commit(c, &r)
	if err != nil {
		return fmt.Errorf("change routes: %w", err)
	}
	c.mark = mark
	return nil
}

// announce rings for what c changed, and waits until this process's routing table shows it.
// Nothing here can undo the change, so failures are only logged: followers look at the store
// by themselves too.
func (s *Service) announce(ctx context.Context, c *change) {
	if c.published {
		crash.At("activate.committed")
	}
	ctx = context.WithoutCancel(ctx)
	for i := range c.deployments {
		d := &c.deployments[i]
		s.ring(ctx, bell.Deployment(d.ID), hosting.Mark{Seq: d.Revision})
	}
	if c.queue > 0 {
		s.ring(ctx, bell.Queue, hosting.Mark{Seq: c.queue})
	}
	if c.mark != (hosting.Mark{}) {
		s.ring(ctx, bell.Routes, c.mark)
		if c.published {
			crash.At("activate.rung")
		}
		s.awaitRoutes(ctx, c.mark)
	}
}

func (s *Service) ring(ctx context.Context, topic bell.Topic, mark hosting.Mark) {
	if err := s.cfg.Bell.Announce(ctx, topic, mark); err != nil {
		s.log.Warn("the bell did not ring", "topic", topic, "error", err)
	}
}

func (s *Service) awaitRoutes(ctx context.Context, mark hosting.Mark) {
	ctx, cancel := context.WithTimeout(ctx, routesWait)
	defer cancel()
	if err := s.cfg.Routes.Wait(ctx, mark); err != nil {
		s.log.Warn("the routing table lags behind", "epoch", mark.Epoch, "seq", mark.Seq, "error", err)
	}
}

// awaitHead waits until this process's routing table shows all that was ever changed.
func (s *Service) awaitHead(ctx context.Context) {
	head, err := state.Feed{DB: s.cfg.DB}.Head(ctx)
	if err != nil {
		s.log.Warn("the routes' head could not be read", "error", err)
		return
	}
	if head != (hosting.Mark{}) {
		s.awaitRoutes(ctx, head)
	}
}

// endRun ends d and its run together: whoever ends a deployment does it here.
func (c *change) endRun(run *state.Run, d *hosting.Deployment, to hosting.Status) error {
	if err := d.Advance(to, c.s.now()); err != nil {
		return err
	}
	run.State = state.RunEnded
	run.EndedAt = c.s.now()
	if err := c.s.sys.Runs.Put(c, run); err != nil {
		return fmt.Errorf("end run %s: %w", run.Deployment, err)
	}
	if _, err := c.wakeQueue(); err != nil {
		return err
	}
	return c.putDeployment(d)
}

// runs yields the runs of an index, those whose index keys begin with prefix. The caller
// changes none of them while it ranges, since that could move them under it.
func (s *Service) runs(tx state.Tx, index string, prefix state.Key) iter.Seq2[state.Run, error] {
	return func(yield func(state.Run, error) bool) {
		after := state.Key("")
		for {
			page, next, err := s.sys.Runs.ListBy(tx, index, prefix, after, pageOfRows)
			if err != nil {
				yield(state.Run{}, fmt.Errorf("list runs by %s: %w", index, err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
			if len(page) < pageOfRows {
				return
			}
			after = next
		}
	}
}

// runsWhere lists the runs of an index for which keep holds.
func (s *Service) runsWhere(ctx context.Context, index string, keep func(state.Run) bool) ([]state.Run, error) {
	var kept []state.Run
	err := s.cfg.DB.View(ctx, func(tx state.Tx) error {
		for r, err := range s.runs(tx, index, "") {
			if err != nil {
				return err
			}
			if keep(r) {
				kept = append(kept, r)
			}
		}
		return nil
	})
	return kept, err
}
