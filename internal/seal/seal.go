// Package seal holds the platform's key and what is derived from it. It relies on the
// standard library alone and keeps nothing but the key in memory.
package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// KeySize is the length of a key, in bytes.
const KeySize = 32

// Key is the platform's one secret; everything else is derived from it. It is safe for
// concurrent use, since it never changes.
type Key struct{ b [KeySize]byte }

// OpenFile reads the key from a file of KeySize bytes, mode 0600; if there is none it makes
// one and syncs it before it returns.
func OpenFile(path string) (Key, error) {
	k, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	return k, err
}

// ReadFile reads the key from a file that has to be there.
func ReadFile(path string) (Key, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("read the key: %w", err)
	}
	k, err := parse(b)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w: restore the file, or delete it: the next start makes another, and ends the builds that run", path, err)
	}
	return k, nil
}

// FromText reads a key from base32 text, as an environment variable holds it.
func FromText(s string) (Key, error) {
	b, err := encoding.DecodeString(strings.TrimRight(strings.ToLower(strings.TrimSpace(s)), "="))
	if err != nil {
		return Key{}, errors.New("the key is not base32 text of 32 bytes")
	}
	return parse(b)
}

// Derive returns a key for one purpose, from which this one cannot be learned.
func (k Key) Derive(purpose string) Key { return Key{[KeySize]byte(k.derive("key " + purpose))} }

// WriteFile writes the key where ReadFile finds it, with mode 0600.
func (k Key) WriteFile(path string) error {
	if err := WriteSecret(path, k.b[:]); err != nil {
		return fmt.Errorf("write a key: %w", err)
	}
	return nil
}

// Token derives a token that authorizes one thing: the same purpose and parts always give
// the same token, and nobody without the key can make it.
func (k Key) Token(purpose string, parts ...string) string {
	mac := hmac.New(sha256.New, k.derive(purpose))
	for _, p := range parts {
		// The length first, so that no two lists of parts read alike.
		mac.Write([]byte(strconv.Itoa(len(p)) + ":" + p))
	}
	return encoding.EncodeToString(mac.Sum(nil))
}

// Equal compares two tokens in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// NewToken returns a random token of 256 bits.
func NewToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return encoding.EncodeToString(b[:])
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func parse(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, fmt.Errorf("the key has %d bytes, not %d", len(b), KeySize)
	}
	return Key{[KeySize]byte(b)}, nil
}

func create(path string) (Key, error) {
	var k Key
	_, _ = rand.Read(k.b[:]) // never fails
	if err := WriteSecret(path, k.b[:]); err != nil {
		return Key{}, fmt.Errorf("make the key: %w", err)
	}
	return k, nil
}

// WriteSecret writes a file that only its owner can read, whole and synced or not at all.
func WriteSecret(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
