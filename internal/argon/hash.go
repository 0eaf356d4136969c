package argon

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Recommended is what ASVS 5.0 (11.4.2, appendix C) asks of argon2id at least.
var Recommended = Params{Memory: 19456, Time: 2, Threads: 1}

const (
	saltSize = 16
	// The most that a stored hash may cost: what asks for more was not written by Fairway,
	// and would stop logins, or the machine.
	maxMemory = 1 << 18 // KiB
	maxTime   = 16
	maxKey    = 64 // bytes of a salt or a key
)

// Hash is a stored hash: a PHC string in parts.
type Hash struct {
	Params
	Salt, Key []byte
}

// NewSalt returns a fresh salt.
func NewSalt() []byte {
	b := make([]byte, saltSize)
	_, _ = rand.Read(b) // never fails
	return b
}

var phcBase64 = base64.RawStdEncoding.Strict()

// String writes the form that is stored, such as $argon2id$v=19$m=19456,t=2,p=1$salt$key.
func (h Hash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.Memory, h.Time, h.Threads, phcBase64.EncodeToString(h.Salt), phcBase64.EncodeToString(h.Key))
}

// errPHC does not hold the string: it is a secret.
var errPHC = errors.New("a stored password hash cannot be read")

// Parse reads what String wrote, and refuses what would cost too much to compare.
func Parse(s string) (h Hash, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return Hash{}, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.Memory, &h.Time, &h.Threads); err != nil {
		return Hash{}, errPHC
	}
	h.Salt, err = phcBase64.DecodeString(parts[4])
	if err != nil {
		return Hash{}, errPHC
	}
	h.Key, err = phcBase64.DecodeString(parts[5])
	if err != nil || !h.sane() || h.String() != s {
		return Hash{}, errPHC
	}
	return h, nil
}

func (h Hash) sane() bool {
	return h.Threads >= 1 && h.Threads <= maxTime && h.Time >= 1 && h.Time <= maxTime &&
		h.Memory >= 8*uint32(h.Threads) && h.Memory <= maxMemory &&
		len(h.Salt) >= 8 && len(h.Salt) <= maxKey && len(h.Key) == KeySize
}

// Dummy is what a password is compared with where there is no hash: it costs as much as any,
// and nobody has the password of it.
func (p Params) Dummy() Hash {
	return Hash{Params: p, Salt: make([]byte, saltSize), Key: make([]byte, KeySize)}
}

// Is reports whether a derived key is the stored one, in constant time.
func (h Hash) Is(key []byte) bool { return subtle.ConstantTimeCompare(h.Key, key) == 1 }
