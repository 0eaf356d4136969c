package hosting

import (
	"strings"
	"unicode/utf8"
)

// The longest address, and the longest part before its "@", in bytes (RFC 5321, 4.5.3.1).
const (
	MaxEmail = 254
	maxLocal = 64
)

// NormalEmail is the one spelling under which an address is stored and compared: without
// spaces around it, in lower case. Only ASCII letters are lowered, since other letters that
// Unicode lowers to ASCII (such as the Kelvin sign) would make two people's addresses one.
func NormalEmail(s string) string {
	b := []byte(strings.TrimSpace(s))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// CheckEmail says whether s, as NormalEmail made it, can be somebody's address: a dot-atom in
// ASCII, "@" and a domain. Such an address needs no quoting in a mail's header.
func CheckEmail(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > MaxEmail || !isDotAtom(local) || !isDomain(domain) || NormalEmail(s) != s {
		return Errorf(CodeInvalid, "%q is no e-mail address", clip(strings.ToValidUTF8(s, "?"), 80)).
			WithHint("write it as name@example.com, in ASCII letters")
	}
	return nil
}

// CheckPersonName says whether a person, or a team, can be called so.
func CheckPersonName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 100 || !printable(name) || strings.TrimSpace(name) != name {
		return Errorf(CodeInvalid, "a name has 1 to 100 printable characters").WithHint("leave out line breaks, and spaces at the ends")
	}
	return nil
}

// isDotAtom reports whether s is a dot-atom of RFC 5322, 3.2.3, of a length that a local part
// may have.
func isDotAtom(s string) bool {
	if s == "" || len(s) > maxLocal || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", rune(c)) {
			return false
		}
	}
	return true
}

// isDomain reports whether s is labels of letters, digits and inner hyphens. One label is
// enough: an installation's own network may have no more.
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
