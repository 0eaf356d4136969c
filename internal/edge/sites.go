package edge

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

const (
	// loadTimeout ends a load that its store does not: all who ask for the site wait for it.
	loadTimeout = 10 * time.Second
	// failureAge is how long a manifest that could not be opened is not asked for again, so
	// that one bad record does not become a request to the store for every visitor.
	failureAge  = time.Second
	maxFailures = 1024
)

// sites keeps opened manifests, the least recently used of which go when there are too many
// bytes of them. A project's manifest is kept apart from the same one of another project,
// whose blobs are not its own.
type sites struct {
	manifests Manifests
	limit     int64
	now       func() time.Time
	loads     singleflight.Group

	mu     sync.Mutex // guards all below
	byKey  map[siteKey]*list.Element
	recent *list.List // of *site, the most recently used first
	used   int64
	failed map[siteKey]failure
}

type siteKey struct {
	project  hosting.ProjectID
	manifest hosting.Digest
}

type failure struct {
	err   error
	until time.Time
}

func newSites(m Manifests, limit int64, now func() time.Time) *sites {
	return &sites{
		manifests: m, limit: limit, now: now,
		byKey: make(map[siteKey]*list.Element), recent: list.New(), failed: make(map[siteKey]failure),
	}
}

// open returns the manifest or trail of a project that has the digest.
func (s *sites) open(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) (*site, error) {
	key := siteKey{project, digest}
	if kept, ok := s.kept(key); ok {
		return kept, nil
	}
	if err := s.failure(key); err != nil {
		return nil, err
	}
	// Whoever comes first loads for all; that this visitor leaves must not fail the others.
	ctx = context.WithoutCancel(ctx)
	v, err, _ := s.loads.Do(string(key.project)+"/"+string(key.manifest[:]), func() (any, error) {
		return s.load(ctx, key)
	})
	if err != nil {
		return nil, err
	}
	return v.(*site), nil
}

func (s *sites) load(ctx context.Context, key siteKey) (*site, error) {
	// Another load may have ended between this one's look-up and its beginning.
	if kept, ok := s.kept(key); ok {
		return kept, nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	opened, err := s.read(ctx, key)
	if err != nil {
		s.fail(key, err)
		return nil, err
	}
	s.keep(opened)
	return opened, nil
}

func (s *sites) read(ctx context.Context, key siteKey) (*site, error) {
	b, err := s.manifests.GetManifest(ctx, key.project, key.manifest)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", key.manifest, err)
	}
	if manifest.IsTrail(b) {
		t, err := manifest.OpenTrail(b)
		if err != nil {
			return nil, fmt.Errorf("open trail %s: %w", key.manifest, err)
		}
		opened := newSite(key, t.Manifest, s.grow)
		opened.trail = t
		return opened, nil
	}
	m, err := manifest.Open(b)
	if err != nil {
		return nil, fmt.Errorf("open manifest %s: %w", key.manifest, err)
	}
	return newSite(key, m, s.grow), nil
}

func (s *sites) kept(key siteKey) (*site, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byKey[key]
	if !ok {
		return nil, false
	}
	s.recent.MoveToFront(e)
	return e.Value.(*site), true
}

func (s *sites) keep(opened *site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byKey[opened.key] = s.recent.PushFront(opened)
	s.used += opened.size
	s.evict()
}

// grow accounts for n more bytes of a site, if it is still kept.
func (s *sites) grow(grown *site, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.byKey[grown.key]; !ok || e.Value.(*site) != grown {
		return
	}
	grown.size += n
	s.used += n
	s.evict()
}

// evict drops what was not used for longest. One site always stays, so that a limit below
// its size cannot make every request load it.
func (s *sites) evict() {
	for s.used > s.limit && s.recent.Len() > 1 {
		oldest := s.recent.Remove(s.recent.Back()).(*site)
		delete(s.byKey, oldest.key)
		s.used -= oldest.size
	}
}

func (s *sites) failure(key siteKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.failed[key]
	if ok && !s.now().Before(f.until) {
		delete(s.failed, key)
		return nil
	}
	return f.err
}

func (s *sites) fail(key siteKey, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failed) >= maxFailures {
		clear(s.failed)
	}
	s.failed[key] = failure{err, s.now().Add(failureAge)}
}

// site is an opened manifest with the headers of the files that were asked for.
type site struct {
	*manifest.Manifest
	trail      *manifest.Trail // whose manifest it is; nil where it is a deployment's
	key        siteKey
	size       int64 // guarded by sites.mu
	grow       func(*site, int64)
	files      []atomic.Pointer[fileHeaders] // by File.Index
	deployment atomic.Pointer[deploymentHeader]
}

// deploymentHeader is the value of X-Fairway-Deployment. Deployments with equal content
// share a manifest, so it is not the manifest's.
type deploymentHeader struct {
	id    hosting.DeploymentID
	value []string
}

func newSite(key siteKey, m *manifest.Manifest, grow func(*site, int64)) *site {
	const pointer = 8
	return &site{
		Manifest: m, key: key, size: m.Footprint() + pointer*int64(m.Len()), grow: grow,
		files: make([]atomic.Pointer[fileHeaders], m.Len()),
	}
}

// headers returns the file's header values, made at its first use.
func (t *site) headers(f manifest.File) *fileHeaders {
	p := &t.files[f.Index()]
	if h := p.Load(); h != nil {
		return h
	}
	h := newFileHeaders(f)
	if !p.CompareAndSwap(nil, h) {
		return p.Load()
	}
	t.grow(t, fileHeadersSize)
	return h
}

func (t *site) deploymentValue(id hosting.DeploymentID) []string {
	d := t.deployment.Load()
	if d == nil || d.id != id {
		d = &deploymentHeader{id, fixed(string(id))}
		t.deployment.Store(d)
	}
	return d.value
}
