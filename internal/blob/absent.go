package blob

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// listedFrom is how many blobs must be looked for: fewer are soon asked for by themselves, and a
	// project mostly has many times as many.
	listedFrom = 250
	listPage   = 1000
	// listSpan is how many blobs are looked for by one listing, and the next ones if it does not
	// reach them all: fewer than a page, since a project mostly has some others between them.
	listSpan = 800
	// minListed is how many blobs a page must show to be worth its price: a LIST costs as much as
	// 12 HEADs at AWS, and takes as long as a few.
	minListed      = 20
	parallelLists  = 16
	parallelChecks = 64
)

// Absent returns those of the blobs that are not stored, or not in the size that ref says, in the
// order of their digests.
//
// Many are found by listings, a thousand by each. Only that a blob is there is believed of a
// listing: what none shows is asked for by itself.
func (s *Store) Absent(ctx context.Context, project hosting.ProjectID, refs []hosting.BlobRef) ([]hosting.BlobRef, error) {
	if !hosting.ValidID(string(project)) {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%q is no project's id", project)
	}
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b hosting.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	if len(refs) >= listedFrom {
		var err error
		refs, err = each(ctx, parallelLists, slices.Collect(slices.Chunk(refs, listSpan)), func(ctx context.Context, span []hosting.BlobRef) ([]hosting.BlobRef, error) {
			return s.unlisted(ctx, project, span)
		})
		if err != nil {
			return nil, err
		}
	}
	return each(ctx, parallelChecks, refs, func(ctx context.Context, ref hosting.BlobRef) ([]hosting.BlobRef, error) {
		info, err := s.objects.Stat(ctx, contentKey(blobs, project, ref.Digest))
		switch {
		case hosting.Is(err, hosting.CodeNotFound), err == nil && info.Size != ref.Size:
			return []hosting.BlobRef{ref}, nil
		case err != nil:
			return nil, fmt.Errorf("look for blob %s: %w", ref.Digest, err)
		}
		return nil, nil
	})
}

// each calls do for every item, so many at once, and returns what the calls return, in the order of the
// items.
func each[T, R any](ctx context.Context, parallel int, items []T, do func(context.Context, T) ([]R, error)) ([]R, error) {
	found := make([][]R, len(items))
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i, item := range items {
		if working.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			found[i], err = do(working, item)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return slices.Concat(found...), nil
}

// unlisted returns those of the refs, sorted, that no listing shows in their size. It ends to list
// where that finds too few.
func (s *Store) unlisted(ctx context.Context, project hosting.ProjectID, refs []hosting.BlobRef) (left []hosting.BlobRef, err error) {
	for len(refs) >= minListed {
		// One character less: no key lies between, but the blob's own.
		first := contentKey(blobs, project, refs[0].Digest)
		infos, err := s.objects.List(ctx, projectKey(blobs, project, ""), first[:len(first)-1], listPage)
		if err != nil {
			return nil, fmt.Errorf("list blobs: %w", err)
		}
		sizes := make(map[string]int64, len(infos))
		for _, info := range infos {
			sizes[info.Key] = info.Size
		}
		seen, passed := 0, 0
		for _, ref := range refs {
			key := contentKey(blobs, project, ref.Digest)
			if len(infos) == 0 || key > infos[len(infos)-1].Key {
				break
			}
			passed++
			if size, ok := sizes[key]; ok && size == ref.Size {
				seen++
			} else {
				left = append(left, ref)
			}
		}
		refs = refs[passed:]
		if seen < minListed || len(infos) < listPage {
			break
		}
	}
	return append(left, refs...), nil
}
