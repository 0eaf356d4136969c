package edge

import (
	"net/http"
	"strings"
)

// precondition applies If-Match and If-None-Match to the chosen form by RFC 9110, section
// 13.2.2, and returns 412, 304, or 0 to go on. Conditions on dates do not apply: what is
// served has none.
func precondition(h http.Header, etag string) int {
	if lines := h["If-Match"]; len(lines) > 0 && !listed(lines, etag, false) {
		return http.StatusPreconditionFailed
	}
	if lines := h["If-None-Match"]; len(lines) > 0 && listed(lines, etag, true) {
		return http.StatusNotModified
	}
	return 0
}

// listed reports whether a list of entity tags names etag, which is strong. A weak tag in
// the list only counts where weak says so. "*" names whatever exists. What follows
// something that is no entity tag is ignored.
func listed(lines []string, etag string, weak bool) bool {
	for _, s := range lines {
		for {
			s = strings.TrimLeft(s, " \t,")
			if strings.HasPrefix(s, "*") {
				return true
			}
			strong, isWeak := strings.CutPrefix(s, "W/")
			if len(strong) < 2 || strong[0] != '"' {
				break
			}
			end := strings.IndexByte(strong[1:], '"')
			if end < 0 {
				break
			}
			if strong[:end+2] == etag && (weak || !isWeak) {
				return true
			}
			s = strong[end+2:]
		}
	}
	return false
}

// wantsRange reports whether a Range is to be honoured: always without If-Range, else where
// that is exactly the etag of the chosen form. A date never matches, since nothing served
// has one, and a weak tag must not (RFC 9110, section 13.1.5).
func wantsRange(h http.Header, etag string) bool {
	lines := h["If-Range"]
	return len(lines) == 0 || len(lines) == 1 && strings.TrimSpace(lines[0]) == etag
}
