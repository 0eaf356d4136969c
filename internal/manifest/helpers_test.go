package manifest_test

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// file is a file whose content is text.
func file(path, text string) hosting.File {
	d, n := hosting.DigestOf([]byte(text)), int64(len(text))
	return hosting.File{Path: path, Digest: d, Size: n, Forms: []hosting.Form{
		{Encoding: hosting.EncodingIdentity, Size: n, Parts: []hosting.BlobRef{{Digest: d, Size: n}}},
	}}
}

// withBrotli adds a br form of size bytes to f.
func withBrotli(f hosting.File, size int64) hosting.File {
	f.Forms = append(f.Forms, hosting.Form{Encoding: hosting.EncodingBrotli, Size: size, Parts: parts(size)})
	return f
}

// large is a file of several parts.
func large(path string, size int64) hosting.File {
	return hosting.File{Path: path, Digest: hosting.DigestOf([]byte(path)), Size: size, Forms: []hosting.Form{
		{Encoding: hosting.EncodingIdentity, Size: size, Parts: parts(size)},
	}}
}

func parts(size int64) []hosting.BlobRef {
	var refs []hosting.BlobRef
	for left := size; left > 0; left -= hosting.MaxBlob {
		n := min(left, hosting.MaxBlob)
		refs = append(refs, hosting.BlobRef{Digest: hosting.DigestOf([]byte(strings.Repeat("p", len(refs)+int(size%7)+1))), Size: n})
	}
	return refs
}

func build(t testing.TB, c manifest.Content) []byte {
	t.Helper()
	b, err := manifest.Build(c)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return b
}

func open(t testing.TB, b []byte) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Open(b)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return m
}

// site is a manifest of small files at the paths.
func site(t testing.TB, fallback hosting.Fallback, paths ...string) *manifest.Manifest {
	t.Helper()
	c := manifest.Content{Fallback: fallback}
	for _, p := range paths {
		c.Files = append(c.Files, file(p, "content of "+p))
	}
	return open(t, build(t, c))
}
