package feed

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
)

// A snapshot is a zstd stream of lines, each a hosting.Change in JSON of at most a thousand
// records, without a mark.

// maxLine bounds a line of a snapshot, in bytes.
const maxLine = 8 << 20

// Snapshotter calls fn with all records in pieces, and returns the mark they are true at.
type snapshotter interface {
	Snapshot(ctx context.Context, fn func(hosting.Change) error) (hosting.Mark, error)
}

// pack writes a snapshot of src into a file that has no name any more, and describes it. The
// caller closes the file, which stands at its beginning.
func pack(ctx context.Context, src snapshotter, dir string) (_ *os.File, _ snapshot, err error) {
	f, err := nameless(dir)
	if err != nil {
		return nil, snapshot{}, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	sum, size := sha256.New(), counter(0)
	z, err := zstd.NewWriter(io.MultiWriter(f, sum, &size), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, snapshot{}, err
	}
	var s snapshot
	lines := json.NewEncoder(z)
	s.Mark, err = src.Snapshot(ctx, func(c hosting.Change) error {
		s.Records += int64(len(c.Sites) + len(c.Pointers) + len(c.Hosts))
		return lines.Encode(&c)
	})
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, snapshot{}, fmt.Errorf("write a snapshot of routes: %w", err)
	}
	s.Size, s.Digest = int64(size), hosting.Digest(sum.Sum(nil))
	_, err = f.Seek(0, io.SeekStart)
	return f, s, err
}

// counter counts bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// unpack calls fn with the pieces of a snapshot. Nothing of one whose digest is another gets
// as far as that: it is read whole, into a file, before.
func unpack(ctx context.Context, store object.Store, s snapshot, dir string, log *slog.Logger, fn func(hosting.Change) error) error {
	f, err := download(ctx, store, s, dir)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(bufio.NewReaderSize(f, 1<<16), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer z.Close()
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := decode(bytes.Clone(lines.Bytes()), log)
		if err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return nil
}

func download(ctx context.Context, store object.Store, s snapshot, dir string) (_ *os.File, err error) {
	name := snapshotKey(s.Mark)
	if s.Size < 0 || s.Size > maxSnapshot {
		return nil, fmt.Errorf("%w: %s has %d bytes", errDamaged, name, s.Size)
	}
	body, _, err := store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	f, err := nameless(dir)
	if err != nil {
		return nil, err
	}
	err = object.Copy(ctx, f, body, object.Check{Size: s.Size, Digest: s.Digest})
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return f, nil
}

// nameless makes a file that is gone when it is closed, however the process ends.
func nameless(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for snapshots: %w", err)
	}
	f, err := os.CreateTemp(dir, ".tmp-snapshot-*")
	if err != nil {
		return nil, fmt.Errorf("make a file for a snapshot: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
