package blob

import (
	"context"
	"errors"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// fill is one read of what is not in memory.
type fill struct {
	key
	disk    *disk                                            // looked at first, and written to; nil: none
	sealed  bool                                             // the file on disk carries its own sum: the name does not tell its bytes
	bounded bool                                             // the read is one of the source, of which there are maxFills at once
	read    func(ctx context.Context) ([]byte, Layer, error) // from the source
	keep    func(key, []byte) (kept bool)
}

type filled struct {
	b    []byte
	from Layer
}

var errSlow = hosting.Errorf(hosting.CodeUnavailable, "the content is still being fetched")

// fill runs f once for all who want the same, and waits for it as long as a visitor would.
func (k *Cache) fill(ctx context.Context, f fill) ([]byte, Layer, error) {
	if err := k.absent.get(f.key); err != nil {
		return nil, "", err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case r := <-k.flight.DoChan(f.key.String(), func() (any, error) { return k.run(f) }):
		if r.Err != nil {
			return nil, "", r.Err
		}
		v := r.Val.(filled)
		return v.b, v.from, nil
	case <-timer.C:
		return nil, "", errSlow
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
}

// run is the fill itself. That a visitor leaves does not end it.
func (k *Cache) run(f fill) (filled, error) {
	if !k.begin() {
		return filled{}, hosting.Errorf(hosting.CodeUnavailable, "the cache is closed")
	}
	defer k.running.Done()
	if f.disk != nil {
		if b, ok := f.disk.read(f.key, f.sealed); ok {
			f.keep(f.key, b) // or it is read from disk again
			k.hits.Add(1)
			return filled{b, LayerDisk}, nil
		}
	}
	ctx, cancel := context.WithTimeout(k.life, fillTimeout)
	defer cancel()
	if f.bounded {
		select {
		case k.fills <- struct{}{}:
			defer func() { <-k.fills }()
		case <-ctx.Done():
			return filled{}, hosting.Errorf(hosting.CodeUnavailable, "too much content is being fetched")
		}
	}
	b, from, err := f.read(ctx)
	switch {
	case hosting.Is(err, hosting.CodeNotFound):
		k.absent.note(f.key, err)
		return filled{}, err
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return filled{}, hosting.Errorf(hosting.CodeUnavailable, "the content was not fetched within %s: %v", fillTimeout, err)
	case err != nil:
		return filled{}, err
	}
	k.misses.Add(1)
	if from == LayerStore {
		k.fetched.Add(int64(len(b)))
	}
	kept := f.keep(f.key, b)
	switch {
	case f.disk == nil:
	case kept:
		// Who waits has it, and who comes next finds it in memory.
		k.goes(func() { f.disk.write(f.key, f.sealed, b) })
	default:
		f.disk.write(f.key, f.sealed, b)
	}
	return filled{b, from}, nil
}
