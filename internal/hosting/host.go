package hosting

import (
	"net/netip"
	"strings"
)

// maxHost is the longest name DNS can carry, in its text form (RFC 1035, section 2.3.4).
const maxHost = 253

// CanonicalHost returns the one spelling of a Host header or SNI that router, caches and
// TLS permission share: lower case, without port and final dot. ok is false for whatever is
// not a DNS name in letters, digits and hyphens (RFC 1123, section 2.1), IP literals
// included. It does not allocate when h already is canonical. It is idempotent.
func CanonicalHost(h string) (host string, ok bool) {
	if i := strings.LastIndexByte(h, ':'); i >= 0 {
		if !isPort(h[i+1:]) {
			return "", false
		}
		h = h[:i]
	}
	h = strings.TrimSuffix(h, ".")
	if h == "" || len(h) > maxHost {
		return "", false
	}
	start, upper := 0, false
	for i := 0; i <= len(h); i++ {
		if i == len(h) || h[i] == '.' {
			if i == start || i-start > 63 || h[start] == '-' || h[i-1] == '-' {
				return "", false
			}
			start = i + 1
			continue
		}
		switch c := h[i]; {
		case c >= 'A' && c <= 'Z':
			upper = true
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
		default:
			return "", false
		}
	}
	if c := h[len(h)-1]; c >= '0' && c <= '9' {
		// Only an address ends in a digit-only label that netip would read.
		if _, err := netip.ParseAddr(h); err == nil {
			return "", false
		}
	}
	if upper {
		h = strings.ToLower(h)
	}
	return h, true
}

func isPort(s string) bool {
	if len(s) > 5 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// CleanPath returns the one spelling of a decoded request path that look-up, rules and
// caches share: it begins with "/", has no empty, "." or ".." segment and keeps a final
// slash. ok is false where it holds NUL or a backslash, which no published file has.
// It does not allocate when p already is clean.
func CleanPath(p string) (clean string, ok bool) {
	if strings.IndexByte(p, 0) >= 0 || strings.IndexByte(p, '\\') >= 0 {
		return "", false
	}
	if p == "" {
		return "/", true
	}
	if isCleanPath(p) {
		return p, true
	}
	var kept []string
	for seg := range strings.SplitSeq(p, "/") {
		switch seg {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, seg)
		}
	}
	clean = "/" + strings.Join(kept, "/")
	if clean != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")) {
		clean += "/"
	}
	return clean, true
}

func isCleanPath(p string) bool {
	if p[0] != '/' {
		return false
	}
	for i := 0; i < len(p); i++ {
		if p[i] != '/' || i+1 == len(p) {
			continue
		}
		next := p[i+1:]
		if next[0] == '/' || next == "." || next == ".." || strings.HasPrefix(next, "./") || strings.HasPrefix(next, "../") {
			return false
		}
	}
	return true
}

// IsLoopback reports whether a host, a name or an address without a port, is this machine.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
