package hosting

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// TeamID names a team; every project belongs to one.
type TeamID string

// DefaultTeam is the team of an installation that knows no people yet; its first owner's own
// team from then on.
const DefaultTeam TeamID = "team_default"

// ProjectID names a project: "prj_" and 128 random bits.
type ProjectID string

// DeploymentID names a deployment: "dpl_" and 128 random bits.
type DeploymentID string

// base32 in lower case: what may stand in a DNS label, a path and a file name alike.
var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewProjectID returns a fresh random id.
func NewProjectID() ProjectID { return ProjectID("prj_" + randomBase32(16)) }

// NewDeploymentID returns a fresh random id.
func NewDeploymentID() DeploymentID { return DeploymentID("dpl_" + randomBase32(16)) }

// NewDeploymentLabel returns the left label of a deployment's own host: "d" and 15 random
// base32 characters (75 bits).
func NewDeploymentLabel() string { return "d" + randomBase32(10)[:15] }

// ValidID reports whether s has the form of an id, whatever its kind. An id is also used
// as a file name and in object keys, so nothing else may pass for one.
func ValidID(s string) bool {
	kind, tail, ok := strings.Cut(s, "_")
	return ok && len(s) >= 5 && len(s) <= 64 && isBase32(kind) && isBase32(tail)
}

func randomBase32(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails: crypto/rand aborts the program instead
	return lowerBase32.EncodeToString(b)
}

func isBase32(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return s != ""
}

// Digest is the SHA-256 of some bytes, and their name everywhere in Fairway.
type Digest [sha256.Size]byte

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads the 64 lower-case hex digits that String writes.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*len(d) || strings.ToLower(s) != s {
		return Digest{}, Errorf(CodeInvalid, "%q is not a SHA-256 digest of 64 lower-case hex digits", clip(s, 80))
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, Errorf(CodeInvalid, "%q is not a SHA-256 digest of 64 lower-case hex digits", clip(s, 80))
	}
	return d, nil
}

// String returns 64 lower-case hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes the hex form; the zero digest is the empty text.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	p, err := ParseDigest(string(b))
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	*d = p
	return nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}
