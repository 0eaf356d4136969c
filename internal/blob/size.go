package blob

import (
	"context"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Size returns the length of a blob without reading it, or CodeNotFound.
func (s *Store) Size(ctx context.Context, project hosting.ProjectID, digest hosting.Digest) (int64, error) {
	info, err := s.objects.Stat(ctx, contentKey(blobs, project, digest))
	if err != nil {
		return 0, fmt.Errorf("size of blob %s: %w", digest, err)
	}
	return info.Size, nil
}
