package objecttest

import (
	"bytes"
	"context"
	"io"

	"github.com/scale-mesh/fairway/internal/object"
)

// Get opens an object, or lies about it. Info tells the size of what is stored, but for a
// stale body, which is whole.
func (f *Faulty) Get(ctx context.Context, key string) (io.ReadCloser, object.Info, error) {
	at, err := f.begin(ctx, "get", key, &f.calls.Get)
	if err != nil {
		return nil, object.Info{}, err
	}
	r, info, err := f.store.Get(ctx, key)
	if err != nil {
		return nil, object.Info{}, err
	}
	tell, counter := f.lie(at)
	if tell == nil {
		return r, info, nil
	}
	defer r.Close()
	honest, err := io.ReadAll(r)
	if err != nil {
		return nil, object.Info{}, err
	}
	told := tell(key, at, honest)
	if !bytes.Equal(told, honest) {
		f.count(counter)
	}
	if counter == &f.calls.Stale {
		info.Size = int64(len(told))
	}
	return io.NopCloser(bytes.NewReader(told)), info, nil
}

// lie chooses one of the lies, or none, and the counter of those that were told.
func (f *Faulty) lie(at fate) (tell func(key string, at fate, b []byte) []byte, counter *int) {
	for _, l := range []struct {
		share   float64
		tell    func(string, fate, []byte) []byte
		counter *int
	}{
		{at.Short, short, &f.calls.Short}, {at.Long, long, &f.calls.Long}, {at.Wrong, wrong, &f.calls.Wrong}, {at.Stale, f.stale, &f.calls.Stale},
	} {
		// Of what is left by those before, so that each has its share of all.
		if at.roll < l.share {
			return l.tell, l.counter
		}
		at.roll -= l.share
	}
	return nil, nil
}

func short(_ string, at fate, b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	return b[:at.dice.IntN(len(b))]
}

func long(_ string, at fate, b []byte) []byte {
	return append(b, make([]byte, 1+at.dice.IntN(1000))...)
}

func wrong(_ string, at fate, b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) > 0 {
		b[at.dice.IntN(len(b))] ^= 1 << at.dice.IntN(8)
	}
	return b
}

func (f *Faulty) stale(key string, _ fate, b []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.bodies[key][1]; old != nil {
		return old
	}
	return b
}
