package oidc

import (
	"cmp"
	"strings"
)

// claims are what is read of an ID token, and of the user info, beside what the verifier reads.
type claims struct {
	Party    string `json:"azp"`
	Email    string `json:"email"`
	Verified truth  `json:"email_verified"`
	Name     string `json:"name"`
	Nick     string `json:"preferred_username"`
}

func (c claims) name() string { return cmp.Or(c.Name, c.Nick) }

// truth is a boolean that some issuers write as text.
type truth bool

// UnmarshalJSON reads true, "true" and takes everything else for false.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = strings.Trim(string(b), `"`) == "true"
	return nil
}

// withoutQuery cuts an address off at its query, which an authorization endpoint may have.
func withoutQuery(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}
