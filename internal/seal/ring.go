package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
)

// Ring seals what is stored under the platform's key, and opens what was sealed under it or
// under a key before it. It is immutable and safe for concurrent use.
//
// A sealed value is version 1, the first 8 bytes of the SHA-256 of a value derived from the
// key, a random nonce of 96 bits and the ciphertext of AES-256-GCM (NIST SP 800-38D), whose
// key is derived by HKDF (RFC 5869) for one purpose. The context (whose value it is) is
// authenticated with it, so that a value moved to another row does not open there.
type Ring struct{ keys []Key }

// NewRing returns a ring that seals under the first key, and opens under it and the others.
func NewRing(current Key, old ...Key) Ring { return Ring{append([]Key{current}, old...)} }

// Current returns the key that the ring seals under.
func (r Ring) Current() Key { return r.keys[0] }

// Keys returns the key that the ring seals under, and those that it opens under besides.
func (r Ring) Keys() []Key { return slices.Clone(r.keys) }

const (
	sealVersion = 1
	nameSize    = 8
	nonceSize   = 12
	headSize    = 1 + nameSize + nonceSize
	tagSize     = 16
)

// Overhead is how much longer a sealed value is than the value, in bytes.
const Overhead = headSize + tagSize

// ErrSealed is why Open fails: the value was damaged, moved, or sealed under a key that the
// ring does not have.
var ErrSealed = errors.New("the sealed value does not open under any key there is")

// Seal encrypts plain for one purpose, bound to its context.
func (r Ring) Seal(purpose, context string, plain []byte) []byte {
	k := r.keys[0]
	out := make([]byte, headSize, headSize+len(plain)+tagSize)
	out[0] = sealVersion
	copy(out[1:], k.name())
	nonce := out[1+nameSize : headSize]
	_, _ = rand.Read(nonce) // never fails
	return k.aead(purpose).Seal(out, nonce, plain, []byte(context))
}

// Open decrypts what Seal made with the same purpose and context, or fails with ErrSealed.
func (r Ring) Open(purpose, context string, sealed []byte) ([]byte, error) {
	if len(sealed) < headSize || sealed[0] != sealVersion {
		return nil, ErrSealed
	}
	for _, k := range r.keys {
		if string(k.name()) != string(sealed[1:1+nameSize]) {
			continue
		}
		plain, err := k.aead(purpose).Open(nil, sealed[1+nameSize:headSize], sealed[headSize:], []byte(context))
		if err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}

// Stale reports whether a value should be sealed anew, since it is under an old key.
func (r Ring) Stale(sealed []byte) bool {
	return len(sealed) >= headSize && string(sealed[1:1+nameSize]) != string(r.keys[0].name())
}

// name tells keys apart and says nothing about them.
func (k Key) name() []byte {
	sum := sha256.Sum256(k.derive("name"))
	return sum[:nameSize]
}

func (k Key) aead(purpose string) cipher.AEAD {
	block, err := aes.NewCipher(k.derive("seal " + purpose))
	if err != nil {
		panic("seal: " + err.Error()) // only for other key sizes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("seal: " + err.Error()) // only for other block sizes
	}
	return aead
}

func (k Key) derive(purpose string) []byte {
	sub, err := hkdf.Key(sha256.New, k.b[:], nil, "fairway "+purpose, KeySize)
	if err != nil {
		panic("seal: " + err.Error()) // only for lengths that HKDF cannot make
	}
	return sub
}

// Hash is how a secret of at least 128 random bits is stored: its SHA-256. A password is not
// such a secret.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return encoding.EncodeToString(sum[:])
}
