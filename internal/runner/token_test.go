package runner

import (
	"strings"
	"testing"
)

func TestReadToken_WantsAWholeLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                                     "",
		"half":                                 "",
		"token\n":                              "token",
		"token\nmore":                          "token",
		strings.Repeat("x", MaxToken) + "\n":   strings.Repeat("x", MaxToken),
		strings.Repeat("x", MaxToken+1) + "\n": "",
	} {
		got, err := ReadToken(strings.NewReader(in))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ReadToken(%.20q) = %.20q, %v", in, got, err)
		}
	}
}
