package manifest

import (
	"iter"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// File is one file of a manifest: a view, cheap to copy. The zero File is none.
type File struct {
	m *Manifest
	i int
}

// IsZero reports whether f is no file.
func (f File) IsZero() bool { return f.m == nil }

// Index is the file's place in the order of paths, from 0 to Len-1.
func (f File) Index() int { return f.i }

// Path is the file's path, without a leading slash.
func (f File) Path() string {
	r := f.record()
	at := u32(r, atPath)
	return f.m.pool[at : at+uint32(u16(r, atPathLen))]
}

// Type is the value of the Content-Type header.
func (f File) Type() string {
	r := f.record()
	at := u32(r, atType)
	return f.m.pool[at : at+uint32(u16(r, atTypeLen))]
}

// Digest is the SHA-256 of the whole content, uncompressed.
func (f File) Digest() hosting.Digest {
	return hosting.Digest(f.record()[atDigest : atDigest+digestSize])
}

// Size is the size of the content, uncompressed.
func (f File) Size() int64 { return int64(u64(f.record(), atSize)) }

// Immutable reports whether the file's name changes with its content, so that whoever has
// it need never ask again.
func (f File) Immutable() bool { return u32(f.record(), atFlags)&flagImmutable != 0 }

// Form returns the stored form of an encoding. Every file has the identity form.
func (f File) Form(encoding string) (Form, bool) {
	r := f.record()
	switch encoding {
	case hosting.EncodingIdentity:
		return Form{f.m, u32(r, atIdentity), int64(u64(r, atSize))}, true
	case hosting.EncodingBrotli:
		size := int64(u64(r, atBrSize))
		return Form{f.m, u32(r, atBrotli), size}, size > 0
	}
	return Form{}, false
}

func (f File) record() []byte {
	at := f.i * recordSize
	return f.m.records[at : at+recordSize : at+recordSize]
}

// Form is one stored form of a file: its bytes are those of its parts, in order.
type Form struct {
	m     *Manifest
	first uint32
	size  int64
}

// Size is the number of bytes in the form.
func (f Form) Size() int64 { return f.size }

// Len is the number of parts; an empty form has none.
func (f Form) Len() int { return int(partsOf(uint64(f.size))) }

// Part returns part i, from 0 to Len-1. Each part but the last is hosting.MaxBlob long.
func (f Form) Part(i int) hosting.BlobRef {
	at := (int(f.first) + i) * digestSize
	return hosting.BlobRef{
		Digest: hosting.Digest(f.m.parts[at : at+digestSize]),
		Size:   min(hosting.MaxBlob, f.size-int64(i)*hosting.MaxBlob),
	}
}

// Described returns the form as an inventory has it.
func (f Form) Described(encoding string) hosting.Form {
	parts := make([]hosting.BlobRef, f.Len())
	for i := range parts {
		parts[i] = f.Part(i)
	}
	return hosting.Form{Encoding: encoding, Size: f.Size(), Parts: parts}
}

// All yields the files in the order of their paths.
func (m *Manifest) All() iter.Seq[File] {
	return func(yield func(File) bool) {
		for i := range m.files {
			if !yield(File{m, i}) {
				return
			}
		}
	}
}

// Find returns the file at a path, which has no leading slash.
func (m *Manifest) Find(path string) (File, bool) { return m.find(path, "") }

// Blobs yields every blob that the manifest names, in the order of the files; one that
// several files share comes several times.
func (m *Manifest) Blobs(yield func(hosting.BlobRef) bool) {
	for f := range m.All() {
		for _, encoding := range [...]string{hosting.EncodingIdentity, hosting.EncodingBrotli} {
			form, _ := f.Form(encoding)
			for i := range form.Len() {
				if !yield(form.Part(i)) {
					return
				}
			}
		}
	}
}
