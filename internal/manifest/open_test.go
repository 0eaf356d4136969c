package manifest_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// small is a manifest of three files whose fields are at known places: header 32, records
// of 72, four parts.
func small(t testing.TB) []byte {
	return build(t, manifest.Content{Files: []hosting.File{
		withBrotli(file("a.html", "aaaa"), 2), file("b/index.html", "bb"), file("c.txt", "c"),
	}})
}

func TestOpen_RefusesWhatBuildDidNotWrite(t *testing.T) {
	const record, path = 32, 32 + 3*72 + 4*32
	put16 := func(at int, v uint16) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint16(b[at:], v); return b }
	}
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
	}
	put64 := func(at int, v uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b }
	}
	cases := map[string]func([]byte) []byte{
		"nothing":                        func([]byte) []byte { return nil },
		"half a header":                  func(b []byte) []byte { return b[:20] },
		"another magic":                  put32(0, 7),
		"a later version":                put16(4, 2),
		"an unknown fallback":            put16(6, 9),
		"one file more":                  put32(8, 4),
		"as many files as fit a uint32":  put32(8, 1<<32-1),
		"one part less":                  put32(12, 3),
		"as many parts as fit a uint32":  put32(12, 1<<32-1),
		"a longer pool":                  put32(16, 1<<31),
		"a byte cut off":                 func(b []byte) []byte { return b[:len(b)-1] },
		"a byte too many":                func(b []byte) []byte { return append(b, 0) },
		"more than a manifest may have":  func(b []byte) []byte { return append(b, make([]byte, hosting.MaxManifest)...) },
		"a path beyond the pool":         put32(record, 1<<30),
		"a path longer than the pool":    put16(record+4, 1<<16-1),
		"paths that overlap":             put32(record+72, 0),
		"an empty path":                  put16(record+4, 0),
		"a path that climbs":             func(b []byte) []byte { copy(b[path:], "../"); return b },
		"paths out of order":             func(b []byte) []byte { b[path] = 'z'; return b },
		"no type":                        put16(record+6, 0),
		"a type longer than any":         put16(record+6, 129),
		"a type beyond the pool":         put32(record+8, 1<<32-1),
		"a type that ends its header":    func(b []byte) []byte { b[len(b)-1] = '\n'; return b },
		"an unknown flag":                put32(record+12, 2),
		"a size without parts":           put64(record+16, 1<<20+1),
		"the largest size":               put64(record+16, 1<<64-1),
		"no size, but a part":            put64(record+16, 0),
		"identity parts out of place":    put32(record+56, 1),
		"br parts out of place":          put32(record+60, 0),
		"br parts that are another's":    put64(record+64, 4<<20),
		"the largest br size":            put64(record+64, 1<<64-1),
		"identity parts beyond the last": put32(record+2*72+56, 1<<32-1),
	}
	if _, err := manifest.Open(small(t)); err != nil {
		t.Fatalf("the manifest that the cases spoil: %v", err)
	}
	for name, spoil := range cases {
		if _, err := manifest.Open(spoil(slices.Clone(small(t)))); !errors.Is(err, manifest.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpen_KeepsTheImmutableFlag(t *testing.T) {
	b := small(t)
	binary.LittleEndian.PutUint32(b[32+12:], 1)
	m := open(t, b)
	a, _ := m.Find("a.html")
	c, _ := m.Find("c.txt")
	if !a.Immutable() || c.Immutable() {
		t.Errorf("a %v, c %v", a.Immutable(), c.Immutable())
	}
}

func FuzzOpen(f *testing.F) {
	valid := small(f)
	f.Add(valid, 0, uint32(0))
	f.Add([]byte("FWMF\x01"), 5, uint32(1<<31))
	for at := 0; at < len(valid); at += 4 {
		f.Add(valid, at, uint32(1<<32-1))
	}
	f.Add(build(f, manifest.Content{Fallback: hosting.FallbackSPA}), 8, uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, at int, v uint32) {
		if at >= 0 && at+4 <= len(b) && v != 0 {
			b = slices.Clone(b)
			binary.LittleEndian.PutUint32(b[at:], v)
		}
		m, err := manifest.Open(b)
		if err != nil {
			return
		}
		touch(t, m)
	})
}

// touch reads all that a manifest offers.
func touch(t *testing.T, m *manifest.Manifest) {
	n, blobs := 0, 0
	for f := range m.All() {
		n++
		if got, ok := m.Find(f.Path()); !ok || got != f {
			t.Errorf("%q is listed and not found", f.Path())
		}
		for _, p := range []string{"/" + f.Path(), "/" + f.Path() + "/", f.Path() + "/x"} {
			checkAnswer(t, m, p)
		}
		_, _, _ = f.Type(), f.Digest(), f.Size()
	}
	for ref := range m.Blobs {
		blobs++
		if ref.Size < 1 || ref.Size > hosting.MaxBlob {
			t.Errorf("a blob of %d bytes", ref.Size)
		}
	}
	if n != m.Len() || int64(blobs)*32 > m.Footprint() {
		t.Errorf("%d files of %d, %d blobs in %d bytes", n, m.Len(), blobs, m.Footprint())
	}
}
