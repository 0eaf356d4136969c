package deploy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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

// sentence is an error as a reason: with a capital letter and a full stop.
func sentence(err error) string {
	s := err.Error()
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:] + "."
}

// sizeText writes a number of bytes for people: "999 bytes", "1.5 GB".
func sizeText(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	v, unit := float64(n), -1
	for ; v >= 999.5 && unit < len(units)-1; unit++ {
		v /= 1000
	}
	digits := 1
	if v >= 10 {
		digits = 0
	}
	return fmt.Sprintf("%s %cB", strings.TrimSuffix(strconv.FormatFloat(v, 'f', digits, 64), ".0"), units[unit])
}
