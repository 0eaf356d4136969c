package account

import (
	"strings"

	"github.com/scale-mesh/fairway/internal/seal"
)

// An API token's secret is "fwy_", 256 random bits and a checksum, all in lower-case base32:
// so scanners of public code can know one for sure, and a mistyped one costs no look-up.
const (
	tokenPrefix = "fwy_"
	tokenCheck  = 6 // characters: 30 bits
)

// newTokenSecret returns a fresh secret of an API token. It is stored as seal.Hash of the whole.
func newTokenSecret() string {
	s := tokenPrefix + seal.NewToken()
	return s + checksum(s)
}

// checkTokenSecret reports whether s has the form of an API token's secret, checksum included.
func checkTokenSecret(s string) bool {
	n := len(s) - tokenCheck
	return n > len(tokenPrefix) && len(s) < 100 && strings.HasPrefix(s, tokenPrefix) && seal.Equal(checksum(s[:n]), s[n:])
}

func checksum(s string) string { return seal.Hash(s)[:tokenCheck] }
