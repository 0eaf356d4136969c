// Package manifest is the form in which a deployment is stored and served: one flat,
// versioned run of bytes that names every file of a site, where its bytes are, and what is
// shown for a path that has none.
//
// It is searched in place. Opening one checks every bound once, so that no later step can
// fail or read outside it, whoever wrote the bytes; look-ups then need no decoding and no
// allocation. The package does no input or output and relies on hosting alone.
//
// The layout, little-endian throughout:
//
//	header   32 bytes: magic, version, fallback, counts of files and parts, length of the pool
//	records  72 bytes a file, in ascending order of paths: see format.go
//	parts    32 bytes each: the digests of the forms' blobs, in the order of the records
//	pool     the paths in the order of the records, then the content types
//
// A part's size is not stored: each part of a form but the last is hosting.MaxBlob long.
// Nothing in a manifest checks the manifest: its name is its SHA-256.
package manifest
