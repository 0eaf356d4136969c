package account

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// common.txt is the 4,000 most common passwords of 12 characters and more, the most common
// first, in lower case: from Mark Burnett's ten million passwords (2015, public domain).
//
//go:embed common.txt
var commonText string

var common = sync.OnceValue(func() map[string]bool {
	set := make(map[string]bool, 4000)
	for line := range strings.Lines(commonText) {
		set[strings.TrimSpace(line)] = true
	}
	return set
})

const (
	minPassword = 12  // characters
	maxPassword = 256 // characters
	maxUnit     = 4   // characters: what repeats a part as short is guessed like the part
)

// checkPassword says whether a person may have the password: by its length, and by what is
// guessed first (ASVS 5.0, 6.2). Which characters it is made of is the person's own affair.
func checkPassword(password, email, name string) error {
	n := utf8.RuneCountInString(password)
	lower := strings.ToLower(password)
	switch {
	case n < minPassword || n > maxPassword || !utf8.ValidString(password):
		return hosting.Errorf(hosting.CodeInvalid, "the password has %d characters", n).
			WithHint("use %d to %d, whichever you like: a few words are best", minPassword, maxPassword)
	case common()[lower]:
		return hosting.Errorf(hosting.CodeInvalid, "the password is one of the most common ones").
			WithHint("use one that nobody else has: a few words that do not belong together")
	case isPattern([]rune(lower)):
		return hosting.Errorf(hosting.CodeInvalid, "the password is a simple pattern").
			WithHint("use a few words that do not belong together")
	case isAbout(lower, email, name):
		return hosting.Errorf(hosting.CodeInvalid, "the password is your name, or your address").
			WithHint("use a few words that have nothing to do with you")
	}
	return nil
}

// isPattern reports whether a password is a short part again and again, or a run such as
// 123456789012 or abcdefghijklm, up or down.
func isPattern(p []rune) bool {
	for unit := 1; unit <= maxUnit; unit++ {
		if repeats(p, unit) {
			return true
		}
	}
	return runs(p, 1) || runs(p, -1)
}

func repeats(p []rune, unit int) bool {
	for i := unit; i < len(p); i++ {
		if p[i] != p[i-unit] {
			return false
		}
	}
	return true
}

// runs reports whether each character is the one before it plus step; digits go round.
func runs(p []rune, step rune) bool {
	for i := 1; i < len(p); i++ {
		round := unicode.IsDigit(p[i]) && (p[i-1]-'0'+step+10)%10 == p[i]-'0'
		if p[i] != p[i-1]+step && !round {
			return false
		}
	}
	return true
}

// isAbout reports whether nothing of a password is left but the person, or Fairway, once all
// that is no letter was taken away.
func isAbout(lower, email, name string) bool {
	local, domain, _ := strings.Cut(email, "@")
	left := letters(lower)
	for _, known := range []string{local, domain, email, strings.ToLower(name), "fairway"} {
		if k := letters(known); k != "" && (left == k || repeated(left, k)) || lower == known {
			return true
		}
	}
	return false
}

// repeated reports whether s is part twice or more.
func repeated(s, part string) bool { return len(s) > 0 && strings.ReplaceAll(s, part, "") == "" }

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}
