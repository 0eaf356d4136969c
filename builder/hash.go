package builder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// part says where the bytes of a blob are.
type part struct {
	file   string // path in the output folder; empty for one that the formStore holds
	offset int64
	size   int64
}

// hasher reads one file after the other, for their digests and their parts.
type hasher struct {
	root  *os.Root
	parts map[hosting.Digest]part
	buf   []byte // for one blob
}

func (h *hasher) file(ctx context.Context, name string) (hosting.File, error) {
	// The walk saw a regular file; a process that survived may have put a fifo in its place.
	f, err := h.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return hosting.File{}, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	before, err := f.Stat()
	if err != nil {
		return hosting.File{}, fmt.Errorf("look at %s: %w", name, err)
	}
	if !before.Mode().IsRegular() {
		return hosting.File{}, changed(name)
	}
	file, err := h.read(ctx, f, name, before.Size())
	if err != nil {
		return hosting.File{}, err
	}
	after, err := f.Stat()
	if err != nil {
		return hosting.File{}, fmt.Errorf("look at %s: %w", name, err)
	}
	if after.Size() != file.Size || file.Size != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return hosting.File{}, changed(name)
	}
	return file, nil
}

func changed(name string) error {
	return fail(hosting.FailOutputInvalid, "%s changed while it was read: the build must have ended when its command returns", name)
}

// read hashes the content, of a file that is no larger than a blob once.
func (h *hasher) read(ctx context.Context, r io.Reader, name string, size int64) (hosting.File, error) {
	identity := hosting.Form{Encoding: hosting.EncodingIdentity, Parts: []hosting.BlobRef{}}
	whole := sha256.New()
	buf := h.buf[:min(max(size, 1), hosting.MaxBlob)]
	for {
		if ctx.Err() != nil {
			return hosting.File{}, context.Cause(ctx)
		}
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			ref := hosting.BlobRef{Digest: hosting.DigestOf(buf[:n]), Size: int64(n)}
			h.parts[ref.Digest] = part{file: name, offset: identity.Size, size: ref.Size}
			identity.Parts = append(identity.Parts, ref)
			identity.Size += ref.Size
			if size > hosting.MaxBlob {
				_, _ = whole.Write(buf[:n]) // a hash never fails
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || identity.Size > size {
			break
		}
		if err != nil {
			return hosting.File{}, fmt.Errorf("read %s: %w", name, err)
		}
	}
	file := hosting.File{Path: name, Size: identity.Size, Forms: []hosting.Form{identity}}
	if len(identity.Parts) == 1 {
		file.Digest = identity.Parts[0].Digest
	} else {
		whole.Sum(file.Digest[:0])
	}
	return file, nil
}
