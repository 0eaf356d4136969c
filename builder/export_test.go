package builder

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// CheckShown says whether a log line holds nothing that must not be shown.
func CheckShown(s string) error {
	if !utf8.ValidString(s) || len(s) > hosting.MaxLogLine {
		return fmt.Errorf("the line %.100q is too long or no UTF-8", s)
	}
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "\x1b[")
		for _, r := range before {
			if r < 0x20 && r != '\t' || r >= 0x7f && r <= 0x9f {
				return fmt.Errorf("the line %.100q holds the control character %#x", s, r)
			}
		}
		if !found {
			return nil
		}
		params, after, ok := strings.Cut(after, "m")
		if !ok || strings.Trim(params, "0123456789;:") != "" {
			return fmt.Errorf("the line %.100q holds a sequence that is no colour", s)
		}
		rest = after
	}
}

// MaxBatchLines bounds a batch.
const MaxBatchLines = maxBatchLines
