package manifest

import (
	"encoding/binary"

	"github.com/scale-mesh/fairway/internal/hosting"
)

const (
	magic      = "FWMF"
	version    = 1
	headerSize = 32
	recordSize = 72
	digestSize = len(hosting.Digest{})

	// maxFiles bounds the records whatever the limits of a deployment say: what is
	// checked when a manifest is made is checked again when it is opened.
	maxFiles = 100_000
	// maxType bounds a content type, so that checking the types of a hostile manifest
	// whose records all share one long run of the pool stays cheap.
	maxType = 128
)

// Offsets in the header. Bytes not named are zero.
const (
	atVersion  = 4  // uint16
	atFallback = 6  // uint8
	atFiles    = 8  // uint32
	atParts    = 12 // uint32
	atPool     = 16 // uint32
)

// Offsets in a record.
const (
	atPath     = 0  // uint32, in the pool
	atPathLen  = 4  // uint16
	atTypeLen  = 6  // uint16
	atType     = 8  // uint32, in the pool
	atFlags    = 12 // uint32
	atSize     = 16 // uint64, of the identity form
	atDigest   = 24 // 32 bytes, of the whole content
	atIdentity = 56 // uint32, first part of the identity form
	atBrotli   = 60 // uint32, first part of the br form
	atBrSize   = 64 // uint64, 0 where there is no br form
)

// flagImmutable marks a file whose name changes with its content.
const flagImmutable = 1

// The fallback byte.
const (
	byteFallbackNone = 0
	byteFallbackSPA  = 1
)

// partsOf is how many blobs hold size bytes.
func partsOf(size uint64) uint64 { return (size + hosting.MaxBlob - 1) / hosting.MaxBlob }

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
