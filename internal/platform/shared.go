package platform

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/pause"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
)

// shared reports whether other control planes can use the same state.
func (c Config) shared() bool { return strings.HasPrefix(c.State, "postgres") }

// alone says why this control plane cannot share the work with others, "" where it can.
func (c Config) alone() string {
	switch {
	case c.Objects == "file://"+filepath.Join(c.Data, "objects"):
		return "it keeps objects in its own data folder"
	case strings.HasPrefix(c.Logs, "file:"):
		return "it keeps logs in files"
	case strings.HasPrefix(c.Bell, "local:"):
		return "it tells others of no change, without Redis as its bell"
	case strings.HasPrefix(c.Runner, "process:"):
		return "its builds are processes of its own machine"
	}
	return ""
}

// joinTime bounds how long the start waits to find out about others.
const joinTime = 40 * time.Second

// join gives this process its name, and enters it among the control planes that use the same
// state.
func (p *Platform) join(ctx context.Context, db state.DB, key seal.Key) (err error) {
	c := p.config
	if c.Edges != EdgesOn && !c.shared() {
		return nil
	}
	if p.node, err = openNode(filepath.Join(c.Data, "node")); err != nil || !c.shared() {
		return err
	}
	n := state.Node{Name: p.node, Alone: c.alone(), Key: key.Token("node")}
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	switch err := db.Join(ctx, n); {
	case hosting.Is(err, hosting.CodeConflict):
		return err
	case err != nil:
		p.log.Warn("the control planes that there are cannot be found out", "error", err)
	}
	p.loops = append(p.loops, loop{"presence", func(ctx context.Context) error { return db.Attend(ctx, n) }})
	return nil
}

// led has a loop run in one of the processes that share the state, where there may be others.
func (p *Platform) led(db state.DB, l loop) loop {
	if !p.config.shared() {
		return l
	}
	return loop{l.name, func(ctx context.Context) error {
		return db.Hold(ctx, l.name, p.node, func(ctx context.Context) {
			p.log.Info("this control plane leads the " + l.name)
			if err := l.run(ctx); err != nil && ctx.Err() == nil {
				p.log.Error(l.name+" ended", "error", err)
			}
		})
	}}
}

// retryEvery is how long what failed is left alone.
const retryEvery = 2 * time.Second

// persist repeats what fails until it does not, or ctx ends. It is told of once.
func (p *Platform) persist(ctx context.Context, message string, do func() error) {
	told := false
	for ctx.Err() == nil {
		err := do()
		if err == nil {
			return
		}
		if !told && ctx.Err() == nil {
			p.log.Error(message, "error", err)
			told = true
		}
		_ = pause.For(ctx, retryEvery)
	}
}
