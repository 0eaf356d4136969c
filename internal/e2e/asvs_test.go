package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What OWASP ASVS 5.0 asks of the wire, asked of the binary as it is run.

func TestTLS_IsNeverOlderThan12(t *testing.T) {
	s := NewServer(t)
	s.Deploy(filepath.Join(root(t), "examples/sites/static"))
	for _, host := range []string{"localhost", "static.localhost"} {
		for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
			conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.HTTPS), &tls.Config{
				ServerName: host, MinVersion: version, MaxVersion: version, InsecureSkipVerify: true, //nolint:gosec // the version is looked at, not the certificate
			})
			if err == nil {
				_ = conn.Close()
			}
			if (err == nil) != want {
				t.Errorf("%s by %s: %v", host, tls.VersionName(version), err)
			}
		}
	}
}

func TestHosts_ExposeNothingOfTheMachine(t *testing.T) {
	s := NewServer(t)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"index.html": "<h1>hello</h1>", ".env": "canary-of-env", ".git/config": "canary-of-git", ".git/HEAD": "ref: refs/heads/main",
		".DS_Store": "canary-of-finder", "a/.htpasswd": "canary-of-htpasswd",
	} {
		path := filepath.Join(dir, "probed", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	s.Deploy(filepath.Join(dir, "probed"))
	s.Get(s.Secure("probed")+"/").Is(200, "hello") // the control: the same way reaches what is published
	v := s.Visitor(1)
	defer v.CloseIdleConnections()
	for _, base := range []string{s.Secure("probed"), fmt.Sprintf("https://localhost:%d", s.HTTPS)} {
		for _, path := range []string{
			"/.git/config", "/.git/HEAD", "/.env", "/.DS_Store", "/debug/pprof/", "/debug/vars", "/metrics", "/config/", "/load", "/fairway/projects",
			"/api/../metrics", "/server-status", "/state.db", "/token", "/key", "/data/token", "/id/fairway", "/pki/ca/local",
		} {
			resp, err := v.Get(base + path)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode < 400 || bytes.Contains(body, []byte("canary")) {
				t.Errorf("%s%s: %d %v %.100s", base, path, resp.StatusCode, err, body)
			}
		}
	}
}

// desync are messages whose end two readers could see in different places (RFC 9112, section
// 6), or that are no messages at all. Behind each stands a whole request for /marker.
var desync = map[string]string{
	"length and chunks":          "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunks twice":               "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"chunks in another spelling": "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"chunks with a tab":          "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding:\tchunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	"a space before the colon":   "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length : 5\r\n\r\nhello",
	"two lengths":                "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
	"a signed length":            "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: +5\r\n\r\nhello",
	"a negative length":          "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: -1\r\n\r\n",
	"a list of lengths":          "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 5, 6\r\n\r\nhello!",
	"bare line feeds in chunks":  "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
	"a chunk extension's end":    "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n5;\nhello\r\n0\r\n\r\n",
	"a chunk that is too long":   "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
	"a folded header":            "GET / HTTP/1.1\r\nHost: %s\r\nX-A: b\r\n c\r\n\r\n",
	"two hosts":                  "GET / HTTP/1.1\r\nHost: %s\r\nHost: other.localhost\r\n\r\n",
	"no host":                    "GET / HTTP/1.1\r\nX-Host: %s\r\n\r\n",
	"a NUL in a header":          "GET / HTTP/1.1\r\nHost: %s\r\nX-A: b\x00c\r\n\r\n",
	"a bare carriage return":     "GET / HTTP/1.1\r\nHost: %s\r\nX-A: b\rX-B: c\r\n\r\n",
	"1.0 with chunks":            "POST / HTTP/1.0\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"a length that is a word":    "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: five\r\n\r\nhello",
	"an absolute target":         "GET http://other.localhost/ HTTP/1.1\r\nHost: %s\r\n\r\n",
}

// TestDesync_EndsTheConnectionRatherThanGuess sends each such message and, in one write with
// it, a whole request. Either the server answers both, having read the first to its only
// possible end, or it refuses the first and closes: never does a part of the first become a
// request of its own, and the second is never answered for another host.
func TestDesync_EndsTheConnectionRatherThanGuess(t *testing.T) {
	s := NewServer(t)
	s.Deploy(filepath.Join(root(t), "examples/sites/static"))
	host := fmt.Sprintf("static.localhost:%d", s.HTTP)
	marker := "GET /marker HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"
	if got := s.exchange(t, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"+marker); fmt.Sprint(got) != "[200 404]" {
		t.Fatalf("control: a message whose end is clear and the request behind it were answered %v", got)
	}
	names := make([]string, 0, len(desync))
	for name := range desync {
		names = append(names, name)
	}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		got := s.exchange(t, fmt.Sprintf(desync[name], host)+marker)
		switch {
		case len(got) == 0 || len(got) > 2:
			t.Errorf("%s: answered %v", name, got)
		case len(got) == 1 && got[0] < 400 && got[0] != 200:
			t.Errorf("%s: answered %v and closed", name, got)
		case len(got) == 2 && got[1] != 404:
			t.Errorf("%s: what stood behind it was answered %v", name, got)
		}
	}
	s.Get(s.Site("static")).Is(200, "")
}

// exchange sends raw bytes down one connection and returns the statuses of what comes back
// within three seconds: a message that waits for more is answered no sooner.
func (s *Server) exchange(t *testing.T, raw string) (statuses []int) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.HTTP))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(conn, strings.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
}
