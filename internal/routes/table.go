package routes

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterr "go.etcd.io/bbolt/errors"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// ErrClosed says that the table was closed.
var ErrClosed = errors.New("routes: the table is closed")

// Config says where a Table keeps its file and which domain its sites are below.
type Config struct {
	Path   string
	Domain string // "localhost", say: sites are site.localhost
	// Topic is what the bell says of the source; default bell.Routes.
	Topic bell.Topic
	// PollEvery bounds how long a change whose bell was lost stays unseen; default 2 seconds.
	PollEvery time.Duration
	Log       *slog.Logger
}

// Table answers which deployment a host shows. All its methods may be called concurrently.
type Table struct {
	domain string
	path   string
	poll   time.Duration
	topic  bell.Topic
	log    *slog.Logger
	asks   asks

	file atomic.Pointer[file] // what lookups read; replaced by a snapshot's

	mu     sync.Mutex // held by whoever changes the file or replaces it
	closed chan struct{}

	newsMu sync.Mutex
	news   chan struct{} // closed and replaced when the mark has grown
}

// Open opens the table's file, or makes one. A file that is damaged is set aside, and the
// table is empty until Follow has loaded a snapshot. It fails with CodeConflict while another
// process has the file open.
func Open(c Config) (*Table, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	f, err := openOrReplace(c.Path, c.Log)
	if err != nil {
		return nil, err
	}
	if c.PollEvery <= 0 {
		c.PollEvery = pollEvery
	}
	c.Topic = cmp.Or(c.Topic, bell.Routes)
	t := &Table{domain: c.Domain, path: c.Path, poll: c.PollEvery, topic: c.Topic, log: c.Log, closed: make(chan struct{}), news: make(chan struct{})}
	t.file.Store(f)
	return t, nil
}

// Lookup returns what the host shows, and whether it shows anything. The host is canonical
// (hosting.CanonicalHost). A deleted site, and one that shows no deployment under that name,
// is as unknown; one that is suspended is found, and its State is the caller's to look at.
// A cached host costs no allocation, an unknown one no memory.
func (t *Table) Lookup(host string) (*hosting.Resolved, bool) {
	for {
		f := t.file.Load()
		if r := f.cache.get(host); r != nil {
			return r, true
		}
		r, err := t.resolve(f, host)
		if errors.Is(err, bbolterr.ErrDatabaseNotOpen) && t.file.Load() != f {
			continue // a snapshot took its place meanwhile
		}
		if err != nil {
			t.fault(f, err)
		}
		return r, r != nil
	}
}

// resolve reads the host's records from the file; nil where it shows nothing.
func (t *Table) resolve(f *file, host string) (*hosting.Resolved, error) {
	// The mark is taken before the records are read: they may be newer than it says, never
	// older, and the cache refuses them if a change of the project is on its way.
	r := &hosting.Resolved{Mark: f.mark()}
	err := f.view(func(tx *bbolt.Tx) error {
		found, err := find(tx, t.domain, host, r)
		if !found {
			r = nil
		}
		return err
	})
	if err != nil || r == nil {
		return nil, err
	}
	return f.cache.keep(r), nil
}

// fault notes that reading the file failed. Follow then loads a snapshot into a new one.
func (t *Table) fault(f *file, err error) {
	if errors.Is(err, bbolterr.ErrDatabaseNotOpen) {
		return
	}
	if f.faulty.CompareAndSwap(false, true) {
		t.log.Error("the routing table's file is damaged and will be built anew", "err", err)
	}
}

// Mark returns the newest mark that the table has applied, zero while it has none.
func (t *Table) Mark() hosting.Mark { return t.file.Load().mark() }

// Wait returns once the table has applied the mark or a greater one. It fails with ctx's
// error, or ErrClosed.
func (t *Table) Wait(ctx context.Context, mark hosting.Mark) error {
	for {
		t.newsMu.Lock()
		news := t.news
		t.newsMu.Unlock()
		if t.Mark().Compare(mark) >= 0 {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		case <-t.closed:
			return ErrClosed
		}
	}
}

func (t *Table) tell() {
	t.newsMu.Lock()
	defer t.newsMu.Unlock()
	close(t.news)
	t.news = make(chan struct{})
}

// Close releases the file. Lookups that run are waited for; later ones find at most what is
// cached. It may be repeated.
func (t *Table) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isClosed() {
		return nil
	}
	close(t.closed)
	return t.file.Load().close()
}

func (t *Table) isClosed() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}
