package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
	"github.com/scale-mesh/fairway/internal/object"
)

// move is what a trail is made for: a pointer that showed a manifest, with a trail of its own
// or none, and is to show another.
type move struct {
	project         hosting.ProjectID
	from, trail, to hosting.Digest
}

// needsTrail ends a transaction whose trail has to be written first: objects are not written
// while it holds the store. update writes it, and runs the transaction again.
type needsTrail struct{ move }

func (needsTrail) Error() string { return "the trail of a pointer has to be written first" }

// maxTrails is how many trails one transaction may need: more than one only where the pointer
// moves again and again between them.
const maxTrails = 10

// trail returns what the pointer's trail is once it shows another manifest.
func (c *change) trail(old hosting.Pointer, to hosting.Digest) (hosting.Digest, error) {
	if old.Manifest.IsZero() || old.Manifest == to {
		return old.Trail, nil
	}
	m := move{old.Project, old.Manifest, old.Trail, to}
	digest, ok := c.trails[m]
	if !ok {
		return digest, needsTrail{m}
	}
	return digest, nil
}

// writeTrail writes the trail of a move and returns its digest. A roll back must not fail
// because of it: where it cannot be made the pointer keeps the one it has, and pages of what it
// showed last may miss their files.
func (s *Service) writeTrail(ctx context.Context, m move) hosting.Digest {
	digest, err := s.makeTrail(ctx, m)
	if err != nil {
		s.log.Warn("pages that are open now may miss files after this deployment", "project", m.project, "error", err)
		return m.trail
	}
	return digest
}

func (s *Service) makeTrail(ctx context.Context, m move) (digest hosting.Digest, err error) {
	from, err := s.openManifest(ctx, m.project, m.from)
	if err != nil {
		return digest, err
	}
	to, err := s.openManifest(ctx, m.project, m.to)
	if err != nil {
		return digest, err
	}
	var old *manifest.Trail
	if !m.trail.IsZero() {
		// One that cannot be read is not carried on for ever.
		if old, err = s.openTrail(ctx, m.project, m.trail); hosting.Is(err, hosting.CodeUnavailable) {
			return digest, err
		}
	}
	b, err := manifest.BuildTrail(old, from, to, s.now())
	if err != nil || b == nil {
		return digest, err
	}
	if digest, err = s.cfg.Blobs.PutManifest(ctx, m.project, b); err != nil {
		return digest, fmt.Errorf("store the trail: %w", err)
	}
	return digest, object.Flush(ctx, s.cfg.Objects)
}

func (s *Service) openManifest(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) (*manifest.Manifest, error) {
	b, err := s.cfg.Blobs.GetManifest(ctx, project, digest)
	if err != nil {
		return nil, err
	}
	return manifest.Open(b)
}

func (s *Service) openTrail(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) (*manifest.Trail, error) {
	b, err := s.cfg.Blobs.GetManifest(ctx, project, digest)
	if err != nil {
		return nil, err
	}
	return manifest.OpenTrail(b)
}

// withTrails runs a transaction, and again once it has the trail that it needs.
func (s *Service) withTrails(ctx context.Context, run func(trails map[move]hosting.Digest) error) error {
	trails := map[move]hosting.Digest{}
	for {
		err := run(trails)
		needs, ok := errors.AsType[needsTrail](err)
		if !ok {
			return err
		}
		if len(trails) == maxTrails {
			return hosting.Errorf(hosting.CodeUnavailable, "the site is published by too many at once").WithHint("try again in a moment")
		}
		trails[needs.move] = s.writeTrail(ctx, needs.move)
	}
}
