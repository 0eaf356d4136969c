package domains

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/seal"
)

const (
	purpose = "certificate"

	// maxValue bounds what is read, in bytes. A chain of certificates has some 5,000.
	maxValue = 1 << 20

	stampSize = 8
)

// ErrDamaged says that what is stored under a name is not what was stored there.
var ErrDamaged = errors.New("the stored value is damaged, or sealed under another key")

// value is one that was opened. Sealed it is the time of its storing, then its bytes, bound to
// its name.
type value struct {
	plain    []byte
	modified time.Time
	sealed   []byte
}

func sealValue(ring seal.Ring, name string, plain []byte, at time.Time) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano()))
	return ring.Seal(purpose, name, append(b, plain...))
}

func openValue(ring seal.Ring, name string, sealed []byte) (v value, ok bool) {
	b, err := ring.Open(purpose, name, sealed)
	if err != nil || len(b) < stampSize {
		return value{}, false
	}
	at := time.Unix(0, int64(binary.BigEndian.Uint64(b)))
	return value{plain: b[stampSize:], modified: at, sealed: sealed}, true
}

func damaged(key string) error {
	return fmt.Errorf("%w: %w", ErrDamaged, hosting.Errorf(hosting.CodeMismatch, "%s", key).
		WithHint("restore it from a backup, or delete it: what it held is then ordered anew"))
}

// read returns what a store has under a key.
func read(ctx context.Context, s object.Store, key string) ([]byte, error) {
	body, info, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	if info.Size > maxValue {
		return nil, damaged(key)
	}
	b, err := io.ReadAll(io.LimitReader(body, maxValue+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}

// put stores whole, and durably once the store was flushed.
func put(ctx context.Context, s object.Store, key string, b []byte) error {
	return s.Put(ctx, key, bytes.NewReader(b), object.Check{Size: int64(len(b)), Digest: hosting.DigestOf(b)})
}

// durably does something to a store and flushes it.
func durably(ctx context.Context, s object.Store, do func() error) error {
	if err := do(); err != nil {
		return err
	}
	return object.Flush(ctx, s)
}

// absent is the error of a name that nothing is stored under, and of nothing else.
func absent(name string) error { return fmt.Errorf("%s: %w", name, fs.ErrNotExist) }

// failed says what could not be done. Errors of a store may stem from a file that the store
// itself misses, and must not read as if the name were absent.
func failed(action, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New(err.Error())
	}
	return fmt.Errorf("%s %s: %w", action, name, err)
}
