package hosting

import (
	"net/mail"
	"strings"
	"testing"
)

func TestCheckEmail_TakesPlainAddressesAlone(t *testing.T) {
	for in, ok := range map[string]bool{
		"ann@example.com":                        true,
		"a@b":                                    true,
		"ann.smith+fairway@mail.example.co.uk":   true,
		"o'brien@xn--bcher-kva.example":          true,
		strings.Repeat("a", 64) + "@example.com": true,
		strings.Repeat("a", 65) + "@example.com": false,
		"a@" + strings.Repeat("b.", 130) + "c":   false,
		"":                                       false,
		"ann":                                    false,
		"@example.com":                           false,
		"ann@":                                   false,
		"ann@@example.com":                       false,
		"ann@example..com":                       false,
		"ann@-example.com":                       false,
		".ann@example.com":                       false,
		"a..b@example.com":                       false,
		"ann smith@example.com":                  false,
		"ann@example.com\r\nbcc: bob@example.com":    false,
		"<ann@example.com>":                          false,
		"\"ann\"@example.com":                        false,
		"ann@[127.0.0.1]":                            false,
		"ann@exam\u212Ale.com":                       false,
		"bücher@example.com":                         false,
		"Ann@example.com":                            false, // not as NormalEmail makes it
		"ann@example.com,bob@example.com":            false,
		"ann@example.com\x00":                        false,
		"ann@" + strings.Repeat("a", 64) + ".com":    false,
		"ann\xff@example.com":                        false,
		"ann@" + strings.Repeat("a.", 123) + "comm":  true,
		"ann@" + strings.Repeat("a.", 123) + "comms": false,
	} {
		if err := CheckEmail(in); (err == nil) != ok {
			t.Errorf("CheckEmail(%q) = %v, want ok %v", in, err, ok)
		}
	}
}

func TestNormalEmail_LowersASCIIAlone(t *testing.T) {
	for in, want := range map[string]string{
		" Ann@Example.COM\n": "ann@example.com",
		"ann@example.com":    "ann@example.com",
		"\u212Aate@x.test":   "\u212Aate@x.test", // the Kelvin sign is no k
		"":                   "",
	} {
		if got := NormalEmail(in); got != want {
			t.Errorf("NormalEmail(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCheckPersonName_TakesWhatCanBeShownOnOneLine(t *testing.T) {
	for in, ok := range map[string]bool{
		"Ann": true, "Ann Smith": true, "李小龍": true, strings.Repeat("ä", 100): true,
		"": false, " Ann": false, "Ann\n": false, "a\x1b[31m": false, "a\u202Eb": false, "a\xff": false, strings.Repeat("ä", 101): false,
	} {
		if err := CheckPersonName(in); (err == nil) != ok {
			t.Errorf("CheckPersonName(%q) = %v, want ok %v", in, err, ok)
		}
	}
}

func FuzzCheckEmail(f *testing.F) {
	for _, s := range []string{"ann@example.com", " A.B+c@D.test ", "a@b", "a@b\nc: d", "\"a b\"@c", "a@[::1]", "\u212A@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := NormalEmail(s)
		if NormalEmail(n) != n {
			t.Fatalf("NormalEmail is not stable for %q", s)
		}
		if CheckEmail(n) != nil {
			return
		}
		if strings.ContainsAny(n, " \r\n\t\x00<>,;:\"()[]\\") || strings.ToLower(n) != n || len(n) > MaxEmail {
			t.Fatalf("%q was taken", n)
		}
		if a, err := mail.ParseAddress(n); err != nil || a.Address != n {
			t.Fatalf("%q does not read as itself in a header: %v, %v", n, a, err)
		}
	})
}
