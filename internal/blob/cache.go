package blob

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Layer says where bytes came from.
type Layer string

// The layers, from the nearest.
const (
	LayerMemory Layer = "memory"
	LayerDisk   Layer = "disk"
	LayerStore  Layer = "store"
	LayerMade   Layer = "made" // derived just now
)

// Source is what a Cache reads through. It verifies what it returns; a Store does.
type Source interface {
	Get(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error)
	GetManifest(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error)
}

// CacheConfig says what a Cache reads and how much it keeps. Zero sizes mean the defaults.
type CacheConfig struct {
	Source Source
	// Dir is the folder of the cache on disk, which may be deleted while nothing runs; ""
	// keeps nothing on disk.
	Dir string
	// Local says that the source is a disk of this machine: then only derived forms, which
	// the source has not, are kept on disk.
	Local bool
	// MemoryBytes bounds the forms in memory, each of at most MaxInMemory; 256 MiB. Negative
	// keeps none.
	MemoryBytes int64
	// DiskBytes bounds blobs and derived forms on disk; 4 GiB.
	DiskBytes int64
	// ManifestBytes bounds the manifests on disk, apart from the blobs so that a large file
	// cannot push out what every page of another site needs; 1 GiB.
	ManifestBytes int64
	Log           *slog.Logger
}

const (
	// MaxInMemory is the longest form that is kept in memory, in bytes: what is larger would
	// push out hundreds of small ones, and its disk read costs little beside its sending.
	MaxInMemory = 256 << 10

	defaultMemory    = 256 << 20
	defaultDisk      = 4 << 30
	defaultManifests = 1 << 30

	// maxFills bounds the reads from the source at once, over all visitors.
	maxFills = 64
	// patience is how long a visitor waits for a fill, which goes on without them: who comes
	// again finds what it brought.
	patience = 2500 * time.Millisecond
	// fillTimeout ends a fill, and the wait for one of the maxFills.
	fillTimeout = 10 * time.Second
)

// Cache keeps what was read from a Source, and what was derived from that, in memory and on
// disk. It returns what the source would, byte for byte: what is read from disk is verified
// anew each time, and dropped where it is damaged. Methods may be called concurrently; the
// bytes they return are shared, and the caller does not write to them.
//
// A cold blob is read from the source once, however many ask for it. What the source does not
// have is remembered for a moment; that it failed is not.
type Cache struct {
	source    Source
	local     bool
	memory    *memory
	blobs     *disk // nil: none
	manifests *disk // nil: none
	absent    *absences
	flight    singleflight.Group
	fills     chan struct{}

	hits, misses, fetched atomic.Int64

	scans   sync.WaitGroup
	mu      sync.Mutex // guards closed, so that nothing is counted while Close waits
	closed  bool
	stop    context.CancelFunc
	life    context.Context // ended by Close
	running sync.WaitGroup
}

// OpenCache opens a Cache, and makes its folders. What was on disk before is used at once; how
// much there is, and what of it goes first, is found out meanwhile.
func OpenCache(c CacheConfig) (*Cache, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Cache{source: c.Source, local: c.Local, absent: newAbsences(), fills: make(chan struct{}, maxFills)}
	k.life, k.stop = context.WithCancel(context.Background())
	k.memory = newMemory(orDefault(c.MemoryBytes, defaultMemory), k.goes)
	if c.Dir == "" {
		return k, nil
	}
	var err error
	if k.blobs, err = openDisk(filepath.Join(c.Dir, "blobs"), orDefault(c.DiskBytes, defaultDisk), c.Log, k.goes); err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	k.scan(k.blobs)
	if !c.Local {
		if k.manifests, err = openDisk(filepath.Join(c.Dir, "manifests"), orDefault(c.ManifestBytes, defaultManifests), c.Log, k.goes); err != nil {
			return nil, fmt.Errorf("open the cache: %w", err)
		}
		k.scan(k.manifests)
	}
	return k, nil
}

func orDefault(n, def int64) int64 {
	if n == 0 {
		return def
	}
	return max(n, 0)
}

// Close waits for fills that run, which it ends. It may be repeated.
func (k *Cache) Close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.running.Wait()
	for _, d := range []*disk{k.blobs, k.manifests} {
		if d != nil {
			d.index.CleanUp() // what was written last may be too much
		}
	}
	return nil
}

func (k *Cache) scan(d *disk) {
	k.scans.Add(1)
	k.goes(func() {
		defer k.scans.Done()
		d.scan(k.life)
	})
}

// goes runs what a cache does for itself: in a goroutine that Close waits for, or at once
// where it was called.
func (k *Cache) goes(fn func()) {
	if !k.begin() {
		fn()
		return
	}
	go func() {
		defer k.running.Done()
		fn()
	}()
}

// begin counts something among what Close waits for, unless it was called.
func (k *Cache) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	k.running.Add(1)
	return true
}

// Find returns a blob whole, and the layer that had it, with the codes of Store.Get, and
// CodeUnavailable when the source does not answer in time.
func (k *Cache) Find(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, Layer, error) {
	id := key{project: project, digest: digest}
	if b, ok := k.memory.get(id); ok {
		k.hits.Add(1)
		return b, LayerMemory, nil
	}
	disk := k.blobs
	if k.local {
		disk = nil
	}
	return k.fill(ctx, fill{
		key: id, disk: disk, bounded: true, keep: k.memory.keep,
		read: func(ctx context.Context) ([]byte, Layer, error) {
			b, err := k.source.Get(ctx, project, digest)
			return b, LayerStore, err
		},
	})
}

// Get is Find without the layer.
func (k *Cache) Get(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error) {
	b, _, err := k.Find(ctx, project, digest)
	return b, err
}

// GetManifest returns a manifest whole, with the codes of Find. It is not kept in memory: who
// opens it keeps that.
func (k *Cache) GetManifest(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]byte, error) {
	b, _, err := k.fill(ctx, fill{
		key: key{project: project, digest: digest, recipe: "manifest"}, disk: k.manifests, bounded: true,
		keep: func(key, []byte) bool { return true }, // by who opens it
		read: func(ctx context.Context) ([]byte, Layer, error) {
			b, err := k.source.GetManifest(ctx, project, digest)
			return b, LayerStore, err
		},
	})
	return b, err
}

// Recall returns what Derive made of a digest, if that is in memory.
func (k *Cache) Recall(project hosting.ProjectID, digest hosting.Digest, recipe string) ([]byte, bool) {
	b, ok := k.memory.get(key{project: project, digest: digest, recipe: recipe})
	if ok {
		k.hits.Add(1)
	}
	return b, ok
}

// CacheCounts is what a Cache did since it was opened. Hits were in memory or on disk, Misses
// had to be read from the source, or made; Fetched is how many bytes were read from the source.
type CacheCounts struct{ Hits, Misses, Fetched int64 }

// Counts returns what the cache did so far.
func (k *Cache) Counts() CacheCounts {
	return CacheCounts{Hits: k.hits.Load(), Misses: k.misses.Load(), Fetched: k.fetched.Load()}
}

// Held is about how many bytes are kept, in memory and on disk.
func (k *Cache) Held() (bytes int64) {
	if k.memory.forms != nil {
		bytes += int64(k.memory.forms.WeightedSize()) //nolint:gosec // bounded by a budget
	}
	for _, d := range []*disk{k.blobs, k.manifests} {
		if d != nil {
			bytes += int64(d.index.WeightedSize()) //nolint:gosec // bounded by a budget
		}
	}
	return bytes
}

// Where says which layer has a blob, or what a recipe made of one, without reading it;
// LayerStore where no cache has.
func (k *Cache) Where(project hosting.ProjectID, digest hosting.Digest, recipe string) Layer {
	id := key{project: project, digest: digest, recipe: recipe}
	if k.memory.has(id) {
		return LayerMemory
	}
	if k.blobs != nil && k.blobs.has(id) {
		return LayerDisk
	}
	return LayerStore
}

// Derive returns what a recipe makes of a blob or file with the digest, made by the function
// at its first use. The recipe's name holds its version: what it makes of a digest never
// changes. It fails as make does; a form that was damaged on disk is made anew.
func (k *Cache) Derive(ctx context.Context, project hosting.ProjectID, digest hosting.Digest, recipe string, make func(context.Context) ([]byte, error)) ([]byte, Layer, error) {
	if b, ok := k.Recall(project, digest, recipe); ok {
		return b, LayerMemory, nil
	}
	return k.fill(ctx, fill{
		key: key{project: project, digest: digest, recipe: recipe}, disk: k.blobs, sealed: true, keep: k.memory.keep,
		read: func(ctx context.Context) ([]byte, Layer, error) {
			b, err := make(ctx)
			return b, LayerMade, err
		},
	})
}
