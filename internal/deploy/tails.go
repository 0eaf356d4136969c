package deploy

import (
	"context"
	"fmt"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
	"github.com/scale-mesh/fairway/internal/state"
)

// tails keeps, for deployments that somebody works at, a lock and what is cheap to lose: the
// end of the log and how much was uploaded.
type tails struct {
	store logs.Store

	mu sync.Mutex // guards what follows, and users, uploading, uploaded and signed of each tail
	m  map[hosting.DeploymentID]*tail
}

type tail struct {
	users     int // holders of mu and who waits for it
	uploading bool
	uploaded  int64      // bytes of blobs that the attempt brought to this process
	signed    int64      // bytes of blobs that it may bring to the object store by itself
	mu        sync.Mutex // the deployment's lock, guards what follows
	loaded    bool
	next      int64 // number of the log's next line
	bytes     int64 // what the attempt's lines so far count for
}

func newTails(store logs.Store) *tails {
	return &tails{store: store, m: make(map[hosting.DeploymentID]*tail)}
}

// lock takes the deployment's lock. It is held while a line is appended and while an attempt
// begins or ends, so that these have an order.
func (t *tails) lock(id hosting.DeploymentID) (unlock func()) {
	l := t.use(id)
	l.mu.Lock()
	return func() {
		l.mu.Unlock()
		t.mu.Lock()
		defer t.mu.Unlock()
		l.users--
		t.drop(id, l)
	}
}

// tryUpload marks that the deployment's archive is being uploaded; ok is false if it is.
func (t *tails) tryUpload(id hosting.DeploymentID) (release func(), ok bool) {
	l := t.use(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.uploading {
		l.users--
		return nil, false
	}
	l.uploading = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		l.uploading = false
		l.users--
		t.drop(id, l)
	}, true
}

func (t *tails) use(id hosting.DeploymentID) *tail {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.m[id]
	if l == nil {
		l = &tail{}
		t.m[id] = l
	}
	l.users++
	return l
}

// drop forgets a tail that nobody uses and that knows nothing.
func (t *tails) drop(id hosting.DeploymentID, l *tail) {
	if l.users == 0 && !l.loaded && l.uploaded == 0 && l.signed == 0 {
		delete(t.m, id)
	}
}

// forget is called when an attempt is over: what is known of it goes, and the end of the log
// is found anew when it is next needed. The caller holds the lock.
func (t *tails) forget(id hosting.DeploymentID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.m[id]; l != nil {
		l.loaded, l.uploaded, l.signed = false, 0, 0
	}
}

// charge counts bytes that an attempt wants to upload, and refuses those beyond limit. A
// restart begins to count anew: this bounds what a job can fill a disk with, no more.
func (t *tails) charge(id hosting.DeploymentID, size, limit int64) error {
	return t.count(id, func(l *tail) *int64 { return &l.uploaded }, size, limit)
}

// sign is charge for uploads to the object store. They are counted by themselves, since a blob
// that did not get there comes to control instead.
func (t *tails) sign(id hosting.DeploymentID, size, limit int64) error {
	return t.count(id, func(l *tail) *int64 { return &l.signed }, size, limit)
}

func (t *tails) count(id hosting.DeploymentID, of func(*tail) *int64, size, limit int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.m[id]
	if l == nil {
		l = &tail{}
		t.m[id] = l
	}
	n := of(l)
	if *n+size > limit {
		return hosting.Errorf(hosting.CodeTooLarge, "the attempt uploaded more than a site can have")
	}
	*n += size
	return nil
}

// append stores a batch unless the attempt's part of the log would grow beyond limit. The
// caller holds the deployment's lock.
func (t *tails) append(ctx context.Context, run state.Run, b hosting.LogBatch, limit int64) (next int64, err error) {
	id := run.Deployment
	t.mu.Lock()
	l := t.m[id]
	t.mu.Unlock()
	if err := t.load(ctx, run, l); err != nil {
		return 0, err
	}
	size := int64(0)
	for _, line := range b.Lines {
		if line.N >= l.next {
			size += int64(len(line.Text)) + lineCost
		}
	}
	if size > 0 && l.bytes+size > limit {
		return 0, hosting.Errorf(hosting.CodeTooLarge, "the log is full").WithHint("print less")
	}
	next, err = t.store.Append(ctx, id, b.First, b.Lines)
	if err != nil {
		l.loaded = false // it may have been stored nevertheless
		return 0, fmt.Errorf("append to log of %s: %w", id, err)
	}
	if next > l.next {
		l.next, l.bytes = next, l.bytes+size
	}
	return next, nil
}

// load finds the end of a log that this process has not written to in this attempt.
func (t *tails) load(ctx context.Context, run state.Run, l *tail) error {
	if l.loaded {
		return nil
	}
	l.next, l.bytes = max(run.LogStart, 1), 0
	for {
		lines, err := t.store.Read(ctx, run.Deployment, l.next-1, pageOfLines)
		if err != nil {
			return fmt.Errorf("read log of %s: %w", run.Deployment, err)
		}
		if len(lines) == 0 {
			break
		}
		for _, line := range lines {
			l.bytes += int64(len(line.Text)) + lineCost
		}
		l.next += int64(len(lines))
	}
	l.loaded = true
	return nil
}
