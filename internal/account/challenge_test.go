package account

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

func TestVerifies_FollowsRFC7636AppendixB(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if err := checkChallenge(challenge); err != nil || !verifies(verifier, challenge) {
		t.Fatal("the vector of the RFC is refused", err)
	}
	of := func(v string) string {
		sum := sha256.Sum256([]byte(v))
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for v, want := range map[string]bool{
		strings.Repeat("a", 42): false, strings.Repeat("a", 43): true, strings.Repeat("~", 128): true, strings.Repeat("a", 129): false,
		verifier[:42] + "+": false, "-._~" + verifier: true, verifier + "\n": false, verifier[:20] + "é" + verifier[20:]: false,
	} {
		if verifies(v, of(v)) != want {
			t.Errorf("%q: %v", v, !want)
		}
		if verifies(v, challenge) {
			t.Errorf("%q has another's challenge", v)
		}
	}
}

func TestCheckChallenge_TakesNothingElse(t *testing.T) {
	const good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for _, c := range []string{
		"", good[:42], good + "A", good + "=", good[:42] + "N", good[:42] + "\n", "+" + good[1:], good[:20] + "\r\n" + good[20:],
	} {
		if checkChallenge(c) == nil {
			t.Errorf("%q is taken for a challenge", c)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
	f.Add("", "")
	f.Add(strings.Repeat("a", 128), strings.Repeat("A", 43))
	form := regexp.MustCompile(`\A[A-Za-z0-9._~-]{43,128}\z`)
	f.Fuzz(func(t *testing.T, verifier, challenge string) {
		sum := sha256.Sum256([]byte(verifier))
		own := base64.RawURLEncoding.EncodeToString(sum[:])
		if checkChallenge(own) != nil {
			t.Fatalf("the challenge of %q is refused", verifier)
		}
		if verifies(verifier, own) != form.MatchString(verifier) {
			t.Fatalf("%q: %v", verifier, verifies(verifier, own))
		}
		if verifies(verifier, challenge) && challenge != own {
			t.Fatalf("%q verifies %q", verifier, challenge)
		}
		if checkChallenge(challenge) == nil {
			if b, err := base64.RawURLEncoding.DecodeString(challenge); err != nil || base64.RawURLEncoding.EncodeToString(b) != challenge || len(b) != 32 {
				t.Fatalf("%q is no SHA-256", challenge)
			}
		}
	})
}
