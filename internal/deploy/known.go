package deploy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
	"github.com/scale-mesh/fairway/internal/state"
)

// maxKnown bounds what known keeps, in blobs of 40 bytes.
const maxKnown = 1_000_000

// known remembers which blobs manifests name, so that asking for what is missing in several
// requests opens each manifest once.
type known struct {
	blobs Blobs

	mu    sync.Mutex // guards what follows
	refs  map[hosting.Digest][]hosting.BlobRef
	order []hosting.Digest // of refs, the oldest first
	total int
}

func newKnown(blobs Blobs) *known {
	return &known{blobs: blobs, refs: make(map[hosting.Digest][]hosting.BlobRef)}
}

// of returns the blobs that a manifest names, sorted by digest, and remembers them.
func (k *known) of(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]hosting.BlobRef, error) {
	refs, err := k.read(ctx, project, digest)
	if err == nil {
		k.keep(digest, refs)
	}
	return refs, err
}

// read is of for whoever reads many old manifests, which must not displace those in use.
func (k *known) read(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) ([]hosting.BlobRef, error) {
	k.mu.Lock()
	refs, ok := k.refs[digest]
	k.mu.Unlock()
	if ok {
		return refs, nil
	}
	b, err := k.blobs.GetManifest(ctx, project, digest)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Open(b)
	if err != nil {
		return nil, err
	}
	for ref := range m.Blobs {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, compareRefs)
	return slices.Clip(slices.Compact(refs)), nil
}

func (k *known) keep(digest hosting.Digest, refs []hosting.BlobRef) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.refs[digest]; ok {
		return
	}
	k.refs[digest], k.order, k.total = refs, append(k.order, digest), k.total+len(refs)+1
	for k.total > maxKnown && len(k.order) > 1 {
		oldest := k.order[0]
		k.total -= len(k.refs[oldest]) + 1
		delete(k.refs, oldest)
		k.order = slices.Delete(k.order, 0, 1)
	}
}

func compareRefs(a, b hosting.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) }

// storedBy returns a predicate: whether one of the project's newest manifests names a blob,
// which therefore is stored.
func (s *Service) storedBy(ctx context.Context, run state.Run) (func(hosting.BlobRef) bool, error) {
	var digests []hosting.Digest
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		digests, err = s.newestManifests(tx, run)
		return err
	})
	if err != nil {
		return nil, err
	}
	var lists [][]hosting.BlobRef
	for _, d := range digests {
		refs, err := s.known.of(ctx, run.Project, d)
		if hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil {
			return nil, fmt.Errorf("read manifest %s: %w", d, err)
		}
		if err != nil { // its blobs are taken for absent, and come again
			s.log.Error("a published manifest cannot be read", "project", run.Project, "manifest", d, "error", err)
			continue
		}
		lists = append(lists, refs)
	}
	return func(ref hosting.BlobRef) bool {
		for _, refs := range lists {
			if i, ok := slices.BinarySearchFunc(refs, ref, compareRefs); ok && refs[i].Size == ref.Size {
				return true
			}
		}
		return false
	}, nil
}

// newestManifests returns the manifests of the project's newest READY deployments. It does
// not look far behind a long row of failures: what it misses is uploaded again.
func (s *Service) newestManifests(tx state.Tx, run state.Run) ([]hosting.Digest, error) {
	rows, _, err := s.team(run.Team).Deployments.ListBy(tx, "project", state.K(string(run.Project), ""), "", pageOfRows)
	if err != nil {
		return nil, fmt.Errorf("list deployments: %w", err)
	}
	var digests []hosting.Digest
	for i := range rows {
		d := &rows[i]
		if d.Status != hosting.StatusReady || slices.Contains(digests, d.Manifest) {
			continue
		}
		if digests = append(digests, d.Manifest); len(digests) == knownManifests {
			break
		}
	}
	return digests, nil
}
