// Package object is the contract of Fairway's byte store: named objects, written whole,
// read whole or as a stream. A folder and an S3 bucket satisfy it alike.
//
// Keys are "/"-separated segments of letters, digits, ".", "_" and "-" (see CheckKey).
// Callers name objects so that no two writers ever put different bytes under one key,
// except where a single writer owns the key; the store therefore needs no versions and no
// conditional writes to be correct.
package object

import (
	"context"
	"io"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Store keeps objects. All methods may be called concurrently.
//
// Errors carry a hosting.Code: CodeNotFound for an absent key, CodeMismatch for a body that
// is not what its Check says, CodeStorageFull when there is no space, CodeUnavailable when
// the store cannot be reached. After any error from Put the key holds either what it held
// before or the whole new body, never a part.
type Store interface {
	// Get opens an object. The caller closes the reader. Its bytes are as stored: who needs
	// them to be right verifies their digest.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// Put stores body whole under key, replacing what is there. It is safe to repeat.
	Put(ctx context.Context, key string, body io.Reader, check Check) error
	// Stat tells whether an object is there, and its size.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes an object; an absent one is no error.
	Delete(ctx context.Context, key string) error
	// List returns up to limit objects whose keys have the prefix and are greater than
	// after, in ascending order of keys.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)
}

// Flusher is implemented by stores whose Put does not outlive a power cut by itself. What
// was put before Flush was called is durable when it returns.
type Flusher interface {
	Flush(ctx context.Context) error
}

// Flush makes what was put into s durable, if s needs that.
func Flush(ctx context.Context, s Store) error {
	if f, ok := s.(Flusher); ok {
		return f.Flush(ctx)
	}
	return nil
}

// Info describes an object.
type Info struct {
	Key  string
	Size int64
}

// Check is what a body must be for Put to accept it. Size is mandatory and exact; Digest is
// compared where it is not zero.
type Check struct {
	Size   int64
	Digest hosting.Digest
}

// MaxKey is the longest key, in bytes.
const MaxKey = 512

// CheckKey says whether key is well formed. Every store refuses others with CodeInvalid.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return hosting.Errorf(hosting.CodeInvalid, "an object's key has 1 to %d bytes", MaxKey)
	}
	for seg := range strings.SplitSeq(key, "/") {
		if seg == "" || seg == "." || seg == ".." || strings.HasPrefix(seg, ".tmp") {
			return hosting.Errorf(hosting.CodeInvalid, "the object key %q has a segment that no key may have", key)
		}
		for _, c := range []byte(seg) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
				return hosting.Errorf(hosting.CodeInvalid, "the object key %q holds a character that no key may have", key)
			}
		}
	}
	return nil
}
