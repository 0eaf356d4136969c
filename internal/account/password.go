package account

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/seal"
)

// params are what a password's hash costs.
type params argon.Params

// current is what ASVS 5.0 (11.4.2, appendix C) asks of argon2id at least.
var current = params{Memory: 19456, Time: 2, Threads: 1}

const (
	saltSize = 16
	keySize  = argon.KeySize
	// The most that a stored hash may cost: what asks for more was not written by Fairway,
	// and would stop logins, or the machine.
	maxMemory = 1 << 18 // KiB
	maxTime   = 16
	maxKey    = 64 // bytes of a salt or a key
)

// phc is a stored hash: a PHC string in parts.
type phc struct {
	params
	salt, key []byte
}

// newSalt returns a fresh salt.
func newSalt() []byte {
	b := make([]byte, saltSize)
	_, _ = rand.Read(b) // never fails
	return b
}

var phcBase64 = base64.RawStdEncoding.Strict()

// String writes the form that is stored, such as $argon2id$v=19$m=19456,t=2,p=1$salt$key.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.Memory, h.Time, h.Threads, phcBase64.EncodeToString(h.salt), phcBase64.EncodeToString(h.key))
}

// errPHC does not hold the string: it is a secret.
var errPHC = errors.New("a stored password hash cannot be read")

// parsePHC reads what String wrote, and refuses what would cost too much to compare.
func parsePHC(s string) (h phc, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.Memory, &h.Time, &h.Threads); err != nil {
		return phc{}, errPHC
	}
	h.salt, err = phcBase64.DecodeString(parts[4])
	if err != nil {
		return phc{}, errPHC
	}
	h.key, err = phcBase64.DecodeString(parts[5])
	if err != nil || !h.sane() || h.String() != s {
		return phc{}, errPHC
	}
	return h, nil
}

func (h phc) sane() bool {
	return h.Threads >= 1 && h.Threads <= maxTime && h.Time >= 1 && h.Time <= maxTime &&
		h.Memory >= 8*uint32(h.Threads) && h.Memory <= maxMemory &&
		len(h.salt) >= 8 && len(h.salt) <= maxKey && len(h.key) == keySize
}

// dummy is what a password is compared with where there is no hash: it costs as much as any,
// and nobody has the password of it.
func (p params) dummy() phc {
	return phc{params: p, salt: make([]byte, saltSize), key: make([]byte, keySize)}
}

// is reports whether a derived key is the stored one, in constant time.
func (h phc) is(key []byte) bool { return seal.Equal(string(h.key), string(key)) }
