package builder

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// formsOf yields the texts by which a secret, or a line of it, may stand in a log: as it is,
// and as programs encode it. A form may come more than once.
func formsOf(secret string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(strings.TrimSpace(secret)) < minSecret {
			return
		}
		for form := range encodings(secret) {
			if !yield(form) {
				return
			}
		}
		for line := range strings.SplitSeq(secret, "\n") {
			line = strings.TrimSpace(line)
			if len(line) < minSecret {
				continue
			}
			for form := range encodings(line) {
				// A longer one is a piece of a form of the whole.
				if len(form) < minPiece && !yield(form) {
					return
				}
			}
		}
	}
}

// encodings yields s in each form. None is shorter than minSecret.
func encodings(s string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, forms := range []func(string) []string{plain, escaped, percent, inBase64, inHex} {
			for _, form := range forms(s) {
				if len(form) >= minSecret && !yield(form) {
					return
				}
			}
		}
	}
}

func plain(s string) []string { return []string{s} }

func inHex(s string) []string {
	lower := hex.EncodeToString([]byte(s))
	return append(ends(lower, 60), lower, strings.ToUpper(lower)) // xxd -p breaks lines after 60
}

// escaped is s in a JSON string, and in JSON that stands in a JSON string.
func escaped(s string) []string {
	var forms []string
	for _, once := range inJSON(s) {
		forms = append(append(forms, once), inJSON(once)...)
	}
	return forms
}

// inJSON is s in a JSON string, as JavaScript writes it, as Go does for HTML, and as Python
// does for ASCII.
func inJSON(s string) []string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // never fails for a string
	html, _ := json.Marshal(s)
	js := strings.TrimSpace(b.String())
	js = js[1 : len(js)-1]
	var ascii strings.Builder
	for _, r := range js {
		switch {
		case r < utf8.RuneSelf:
			ascii.WriteByte(byte(r))
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&ascii, `\u%04x`, unit)
			}
		}
	}
	return []string{js, string(html[1 : len(html)-1]), ascii.String()}
}

// percent is s in a URL: as Go and as JavaScript (encodeURIComponent, encodeURI) write it, in
// upper and in lower case.
func percent(s string) []string {
	strict := strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	forms := []string{strict, url.QueryEscape(s), url.PathEscape(s), unescape(strict, "!'()*"), unescape(strict, "!'()*;,/?:@&=+$#")}
	for _, f := range forms[:len(forms):len(forms)] {
		forms = append(forms, lowerHex(f))
	}
	return forms
}

// unescape undoes the percent encoding of some characters.
func unescape(s, characters string) string {
	for _, c := range characters {
		s = strings.ReplaceAll(s, fmt.Sprintf("%%%02X", c), string(c))
	}
	return s
}

// lowerHex writes the digits of each percent encoding in lower case.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// inBase64 is s at each place that it can have in a text that is encoded as a whole, and s
// encoded by itself, with the line's end that echo adds and without it.
func inBase64(s string) []string {
	var forms []string
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		whole, line := enc.EncodeToString([]byte(s)), enc.EncodeToString([]byte(s+"\n"))
		forms = append(forms, whole, line[max(0, len(line)-2*minPiece):], within(enc, 1, s), within(enc, 2, s))
		for _, width := range []int{64, 76} { // openssl's, and base64's
			forms = append(append(forms, ends(whole, width)...), ends(line, width)...)
		}
		for _, f := range []string{strings.TrimRight(whole, "="), within(enc, 0, s)} {
			if len(f) < minPiece { // else it is a piece of the whole
				forms = append(forms, f)
			}
		}
	}
	return forms
}

// within is the part of the encoding that s alone decides, in a text with s behind as many
// bytes.
func within(enc *base64.Encoding, before int, s string) string {
	all := enc.EncodeToString(append(make([]byte, before), s...))
	return all[(before*8+5)/6 : (before+len(s))*8/6]
}

// ends is the last line of what is wrapped at a width, if it is too short to be found as a
// piece.
func ends(s string, width int) []string {
	last := s[len(s)-len(s)%width:]
	if len(s) < width || len(last) >= minPiece {
		return nil
	}
	return []string{last}
}
