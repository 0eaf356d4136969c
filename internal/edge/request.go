package edge

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxDrain is how much of a body that nobody wants is read to keep the connection.
const maxDrain = 64 << 10

// drain reads away a request's body and reports whether the connection must be closed
// instead, since more of it may come than is worth reading. One in chunks always ends the
// connection: had the request a Content-Length too, which net/http does not tell, whoever
// stands before us may see another end of it, and RFC 9112, section 6.1, has it closed.
func drain(r *http.Request) (closing bool) {
	if len(r.TransferEncoding) > 0 {
		return true
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return false
	}
	if r.ContentLength > maxDrain {
		return true
	}
	_, err := io.CopyN(io.Discard, r.Body, maxDrain+1)
	return !errors.Is(err, io.EOF)
}

// requestPath returns the one path that is looked up, or the status of a refusal.
//
// net/http has decoded the path once; it is not decoded again, so "%252e" stays a name with
// a percent sign. An encoded slash (%2F) is 404: decoded it would name another file than
// the one that was asked for, and no file's name holds a slash. A backslash or NUL, encoded
// or not, and bytes that are not UTF-8 (overlong forms of "." and "/" among them) are 400.
func requestPath(u *url.URL) (path string, refusal int) {
	if u.RawPath != "" && hasEncodedSlash(u.RawPath) {
		return "", http.StatusNotFound
	}
	clean, ok := hosting.CleanPath(u.Path)
	if !ok || !utf8.ValidString(clean) {
		return "", http.StatusBadRequest
	}
	return clean, 0
}

func hasEncodedSlash(raw string) bool {
	return strings.Contains(raw, "%2f") || strings.Contains(raw, "%2F")
}
