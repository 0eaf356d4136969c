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
const maxKnown = 2_000_000

// known remembers what manifests name, so that asking for what is missing in several requests
// opens each manifest once.
type known struct {
	blobs Blobs

	mu    sync.Mutex // guards what follows
	named map[hosting.Digest]named
	order []hosting.Digest // of named, the oldest first
	total int
}

// named is what a manifest names.
type named struct {
	refs  []hosting.BlobRef               // sorted by digest
	forms map[hosting.Digest]hosting.Form // the compressed ones, by the digest of the whole file
}

// size is what it counts for.
func (n named) size() int { return 1 + len(n.refs) + 4*len(n.forms) }

func newKnown(blobs Blobs) *known {
	return &known{blobs: blobs, named: make(map[hosting.Digest]named)}
}

// of returns what a manifest names, and remembers it.
func (k *known) of(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) (named, error) {
	n, err := k.read(ctx, project, digest)
	if err == nil {
		k.keep(digest, n)
	}
	return n, err
}

// read is of for whoever reads many old manifests, which must not displace those in use.
func (k *known) read(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) (named, error) {
	k.mu.Lock()
	n, ok := k.named[digest]
	k.mu.Unlock()
	if ok {
		return n, nil
	}
	b, err := k.blobs.GetManifest(ctx, project, digest)
	if err != nil {
		return named{}, err
	}
	m, err := manifest.Open(b)
	if err != nil {
		return named{}, err
	}
	return namedBy(m), nil
}

func namedBy(m *manifest.Manifest) named {
	n := named{forms: make(map[hosting.Digest]hosting.Form)}
	for ref := range m.Blobs {
		n.refs = append(n.refs, ref)
	}
	slices.SortFunc(n.refs, compareRefs)
	n.refs = slices.Clip(slices.Compact(n.refs))
	for f := range m.All() {
		form, ok := f.Form(hosting.EncodingBrotli)
		if !ok {
			continue
		}
		if d := form.Described(hosting.EncodingBrotli); len(d.Parts) <= maxFormParts {
			n.forms[f.Digest()] = d
		}
	}
	return n
}

func (k *known) keep(digest hosting.Digest, n named) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.named[digest]; ok {
		return
	}
	k.named[digest], k.order, k.total = n, append(k.order, digest), k.total+n.size()
	for k.total > maxKnown && len(k.order) > 1 {
		oldest := k.order[0]
		k.total -= k.named[oldest].size()
		delete(k.named, oldest)
		k.order = slices.Delete(k.order, 0, 1)
	}
}

func compareRefs(a, b hosting.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) }

// stored is what the project's newest manifests say to be there.
type stored struct {
	all   []named
	built []named // of those that were built for production
}

// has reports whether one of the manifests names a blob, which therefore is stored.
func (s stored) has(ref hosting.BlobRef) bool {
	for _, n := range s.all {
		if i, ok := slices.BinarySearchFunc(n.refs, ref, compareRefs); ok && n.refs[i].Size == ref.Size {
			return true
		}
	}
	return false
}

// form returns the compressed form that a file of some content has. Nobody but who made it knows
// that it holds the same content; so it is believed of builds for production alone, in which the
// builder makes it: neither of previews, nor of who brings finished files.
func (s stored) form(file hosting.Digest) (hosting.Form, bool) {
	for _, n := range s.built {
		if form, ok := n.forms[file]; ok {
			return form, true
		}
	}
	return hosting.Form{}, false
}

// storedBy returns what the project's newest manifests name.
func (s *Service) storedBy(ctx context.Context, run state.Run) (stored, error) {
	var newest []newManifest
	err := s.cfg.DB.View(ctx, func(tx state.Tx) (err error) {
		newest, err = s.newestManifests(tx, run)
		return err
	})
	if err != nil {
		return stored{}, err
	}
	var found stored
	for _, m := range newest {
		n, err := s.known.of(ctx, run.Project, m.digest)
		if hosting.Is(err, hosting.CodeUnavailable) || ctx.Err() != nil {
			return stored{}, fmt.Errorf("read manifest %s: %w", m.digest, err)
		}
		if err != nil { // its blobs are taken for absent, and come again
			s.log.Error("a published manifest cannot be read", "project", run.Project, "manifest", m.digest, "error", err)
			continue
		}
		found.all = append(found.all, n)
		if m.built {
			found.built = append(found.built, n)
		}
	}
	return found, nil
}

// newManifest is one of a project's newest.
type newManifest struct {
	digest hosting.Digest
	built  bool // a deployment that was built for production has it
}

// newestManifests returns the manifests of the project's newest READY deployments. It does
// not look far behind a long row of failures: what it misses is uploaded again.
func (s *Service) newestManifests(tx state.Tx, run state.Run) (newest []newManifest, err error) {
	rows, _, err := s.team(run.Team).Deployments.ListBy(tx, "project", state.K(string(run.Project), ""), "", pageOfRows)
	if err != nil {
		return nil, fmt.Errorf("list deployments: %w", err)
	}
	for i := range rows {
		d := &rows[i]
		if d.Status != hosting.StatusReady {
			continue
		}
		at := slices.IndexFunc(newest, func(m newManifest) bool { return m.digest == d.Manifest })
		if at < 0 {
			if len(newest) == knownManifests {
				break
			}
			at, newest = len(newest), append(newest, newManifest{digest: d.Manifest})
		}
		newest[at].built = newest[at].built || d.Target == hosting.TargetProduction && d.Source.Kind != hosting.SourceFiles
	}
	return newest, nil
}
