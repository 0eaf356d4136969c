package controlapi_test

import (
	"bytes"
	"io"
	"net"
	"testing"
)

func TestPublic_NothingBehindAChunkedBodyIsARequest(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		headers, body string
		answers       int
	}{
		"two ends": {"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n", 1},
		"control":  {"Content-Length: 2\r\n", "{}", 2},
	} {
		conn, err := net.Dial("tcp", w.public.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(conn, "POST /api/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+c.headers+"\r\n"+c.body+
			"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		if n := bytes.Count(all, []byte("HTTP/1.1 ")); err != nil || n != c.answers {
			t.Errorf("%s: %d answers, %v: %.300q", name, n, err, all)
		}
		_ = conn.Close()
	}
}
