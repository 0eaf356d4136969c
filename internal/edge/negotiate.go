package edge

import (
	"strings"
)

// coding is a content coding of a file's forms.
type coding uint8

// The codings, the one that is preferred among equals first: br is made once, slowly and
// well; the next two are derived here.
const (
	codingBr coding = iota
	codingZstd
	codingGzip
	codingIdentity
	codings
)

var codingNames = [codings]string{"br", "zstd", "gzip", "identity"}

// preference is what Accept-Encoding says of the codings: weights in thousandths, 0 for
// refused.
type preference struct {
	weight [codings]int
	// unasked says that identity is acceptable, though nobody named it: whatever was named
	// goes before it.
	unasked bool
}

// accepts reports whether a coding may be sent.
func (p *preference) accepts(c coding) bool {
	return p.weight[c] > 0 || c == codingIdentity && p.unasked
}

// negotiate reads Accept-Encoding by RFC 9110, section 12.5.3. Without the header identity
// is meant, though any coding would be allowed: who does not ask for br may not know it.
func negotiate(lines []string) preference {
	const unnamed = -1
	weight, star := [codings]int{unnamed, unnamed, unnamed, unnamed}, unnamed
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.TrimSpace(name)
			if name == "*" {
				star = quality(params)
				continue
			}
			if c, ok := codingOf(name); ok {
				weight[c] = quality(params)
			}
		}
	}
	p := preference{unasked: weight[codingIdentity] == unnamed && star != 0}
	for c := range weight {
		switch {
		case weight[c] != unnamed:
			p.weight[c] = weight[c]
		case star != unnamed:
			p.weight[c] = star
		}
	}
	return p
}

// codingOf reads a coding's name; x-gzip is gzip (RFC 9110, section 8.4.1.3).
func codingOf(name string) (coding, bool) {
	for c, known := range codingNames {
		if strings.EqualFold(name, known) {
			return coding(c), true
		}
	}
	return codingGzip, strings.EqualFold(name, "x-gzip")
}

// quality reads the parameters behind a coding and returns its weight in thousandths; 0
// where it cannot be read, so that nothing is sent on a misunderstanding.
func quality(params string) int {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return thousandths(strings.TrimSpace(value))
		}
	}
	return 1000
}

// thousandths reads a weight: "0" or "1", with at most three decimals, at most 1.
func thousandths(s string) int {
	whole, fraction, _ := strings.Cut(s, ".")
	if (whole != "0" && whole != "1") || len(fraction) > 3 {
		return 0
	}
	n := int(whole[0] - '0')
	for i := range 3 {
		n *= 10
		if i >= len(fraction) {
			continue
		}
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0
		}
		n += int(fraction[i] - '0')
	}
	if n > 1000 {
		return 0
	}
	return n
}
