package object

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Presigner is implemented by stores to which others can upload by themselves, without the
// store's keys. All methods may be called concurrently.
type Presigner interface {
	// PresignPut returns the one request that stores a body under key: exactly the bytes that
	// check describes, while life lasts, and only where nothing is stored yet. The size is 1 at
	// least, and the digest is mandatory. The service answers 2xx, or 412 where an object is
	// there already. ErrNotPresigned says that the body has to come by Put.
	PresignPut(ctx context.Context, key string, check Check, life time.Duration) (Upload, error)
	// Probe finds out what the service refuses, by uploads below "probe/", which it removes.
	// Only after it has found that everything of Enforced holds, PresignPut signs anything. An
	// error says that nothing was found out and that it may be repeated, but for
	// ErrNotPresigned: the store was told to sign nothing.
	Probe(ctx context.Context) (Enforced, error)
}

// ErrNotPresigned says that a store signs no uploads: its service does not refuse what it
// should, was not probed yet, or the operator wants it so.
var ErrNotPresigned = errors.New("uploads to the object store are not presigned")

// Upload is a request that PresignPut made: a PUT to URL with the Headers, the body and its
// Content-Length. Whoever has it can make it, so it is a secret while it lives.
type Upload struct {
	URL     string
	Headers map[string]string
}

// String says where it leads, without what makes it a secret.
func (u Upload) String() string {
	where, _, _ := strings.Cut(u.URL, "?")
	return "PUT " + where
}

// Enforced says what a probe has found out about presigned uploads.
type Enforced struct {
	Taken  bool // what was signed is stored
	Bytes  bool // other bytes of the same length are refused
	Length bool // longer and shorter bodies are refused
	Once   bool // the same upload is refused with 412 when it comes again
}

// All reports whether uploads may be presigned.
func (e Enforced) All() bool { return e.Taken && e.Bytes && e.Length && e.Once }

// String is for the log.
func (e Enforced) String() string {
	if !e.Taken {
		return "it refuses the right bytes"
	}
	says := func(holds bool) string { return map[bool]string{true: "refused", false: "not refused"}[holds] }
	return fmt.Sprintf("other bytes are %s, other lengths %s, repetitions %s", says(e.Bytes), says(e.Length), says(e.Once))
}
