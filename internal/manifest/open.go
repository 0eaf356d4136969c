package manifest

import (
	"errors"
	"fmt"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Manifest is an opened manifest. It is immutable and may be used concurrently.
type Manifest struct {
	records  []byte
	parts    []byte
	pool     string
	files    int
	bytes    int64
	fallback hosting.Fallback
}

// ErrFormat marks bytes that are no manifest, or of a version that this program does not
// know.
var ErrFormat = errors.New("not a manifest")

// Open checks b whole and returns the manifest in it, which keeps b: the caller no longer
// writes to it. Bytes that Build did not write, from whomever, give an error that wraps
// ErrFormat.
func Open(b []byte) (*Manifest, error) {
	m, err := split(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrFormat, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrFormat, err)
	}
	return m, nil
}

// split finds the sections; their lengths add up to b exactly.
func split(b []byte) (*Manifest, error) {
	if len(b) < headerSize || len(b) > hosting.MaxManifest || string(b[:len(magic)]) != magic {
		return nil, errors.New("no header, or too long")
	}
	if v := u16(b, atVersion); v != version {
		return nil, fmt.Errorf("version %d", v)
	}
	m := &Manifest{fallback: hosting.FallbackNone}
	switch b[atFallback] {
	case byteFallbackNone:
	case byteFallbackSPA:
		m.fallback = hosting.FallbackSPA
	default:
		return nil, fmt.Errorf("fallback %d", b[atFallback])
	}
	files, parts, pool := uint64(u32(b, atFiles)), uint64(u32(b, atParts)), uint64(u32(b, atPool))
	if files > maxFiles {
		return nil, fmt.Errorf("%d files", files)
	}
	atParts := headerSize + files*recordSize
	atPool := atParts + parts*uint64(digestSize)
	if atPool+pool != uint64(len(b)) {
		return nil, errors.New("sections do not add up")
	}
	m.files = int(files)
	m.records = b[headerSize:atParts:atParts]
	m.parts = b[atParts:atPool:atPool]
	// The pool is copied once, so that paths and types are strings without a copy at
	// each look-up.
	m.pool = string(b[atPool:])
	return m, nil
}

// check walks the records. Paths and parts follow each other without gaps or overlaps, so
// a hostile manifest cannot describe more than its own size.
func (m *Manifest) check() error {
	var nextPath, nextPart uint64
	last, kind := "", ""
	for i := range m.files {
		f := File{m, i}
		r := f.record()
		path, pathLen := uint64(u32(r, atPath)), uint64(u16(r, atPathLen))
		if path != nextPath || path+pathLen > uint64(len(m.pool)) {
			return fmt.Errorf("path of file %d is out of place", i)
		}
		nextPath += pathLen
		if p := f.Path(); p <= last || hosting.CheckFilePath(p) != nil {
			return fmt.Errorf("path of file %d is out of order or cannot be published", i)
		}
		last = f.Path()
		if !f.hasType(kind) { // else it was looked at: most files are of a few types
			if err := f.checkType(); err != nil {
				return fmt.Errorf("type of file %d: %w", i, err)
			}
			kind = f.Type()
		}
		var err error
		if nextPart, err = f.checkParts(nextPart); err != nil {
			return fmt.Errorf("parts of file %d: %w", i, err)
		}
		m.bytes += f.Size()
	}
	if nextPart != uint64(len(m.parts)/digestSize) {
		return errors.New("parts that no file has")
	}
	return nil
}

// hasType reports whether the file's type is, byte for byte, one that was checked.
func (f File) hasType(checked string) bool {
	at, n := uint64(u32(f.record(), atType)), uint64(u16(f.record(), atTypeLen))
	return n == uint64(len(checked)) && n > 0 && at+n <= uint64(len(f.m.pool)) && f.m.pool[at:at+n] == checked
}

// checkType bounds the content type and refuses what could break out of a header.
func (f File) checkType() error {
	at, n := uint64(u32(f.record(), atType)), uint64(u16(f.record(), atTypeLen))
	if n == 0 || n > maxType || at+n > uint64(len(f.m.pool)) {
		return errors.New("out of place")
	}
	for _, c := range []byte(f.Type()) {
		if c < ' ' || c > '~' {
			return errors.New("not printable")
		}
	}
	return nil
}

// checkParts checks that the file's forms have the parts from next on and returns what
// follows them.
func (f File) checkParts(next uint64) (uint64, error) {
	r, have := f.record(), uint64(len(f.m.parts)/digestSize)
	if flags := u32(r, atFlags); flags&^flagImmutable != 0 {
		return 0, fmt.Errorf("flags %x", flags)
	}
	for _, form := range [...]struct{ first, size uint64 }{
		{uint64(u32(r, atIdentity)), u64(r, atSize)},
		{uint64(u32(r, atBrotli)), u64(r, atBrSize)},
	} {
		// Compared as sizes before it is divided: partsOf would overflow for the largest.
		if form.first != next || form.size > (have-next)*hosting.MaxBlob {
			return 0, errors.New("out of place")
		}
		next += partsOf(form.size)
	}
	return next, nil
}

// Len is the number of files.
func (m *Manifest) Len() int { return m.files }

// Bytes is the size of all files, uncompressed.
func (m *Manifest) Bytes() int64 { return m.bytes }

// Fallback says what is shown for a path that has no file.
func (m *Manifest) Fallback() hosting.Fallback { return m.fallback }

// Footprint is about how much memory the manifest holds, in bytes.
func (m *Manifest) Footprint() int64 {
	return int64(headerSize + len(m.records) + len(m.parts) + 2*len(m.pool))
}
