package builder

import (
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// plainly masks one line the slow way: every form at every place, letter by letter. It is
// what the masker has to agree with.
func plainly(m *masker, line string) string {
	hide := make([]bool, len(line))
	for _, form := range m.forms {
		for i := range line {
			for j := range form {
				n := 0
				for i+n < len(line) && j+n < len(form) && line[i+n] == form[j+n] {
					n++
				}
				if n >= minPiece || n == len(form) {
					for k := range n {
						hide[i+k] = true
					}
				}
				if len(form) < minPiece {
					break // only from its beginning on
				}
			}
		}
	}
	var b strings.Builder
	hidden := false
	for i, r := range line {
		n := utf8.RuneLen(r)
		now := slices.Contains(hide[i:i+n], true)
		switch {
		case !now:
			b.WriteString(line[i : i+n])
		case !hidden:
			b.WriteString(masked)
		}
		hidden = now
	}
	return b.String()
}

// cutAnywhere cuts s into random chunks.
func cutAnywhere(r *rand.Rand, s string) []string {
	var chunks []string
	for len(s) > 0 {
		n := 1 + r.IntN(min(len(s), 9000))
		chunks = append(chunks, s[:n])
		s = s[n:]
	}
	return chunks
}

// byHand is what an encoder that the masker does not use makes of a secret between two texts,
// and the part of it that must not be seen.
func byHand(form uint8, before, secret, after string) (text, hidden string) {
	inside := func(enc *base64.Encoding) (string, string) {
		all := enc.EncodeToString([]byte(before + secret + after))
		from := (len(before)*8 + 5) / 6
		return all, all[from:max(from, (len(before)+len(secret))*8/6)]
	}
	switch form % 8 {
	case 1:
		return inside(base64.StdEncoding)
	case 2:
		return inside(base64.RawURLEncoding)
	case 3:
		return url.QueryEscape(before + secret + after), url.QueryEscape(secret)
	case 4:
		s := jsonOf(secret)
		return before + s + after, s[1 : len(s)-1]
	case 5:
		s := jsonOf(secret)
		s = jsonOf(s[1 : len(s)-1])
		return before + s + after, s[1 : len(s)-1]
	case 6:
		return hex.EncodeToString([]byte(before + secret + after)), hex.EncodeToString([]byte(secret))
	case 7:
		s := strings.Join(strings.Split(secret, ""), "\x1b[31m")
		return before + s + after, s
	}
	return before + secret + after, secret
}

func FuzzMask(f *testing.F) {
	f.Add("hunter2", "correct horse battery", "a ", " b", uint8(0), uint16(0), uint64(1))
	f.Add(password, longest, "x", "", uint8(1), uint16(3), uint64(2))
	f.Add(rows, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", "aaaa", uint8(4), uint16(hosting.MaxLogLine-5), uint64(3))
	f.Add("aaaaaa", "aaabbbbbbaaaccccc", "aaabbb", "bbb", uint8(6), uint16(veilChunk), uint64(4))
	f.Add("ü\U0001F6A2öäü", "öäüß€", "\x1b[1m", "\r", uint8(7), uint16(90), uint64(5))
	f.Fuzz(func(t *testing.T, one, two, before, after string, form uint8, pad uint16, seed uint64) {
		if len(one)+len(two)+len(before)+len(after) > 300 {
			return // longer texts only take longer
		}
		one, two = strings.ToValidUTF8(one, ""), strings.ToValidUTF8(two, "")
		m := newMasker(secrets(one, two))
		r := rand.New(rand.NewPCG(seed, 1))
		checkEncoded(t, m, one, before, after, form)
		text, _ := byHand(form, before, one, after)
		text = strings.Repeat("-", int(pad)) + text + two[:len(two)/2] + "\n" + text + one + two
		got := maskedLines(m, cutAnywhere(r, text)...)
		if whole := maskedLines(m, text); !slices.Equal(got, whole) {
			t.Fatalf("in chunks: %q, whole: %q", got, whole)
		}
		if m == nil || strings.Contains(text, "\x1b") || len(text) > 3000 {
			return // plainly knows neither colours nor splits, and is slow
		}
		var want []string
		for _, l := range maskedLines(nil, text) {
			want = append(want, plainly(m, l))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("of %q remains %q\nwant %q", text, got, want)
		}
	})
}

// checkEncoded makes sure that nothing of a form is left that the encoders of other people
// make of a secret.
func checkEncoded(t *testing.T, m *masker, secret, before, after string, form uint8) {
	simple := func(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) }
	if len(strings.TrimSpace(secret)) < minSecret || !simple(before) || !simple(after) || strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		return // the sanitizer has its own say on these
	}
	text, hidden := byHand(form, before, secret, after)
	if hidden = withoutColours(hidden); strings.Contains(masked, hidden) {
		return
	}
	for _, l := range maskedLines(m, text) {
		if strings.Contains(withoutColours(l), hidden) {
			t.Fatalf("form %d of %q is left in %q", form%8, secret, l)
		}
	}
}
