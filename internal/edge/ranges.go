package edge

import (
	"strconv"
	"strings"
)

// maxRanges is how many ranges of one file are answered; for more the whole file is sent.
// Each costs the header of its part, so that thousands of one byte would cost more than
// the file (CVE-2011-3192).
const maxRanges = 4

// span is a run of bytes of a form, and what is written before it.
type span struct {
	start, length int64
	head          string
}

// parseRange reads a Range header for a form of size bytes, by RFC 9110, section 14. spans
// is empty where it is to be ignored: another unit, not well formed, too many ranges, or
// together longer than the file. ok is false where it is well formed but names nothing.
func parseRange(lines []string, size int64) (spans []span, ok bool) {
	if len(lines) != 1 || size == 0 {
		return nil, true
	}
	unit, set, found := strings.Cut(lines[0], "=")
	if !found || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Count(set, ",") >= maxRanges {
		return nil, true
	}
	var total int64
	named := false
	for item := range strings.SplitSeq(set, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue // RFC 9110, section 5.6.1.2: empty elements of a list mean nothing
		}
		sp, wellFormed := parseSpan(item, size)
		if !wellFormed {
			return nil, true
		}
		named = true
		if sp.length > 0 {
			spans = append(spans, sp)
			total += sp.length
		}
	}
	if total > size {
		return nil, true
	}
	return spans, len(spans) > 0 || !named
}

// parseSpan reads "first-last", "first-" or "-length". A span that the form does not have
// is well formed and empty.
func parseSpan(s string, size int64) (sp span, wellFormed bool) {
	first, last, found := strings.Cut(s, "-")
	if !found {
		return span{}, false
	}
	if first == "" {
		n, ok := parsePosition(last)
		n = min(n, size)
		return span{start: size - n, length: n}, ok
	}
	start, ok := parsePosition(first)
	if !ok {
		return span{}, false
	}
	end := size - 1
	if last != "" {
		n, ok := parsePosition(last)
		if !ok || n < start {
			return span{}, false
		}
		end = min(n, end)
	}
	if start >= size {
		return span{}, true
	}
	return span{start: start, length: end - start + 1}, true
}

// parsePosition reads digits only: ParseInt alone would take a sign. A number that is too
// large for an int64 is larger than any file.
func parsePosition(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}
