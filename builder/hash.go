package builder

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/andybalholm/brotli"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	// brotliLevel 5 has nearly the ratio of 9 at three times the speed; 11 is 60 times slower.
	brotliLevel = 5
	minBrotli   = 1 << 10
	// maxBrotli bounds memory. Text files above it are rare, and rarely fetched whole.
	maxBrotli = 16 << 20
)

// part says where the bytes of a blob are.
type part struct {
	file   string // path in the output folder; empty for one that the formStore holds
	offset int64
	size   int64
}

// hasher reads one file: once, for its digest, its parts and its compressed form together.
type hasher struct {
	root  *os.Root
	store *formStore
	parts map[hosting.Digest]part
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
	file, packed, err := h.read(ctx, f, name, before.Size())
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
	if packed != nil && int64(packed.Len())*10 <= file.Size*9 {
		form, err := h.keep(packed.Bytes())
		if err != nil {
			return hosting.File{}, err
		}
		file.Forms = append(file.Forms, form)
	}
	return file, nil
}

func changed(name string) error {
	return fail(hosting.FailOutputInvalid, "%s changed while it was read: the build must have ended when its command returns", name)
}

// read hashes the content; packed is nil where compressing is not tried.
func (h *hasher) read(ctx context.Context, r io.Reader, name string, size int64) (hosting.File, *bytes.Buffer, error) {
	identity := hosting.Form{Encoding: hosting.EncodingIdentity, Parts: []hosting.BlobRef{}}
	whole := sha256.New()
	var packed *bytes.Buffer
	var packer *brotli.Writer
	if isText(name) && size >= minBrotli && size <= maxBrotli {
		packed = new(bytes.Buffer)
		packer = brotli.NewWriterLevel(packed, brotliLevel)
	}
	buf := make([]byte, min(max(size, 1), hosting.MaxBlob))
	for {
		if ctx.Err() != nil {
			return hosting.File{}, nil, context.Cause(ctx)
		}
		n, err := io.ReadFull(r, buf)
		if n > 0 {
			ref := hosting.BlobRef{Digest: hosting.DigestOf(buf[:n]), Size: int64(n)}
			h.parts[ref.Digest] = part{file: name, offset: identity.Size, size: ref.Size}
			identity.Parts = append(identity.Parts, ref)
			identity.Size += ref.Size
			_, _ = whole.Write(buf[:n]) // a hash never fails
			if packer != nil {
				_, _ = packer.Write(buf[:n]) // nor does a buffer
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || identity.Size > size {
			break
		}
		if err != nil {
			return hosting.File{}, nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	if packer != nil {
		_ = packer.Close()
	}
	file := hosting.File{Path: name, Size: identity.Size, Forms: []hosting.Form{identity}}
	whole.Sum(file.Digest[:0])
	return file, packed, nil
}

// keep stores a compressed form's parts.
func (h *hasher) keep(b []byte) (hosting.Form, error) {
	form := hosting.Form{Encoding: hosting.EncodingBrotli, Size: int64(len(b))}
	for len(b) > 0 {
		n := min(len(b), hosting.MaxBlob)
		ref := hosting.BlobRef{Digest: hosting.DigestOf(b[:n]), Size: int64(n)}
		if err := h.store.put(ref.Digest, b[:n]); err != nil {
			return hosting.Form{}, err
		}
		h.parts[ref.Digest] = part{size: ref.Size}
		form.Parts = append(form.Parts, ref)
		b = b[n:]
	}
	return form, nil
}

// isText reports whether files of that name are made of text, or shrink like it.
func isText(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm", ".xhtml", ".css", ".js", ".mjs", ".cjs", ".json", ".map", ".webmanifest", ".geojson",
		".svg", ".xml", ".rss", ".atom", ".txt", ".md", ".csv", ".tsv", ".vtt", ".srt", ".ics", ".yaml", ".yml",
		".toml", ".ts", ".tsx", ".jsx", ".wasm", ".ttf", ".otf", ".eot", ".ico", ".bmp", ".gltf", ".obj", ".glsl":
		return true
	}
	return false
}
