package platform

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/pause"
)

// probeEvery is how soon an object store is probed again that was away.
const probeEvery = 30 * time.Second

// probeUploads finds out in the background whether uploads may go to the object store past
// control. Until it is known, and for good where the store takes what it should refuse, they
// come by the API.
func probeUploads(ctx context.Context, objects object.Presigner, log *slog.Logger) error {
	for {
		found, err := objects.Probe(ctx)
		switch {
		case errors.Is(err, object.ErrNotPresigned):
			return nil // the operator knows
		case err == nil && found.All():
			log.Info("uploads go to the object store by presigned addresses")
			return nil
		case err == nil:
			log.Warn("uploads go through the API: the object store does not hold presigned ones to what was signed", "found", found.String())
			return nil
		case ctx.Err() == nil:
			log.Info("uploads go through the API: the object store could not be probed, which is tried again", "error", err)
		}
		if pause.For(ctx, probeEvery) != nil {
			return nil
		}
	}
}
