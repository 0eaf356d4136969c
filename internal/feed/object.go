package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/object"
	"github.com/scale-mesh/fairway/internal/seal"
)

const (
	prefix  = "feed/"
	headKey = prefix + "head"

	// magic begins every signed object. Its number is the version of what follows.
	magic   = "fairway-feed-1 "
	purpose = "feed"

	// maxHead and maxChange bound what is read, in bytes. A change is one value of the state
	// store, and no longer than that.
	maxHead   = 64 << 10
	maxChange = 9 << 20

	// maxSnapshot bounds a snapshot, compressed: some twenty million records.
	maxSnapshot = 2 << 30
)

func changeKey(m hosting.Mark) string { return fmt.Sprintf("%s%d/%020d", prefix, m.Epoch, m.Seq) }

func snapshotKey(m hosting.Mark) string {
	return fmt.Sprintf("%s%d/%s%020d", prefix, m.Epoch, snapshotPrefix, m.Seq)
}

const snapshotPrefix = "snapshot-"

// head is what feed/head holds.
type head struct {
	hosting.Mark
	Snapshot snapshot  `json:"snapshot,omitzero"`
	Written  time.Time `json:"written"` // by the publisher's clock, for people
}

// snapshot names one.
type snapshot struct {
	hosting.Mark
	Size    int64          `json:"size"`
	Digest  hosting.Digest `json:"digest"`
	Records int64          `json:"records"`
}

// errDamaged says that an object of the feed is not what the publisher wrote.
var errDamaged = errors.New("an object of the feed is damaged, or signed by another key")

// sign returns the bytes of a signed object.
func sign(key seal.Key, name string, payload []byte) []byte {
	b := make([]byte, 0, len(magic)+64+len(payload))
	b = append(b, magic...)
	b = append(b, key.Token(purpose, name, string(payload))...)
	b = append(b, '\n')
	return append(b, payload...)
}

// verify returns what one of the keys has signed as the object of that name.
func verify(keys []seal.Key, name string, b []byte) ([]byte, error) {
	line, payload, ok := bytes.Cut(b, []byte{'\n'})
	token, known := strings.CutPrefix(string(line), magic)
	if !ok || !known {
		return nil, fmt.Errorf("%w: %s", errDamaged, name)
	}
	for _, k := range keys {
		if seal.Equal(token, k.Token(purpose, name, string(payload))) {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errDamaged, name)
}

// read returns the payload of a signed object.
func read(ctx context.Context, s object.Store, keys []seal.Key, name string, limit int64) ([]byte, error) {
	body, info, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if info.Size > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes", errDamaged, name, info.Size)
	}
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return verify(keys, name, b)
}

// readHead returns the head that is there now.
func readHead(ctx context.Context, s object.Store, keys []seal.Key) (head, error) {
	payload, err := read(ctx, s, keys, headKey, maxHead)
	if err != nil {
		return head{}, err
	}
	var h head
	if err := json.Unmarshal(payload, &h); err != nil {
		return head{}, fmt.Errorf("%w: %s: %w", errDamaged, headKey, err)
	}
	return h, nil
}

// write stores a signed object.
func write(ctx context.Context, s object.Store, key seal.Key, name string, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	b := sign(key, name, payload)
	return s.Put(ctx, name, bytes.NewReader(b), object.Check{Size: int64(len(b)), Digest: hosting.DigestOf(b)})
}
