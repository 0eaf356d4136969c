package edge_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// unverified serves blobs as an edge would that trusts its store.
type unverified struct{ faults *faults }

func (u unverified) Find(ctx context.Context, project hosting.ProjectID, d hosting.Digest) ([]byte, edge.Layer, error) {
	body, _, err := u.faults.Get(ctx, "blobs/"+string(project)+"/"+d.String())
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	return b, "", err
}

func (u unverified) Where(hosting.ProjectID, hosting.Digest, string) edge.Layer { return "" }

func (u unverified) Recall(hosting.ProjectID, hosting.Digest, string) ([]byte, bool) {
	return nil, false
}

func (u unverified) Derive(ctx context.Context, _ hosting.ProjectID, _ hosting.Digest, _ string, make func(context.Context) ([]byte, error)) ([]byte, edge.Layer, error) {
	b, err := make(ctx)
	return b, "", err
}

func TestServer_ALyingStoreNeverShowsAWrongByte(t *testing.T) {
	text := long(2*hosting.MaxBlob + 50)
	files := []upload{{"a.txt", "hello hello", true}, {"big.bin", text, false}, {"404.html", "miss", false}}
	ask := func(r *rig) (answers []answer) {
		for _, h := range []string{"Accept: */*", "Accept-Encoding: br", "Range: bytes=1-8"} {
			for _, path := range []string{"/a.txt", "/big.bin", "/nope"} {
				answers = append(answers, r.get(path, h))
			}
		}
		return answers
	}

	r := newRig(t)
	r.publish("", files...)
	r.faults.set(lie)
	for i, a := range ask(r) {
		name := fmt.Sprintf("request %d", i)
		if a.StatusCode != 503 || a.err != nil {
			t.Errorf("%s: %d %v", name, a.StatusCode, a.err)
		}
		a.has(t, name, "Retry-After: 5", "Cache-Control: no-store", "Etag:", "Content-Encoding:", "Accept-Ranges:", "X-Fairway-Deployment: dpl_one")
	}

	// Control: the same faults do reach the visitor of a server whose blobs are unverified.
	trusting := newRig(t)
	trusting.handler = edge.New(edge.Config{Router: trusting.router, Manifests: trusting.blobs, Blobs: unverified{trusting.faults}})
	server := httptest.NewServer(trusting.handler)
	defer server.Close()
	trusting.address = server.Listener.Addr().String()
	trusting.publish("", files...)
	trusting.faults.set(lie)
	if a := trusting.get("/a.txt"); a.StatusCode != 200 || a.body == "hello hello" || len(a.body) != len("hello hello") {
		t.Errorf("the control shows nothing wrong: %d %q", a.StatusCode, a.body)
	}
}

func TestServer_ABlobOfAnotherLengthIsRefused(t *testing.T) {
	r := newRig(t)
	server := httptest.NewServer(edge.New(edge.Config{Router: r.router, Manifests: r.blobs, Blobs: unverified{r.faults}}))
	defer server.Close()
	r.address = server.Listener.Addr().String()
	r.publish("", upload{"a.txt", "hello", false})
	r.get("/a.txt").is(t, "unspoiled", 200, "hello") // and the manifest is open from here on
	for name, change := range map[string]func([]byte) []byte{
		"shorter": func(b []byte) []byte { return b[:2] }, "longer": func(b []byte) []byte { return append(b, b...) }, "empty": func([]byte) []byte { return nil },
	} {
		r.faults.set(func(_ string, b []byte) ([]byte, error) { return change(b), nil })
		for _, h := range []string{"Accept: */*", "Range: bytes=3-4"} {
			if a := r.get("/a.txt", h); a.StatusCode != 503 {
				t.Errorf("%s, %s: %d %q", name, h, a.StatusCode, a.body)
			}
		}
	}
}

func TestServer_AStoreThatIsDownIsA503AndThenOverAgain(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"a.txt", "hello", true})
	r.get("/a.txt").is(t, "before", 200, "hello")
	r.faults.set(down)
	a := r.get("/a.txt")
	if a.StatusCode != 503 || strings.Contains(a.body, errDown.Error()) {
		t.Errorf("down: %d %s", a.StatusCode, a.body)
	}
	a.has(t, "down", "Retry-After: 5", "Cache-Control: no-store", "X-Fairway-Deployment: dpl_one", "Etag:", "Vary:")
	r.get("/a.txt", "If-None-Match: "+etagOf("hello")).is(t, "what needs no blob", 304, "")
	r.get("/a.html").is(t, "what needs no blob", 404, r.get("/a.html").body)
	r.faults.read.Store(nil)
	r.get("/a.txt").is(t, "after", 200, "hello")
}

func TestServer_AFaultInTheMiddleBreaksTheConnection(t *testing.T) {
	text := long(3*hosting.MaxBlob + 9)
	for name, spoil := range map[string]func(string, []byte) ([]byte, error){"lie": lie, "down": down} {
		r := newRig(t)
		r.publish("", upload{"big.bin", text, false})
		third := hosting.DigestOf([]byte(text[2*hosting.MaxBlob : 3*hosting.MaxBlob])).String()
		r.faults.set(func(key string, b []byte) ([]byte, error) {
			if strings.HasSuffix(key, third) {
				return spoil(key, b)
			}
			return b, nil
		})
		for _, h := range []string{"Accept: */*", fmt.Sprintf("Range: bytes=%d-", hosting.MaxBlob+5), "Range: bytes=0-5,2000000-3000000"} {
			a := r.get("/big.bin", h)
			if a.err == nil {
				t.Errorf("%s, %s: the body ends as if it were whole, after %d bytes", name, h, len(a.body))
			}
			if !strings.Contains(h, ",") && !strings.Contains(text, a.body) {
				t.Errorf("%s, %s: wrong bytes", name, h)
			}
		}
	}
}

func TestServer_AManifestThatCannotBeOpenedHurtsOneSiteOnly(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"index.html", "fine", false})
	junk, err := r.blobs.PutManifest(t.Context(), project, []byte("not a manifest at all, though its name is right"))
	if err != nil {
		t.Fatal(err)
	}
	r.router.hosts.Store("junk.localhost", production(junk, "dpl_junk"))
	r.router.hosts.Store("absent.localhost", production(hosting.DigestOf([]byte("nobody stored this")), "dpl_absent"))
	for _, host := range []string{"junk", "absent"} {
		a := r.do("GET", host+".localhost", "/")
		if a.StatusCode != 503 {
			t.Errorf("%s: %d", host, a.StatusCode)
		}
		a.has(t, host, "Retry-After: 5", "Cache-Control: no-store", "X-Fairway-Deployment: dpl_"+host)
	}
	r.get("/").is(t, "the other", 200, "fine")
}

func TestServer_FillsTheLogNoFasterThanALineASecond(t *testing.T) {
	var lines syncBuffer
	now := time.Unix(0, 0)
	r := newRig(t, func(c *edge.Config) {
		c.Log = slog.New(slog.NewTextHandler(&lines, nil))
		c.Now = func() time.Time { return now }
	})
	r.publish("", upload{"a.txt", "hello", false})
	r.faults.set(down)
	for range 20 {
		r.get("/a.txt")
	}
	if n := strings.Count(lines.String(), "\n"); n != 1 || !strings.Contains(lines.String(), errDown.Error()) || !strings.Contains(lines.String(), "dpl_one") {
		t.Errorf("%d lines: %s", n, lines.String())
	}
	now = now.Add(2 * time.Second)
	r.get("/a.txt")
	if !strings.Contains(lines.String(), "omitted=") {
		t.Errorf("the lines left out are not counted: %s", lines.String())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestServer_ReadsTheNextPartWhileItWritesThisOne(t *testing.T) {
	r := newRig(t)
	text := long(2*hosting.MaxBlob + 1)
	r.publish("", upload{"big.bin", text, false})
	var mu sync.Mutex
	begun := make(map[string]chan struct{})
	for i := range 3 {
		part := text[i*hosting.MaxBlob : min((i+1)*hosting.MaxBlob, len(text))]
		begun[hosting.DigestOf([]byte(part)).String()] = make(chan struct{})
	}
	order := []string{}
	r.faults.set(func(key string, b []byte) ([]byte, error) {
		if c, ok := begun[key[strings.LastIndexByte(key, '/')+1:]]; ok {
			mu.Lock()
			order = append(order, key[strings.LastIndexByte(key, '/')+1:])
			mu.Unlock()
			close(c)
		}
		return b, nil
	})
	w := &waitingWriter{t: t, header: make(http.Header), parts: []chan struct{}{
		begun[hosting.DigestOf([]byte(text[hosting.MaxBlob:2*hosting.MaxBlob])).String()],
		begun[hosting.DigestOf([]byte(text[2*hosting.MaxBlob:])).String()],
		nil,
	}}
	req := httptest.NewRequest("GET", "/big.bin", nil)
	req.Host = siteHost
	r.handler.ServeHTTP(w, req)
	if w.b.String() != text || len(order) != 3 {
		t.Errorf("%d bytes, %d parts", w.b.Len(), len(order))
	}
}

// waitingWriter ends each Write only when the reading of the next part has begun.
type waitingWriter struct {
	t      *testing.T
	header http.Header
	parts  []chan struct{}
	b      bytes.Buffer
}

func (w *waitingWriter) Header() http.Header { return w.header }
func (w *waitingWriter) WriteHeader(int)     {}
func (w *waitingWriter) Write(p []byte) (int, error) {
	if next := w.parts[0]; next != nil {
		select {
		case <-next:
		case <-time.After(10 * time.Second):
			w.t.Error("the next part is not read meanwhile")
		}
	}
	w.parts = w.parts[1:]
	return w.b.Write(p)
}

// recoder stands for a handler around ours that changes the body, and so its length: the
// end of what it sends is then only told by the end of what we send.
type recoder struct{ http.ResponseWriter }

func (w recoder) WriteHeader(status int) {
	w.Header().Del("Content-Length")
	w.ResponseWriter.WriteHeader(status)
}

func TestServer_AFaultInTheMiddleIsSeenThroughAHandlerThatChangesTheLength(t *testing.T) {
	r := newRig(t)
	text := long(2*hosting.MaxBlob + 9)
	r.publish("", upload{"big.bin", text, false})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.handler.ServeHTTP(recoder{w}, req) }))
	defer server.Close()
	r.address = server.Listener.Addr().String()
	if a := r.get("/big.bin", "Connection: close"); a.err != nil || a.body != text || a.ContentLength != -1 {
		t.Fatalf("without a fault: %v, %d bytes, length %d", a.err, len(a.body), a.ContentLength)
	}
	second := hosting.DigestOf([]byte(text[hosting.MaxBlob : 2*hosting.MaxBlob])).String()
	r.faults.set(func(key string, b []byte) ([]byte, error) {
		if strings.HasSuffix(key, second) {
			return down(key, b)
		}
		return b, nil
	})
	if a := r.get("/big.bin", "Connection: close"); a.err == nil || len(a.body) >= len(text) {
		t.Errorf("the body ends as if it were whole, after %d bytes", len(a.body))
	}
}

// RFC 9112, section 6.1: where a body has two ends, nothing behind it is a request.
func TestServer_NothingBehindAChunkedBodyIsARequest(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"index.html", "page", false})
	for name, headers := range map[string]string{
		"two ends": "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "chunks alone": "Transfer-Encoding: chunked\r\n", "control": "Content-Length: 5\r\n",
	} {
		conn, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: "+siteHost+"\r\n"+headers+"\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: "+siteHost+"\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		if n := bytes.Count(all, []byte("HTTP/1.1 ")); err != nil || n != map[bool]int{true: 2, false: 1}[name == "control"] {
			t.Errorf("%s: %d answers, %v", name, n, err)
		}
		_ = conn.Close()
	}
}
