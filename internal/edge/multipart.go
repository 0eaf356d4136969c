package edge

import (
	"crypto/rand"
	"fmt"
)

// multipart is the frame of several spans in one body (RFC 9110, section 14.6).
type multipart struct {
	kind   string // Content-Type of the whole
	tail   string // what follows the last span
	length int64  // of the whole body
}

// newMultipart gives each span the head of its part.
func newMultipart(spans []span, kind string, size int64) multipart {
	// Random, so that no file can hold the boundary of the answer it is sent in.
	boundary := rand.Text()
	m := multipart{
		kind: "multipart/byteranges; boundary=" + boundary,
		tail: "\r\n--" + boundary + "--\r\n",
	}
	m.length = int64(len(m.tail))
	for i := range spans {
		sp := &spans[i]
		sp.head = fmt.Sprintf("--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n", boundary, kind, contentRange(*sp, size))
		if i > 0 {
			sp.head = "\r\n" + sp.head
		}
		m.length += int64(len(sp.head)) + sp.length
	}
	return m
}

func contentRange(sp span, size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", sp.start, sp.start+sp.length-1, size)
}
