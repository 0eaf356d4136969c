package deploy

import (
	"strings"
	"unicode"
)

// printableText makes a stranger's text fit to be stored and shown on one line: valid UTF-8,
// printable, of at most limit bytes.
func printableText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if s = strings.TrimSpace(s); len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") // without the rune that was cut
	}
	return s
}
