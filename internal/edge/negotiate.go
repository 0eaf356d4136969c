package edge

import (
	"strings"
)

// preference is what Accept-Encoding says of the two stored forms.
type preference struct {
	br       bool // br is accepted, and no less wanted than identity
	identity bool // identity is not refused
}

// negotiate reads Accept-Encoding by RFC 9110, section 12.5.3. Without the header identity
// is meant, though any coding would be allowed: who does not ask for br may not know it.
func negotiate(lines []string) preference {
	const unnamed = -1
	br, identity, star := unnamed, unnamed, unnamed
	for _, line := range lines {
		for item := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(item, ";")
			coding = strings.TrimSpace(coding)
			switch {
			case strings.EqualFold(coding, "br"):
				br = quality(params)
			case strings.EqualFold(coding, "identity"):
				identity = quality(params)
			case coding == "*":
				star = quality(params)
			}
		}
	}
	if br == unnamed {
		br = star
	}
	if identity == unnamed {
		identity = star
	}
	// An identity that nobody named is acceptable, but any named coding goes before it.
	return preference{br: br > 0 && br >= identity, identity: identity != 0}
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
