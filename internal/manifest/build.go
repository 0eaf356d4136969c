package manifest

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Content is what a manifest is made of.
type Content struct {
	Files    []hosting.File // in any order
	Fallback hosting.Fallback
}

// Build writes the manifest of c. The same content gives the same bytes, whatever the order
// of its files and forms. Its errors are CodeInvalid and CodeTooLarge, and name the file.
func Build(c Content) ([]byte, error) {
	fallback, err := fallbackByte(c.Fallback)
	if err != nil {
		return nil, err
	}
	if len(c.Files) > maxFiles {
		return nil, hosting.Errorf(hosting.CodeTooLarge, "the site has %d files", len(c.Files)).
			WithHint("a site has at most %d", maxFiles)
	}
	files, err := checkFiles(c.Files)
	if err != nil {
		return nil, err
	}
	w, err := newWriter(files)
	if err != nil {
		return nil, err
	}
	for i := range files {
		w.add(&files[i])
	}
	w.finish(fallback)
	return w.b, nil
}

func fallbackByte(f hosting.Fallback) (byte, error) {
	switch f {
	case "", hosting.FallbackNone:
		return byteFallbackNone, nil
	case hosting.FallbackSPA:
		return byteFallbackSPA, nil
	}
	return 0, hosting.Errorf(hosting.CodeInvalid, "the fallback %q is not known", f).WithHint("use none or spa")
}

// content is a file that passed its checks.
type content struct {
	path     string
	kind     string // content type
	digest   hosting.Digest
	flags    uint32
	identity form
	brotli   form // of size 0 where there is none
}

type form struct {
	size  uint64
	parts []hosting.BlobRef // none for an empty form
}

// checkFiles returns the files checked and in ascending order of their paths.
func checkFiles(in []hosting.File) ([]content, error) {
	files := make([]content, len(in))
	for i := range in {
		f, err := checkFile(&in[i])
		if err != nil {
			return nil, err
		}
		files[i] = f
	}
	slices.SortFunc(files, func(a, b content) int { return strings.Compare(a.path, b.path) })
	for i := 1; i < len(files); i++ {
		if files[i].path == files[i-1].path {
			return nil, hosting.Errorf(hosting.CodeInvalid, "the file %q is there twice", files[i].path)
		}
	}
	return files, nil
}

// writer fills a manifest whose exact size was found beforehand.
type writer struct {
	b       []byte
	records int // offset of the next record
	parts   int // offset of the next part
	pool    int // offset of the next path
	first   uint32
	base    int // offset of the pool
	types   map[string]uint32
}

func newWriter(files []content) (*writer, error) {
	parts, paths, kinds := 0, 0, 0
	types := make(map[string]uint32)
	for i := range files {
		f := &files[i]
		parts += len(f.identity.parts) + len(f.brotli.parts)
		paths += len(f.path)
	}
	for i := range files {
		if _, seen := types[files[i].kind]; !seen {
			types[files[i].kind] = uint32(paths + kinds)
			kinds += len(files[i].kind)
		}
	}
	base := headerSize + len(files)*recordSize + parts*digestSize
	size := base + paths + kinds
	if size > hosting.MaxManifest {
		return nil, hosting.Errorf(hosting.CodeTooLarge, "the site's list of files takes %d bytes", size).
			WithHint("at most %d: publish fewer files or shorter names", hosting.MaxManifest)
	}
	w := &writer{
		b: make([]byte, size), records: headerSize, parts: headerSize + len(files)*recordSize,
		pool: base, base: base, types: types,
	}
	for kind, at := range types {
		copy(w.b[base+int(at):], kind)
	}
	binary.LittleEndian.PutUint32(w.b[atFiles:], uint32(len(files)))
	binary.LittleEndian.PutUint32(w.b[atParts:], uint32(parts))
	binary.LittleEndian.PutUint32(w.b[atPool:], uint32(paths+kinds))
	return w, nil
}

func (w *writer) add(f *content) {
	le, r := binary.LittleEndian, w.b[w.records:w.records+recordSize]
	le.PutUint32(r[atPath:], uint32(w.pool-w.base))
	le.PutUint16(r[atPathLen:], uint16(len(f.path)))
	le.PutUint16(r[atTypeLen:], uint16(len(f.kind)))
	le.PutUint32(r[atType:], w.types[f.kind])
	le.PutUint32(r[atFlags:], f.flags)
	le.PutUint64(r[atSize:], f.identity.size)
	copy(r[atDigest:], f.digest[:])
	le.PutUint32(r[atIdentity:], w.addParts(f.identity))
	le.PutUint32(r[atBrotli:], w.addParts(f.brotli))
	le.PutUint64(r[atBrSize:], f.brotli.size)
	w.records += recordSize
	w.pool += copy(w.b[w.pool:], f.path)
}

// addParts returns the number of the form's first part.
func (w *writer) addParts(f form) uint32 {
	first := w.first
	for _, p := range f.parts {
		w.parts += copy(w.b[w.parts:], p.Digest[:])
		w.first++
	}
	return first
}

func (w *writer) finish(fallback byte) {
	copy(w.b, magic)
	binary.LittleEndian.PutUint16(w.b[atVersion:], version)
	w.b[atFallback] = fallback
}
