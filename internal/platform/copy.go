package platform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// CopyState copies all of one state store into another, which must be empty, and returns the
// number of records. No control plane may run on the first: it is CodeConflict while one does.
func CopyState(ctx context.Context, getenv func(string) string, from, to string) (n int, err error) {
	if from == to {
		return 0, hosting.Errorf(hosting.CodeInvalid, "both are the same state store")
	}
	c := Config{Getenv: getenv}
	source, err := OpenState(ctx, c, from)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := OpenState(ctx, c, to)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	leave, err := keepOthersOut(ctx, source, from)
	if err != nil {
		return 0, err
	}
	defer leave()
	return state.Copy(ctx, source, target)
}

// keepOthersOut sees to it that no control plane uses the store until leave is called. The
// embedded one has its lock for that.
func keepOthersOut(ctx context.Context, s state.Store, dsn string) (leave func(), err error) {
	if strings.HasPrefix(dsn, "bolt:") {
		return func() {}, nil
	}
	db := state.DB{Store: s}
	n := state.Node{Name: "state copy", Alone: "the state is being copied"}
	if err := db.Join(ctx, n); err != nil {
		return nil, fmt.Errorf("stop all control planes first: %w", err)
	}
	attending, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = db.Attend(attending, n) }) // it ends with its context
	return func() {
		stop()
		running.Wait()
	}, nil
}
