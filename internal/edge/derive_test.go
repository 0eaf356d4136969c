package edge_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/scale-mesh/fairway/internal/blob"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// unpack decodes an answer's body as its Content-Encoding says.
func (a answer) unpack(t *testing.T) string {
	t.Helper()
	var r io.Reader = strings.NewReader(a.body)
	var err error
	switch a.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Errorf("%s: %v", a.Header.Get("Content-Encoding"), err)
	}
	return string(b)
}

// cached is a rig whose server has the cache that an installation has.
func cached(t *testing.T, dir string, local bool) *rig {
	return newRig(t, func(c *edge.Config) {
		cache, err := blob.OpenCache(blob.CacheConfig{Source: c.Manifests.(blob.Source), Dir: dir, Local: local})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cache.Close() })
		c.Blobs = cache
	})
}

func TestDerive_GivesEachVisitorTheFormTheyPrefer(t *testing.T) {
	r := cached(t, t.TempDir(), true)
	text := strings.Repeat("hello there, ", 2000)
	r.publish("", upload{"a.txt", text, true}, upload{"b.png", text, false}, upload{"404.html", text, true})
	digest := strings.Trim(etagOf(text), `"`)
	for accept, want := range map[string]string{
		"gzip":                        "gzip1",
		"x-gzip":                      "gzip1",
		"gzip, deflate":               "gzip1",
		"zstd, gzip":                  "zstd1",
		"gzip, zstd;q=0.9":            "gzip1",
		"gzip, deflate, br, zstd":     "br",
		"br;q=0.5, gzip":              "gzip1",
		"gzip;q=0, *":                 "br",
		"br;q=0, *;q=0.5":             "zstd1",
		"gzip;q=0.5, identity":        "",
		"gzip;q=0.5, identity;q=0.5":  "gzip1",
		"identity;q=0, gzip;q=0.001":  "gzip1",
		"deflate":                     "",
		"gzip;q=0":                    "",
		"*;q=0, gzip":                 "gzip1",
		"gzip;q=0.9, identity;q=0.95": "",
	} {
		coding := strings.TrimSuffix(want, "1")
		etag := `"` + strings.TrimSuffix(digest+"."+want, ".") + `"`
		for _, method := range []string{"GET", "HEAD"} {
			a := r.do(method, siteHost, "/a.txt", "Accept-Encoding: "+accept)
			a.has(t, method+" "+accept, "Content-Encoding: "+coding, "Etag: "+etag, "Vary: Accept-Encoding", "Content-Type: text/plain; charset=utf-8")
			if a.ContentLength <= 0 || (coding != "" && a.ContentLength >= int64(len(text))) {
				t.Errorf("%s %q: %d bytes", method, accept, a.ContentLength)
			}
			if method == "GET" && coding != "br" && a.unpack(t) != text {
				t.Errorf("%q: another text", accept)
			}
		}
		a := r.get("/a.txt", "Accept-Encoding: "+accept, "If-None-Match: "+etag)
		a.is(t, "not modified, "+accept, 304, "")
		a = r.get("/nope", "Accept-Encoding: "+accept)
		if a.StatusCode != 404 || (coding != "br" && a.unpack(t) != text) {
			t.Errorf("404, %q: %d", accept, a.StatusCode)
		}
		r.get("/b.png", "Accept-Encoding: "+accept, "If-Modified-Since: now").has(t, "what does not shrink, "+accept, "Vary:")
	}
}

func TestDerive_WhoRefusesIdentityGetsWhatElseTheyAccept(t *testing.T) {
	r := cached(t, t.TempDir(), true)
	r.publish("", upload{"b.png", "does not shrink", false})
	a := r.get("/b.png", "Accept-Encoding: gzip, identity;q=0")
	a.has(t, "gzip", "Content-Encoding: gzip")
	if got := a.unpack(t); got != "does not shrink" {
		t.Errorf("%q", got)
	}
	r.get("/b.png", "Accept-Encoding: identity;q=0").is(t, "nothing is acceptable", 200, "does not shrink")
}

func TestDerive_ARangeIsOfWhatIsStored(t *testing.T) {
	r := cached(t, t.TempDir(), true)
	text := strings.Repeat("0123456789", 500)
	r.publish("", upload{"a.txt", text, true})
	a := r.get("/a.txt", "Accept-Encoding: gzip", "Range: bytes=5-9")
	a.is(t, "range", 206, "56789")
	a.has(t, "range", "Content-Encoding:", "Etag: "+etagOf(text))
	a = r.get("/a.txt", "Accept-Encoding: gzip, identity;q=0", "Range: bytes=5-9")
	if a.StatusCode != 200 || a.unpack(t) != text {
		t.Errorf("who refuses identity gets the whole: %d", a.StatusCode)
	}
}

func TestDerive_IsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	r := cached(t, dir, true)
	text := strings.Repeat("a long text ", 50_000) // two parts of it would not fit into memory
	r.publish("", upload{"a.txt", text, true})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a := r.get("/a.txt", "Accept-Encoding: gzip"); a.Header.Get("Content-Encoding") != "gzip" || a.unpack(t) != text {
				t.Errorf("%d %q", a.StatusCode, a.Header.Get("Content-Encoding"))
			}
		})
	}
	all.Wait()
	if n := r.faults.reads.Load(); n != 1 {
		t.Errorf("the file was read %d times", n)
	}
	// Even where the store is dead, since it is the edge's own.
	r.faults.set(down)
	if a := r.get("/a.txt", "Accept-Encoding: gzip"); a.unpack(t) != text {
		t.Errorf("with the store dead: %d", a.StatusCode)
	}
}

func TestDerive_FailsAsTheFileDoes(t *testing.T) {
	r := cached(t, "", false)
	r.publish("", upload{"a.txt", strings.Repeat("hello there, ", 2000), true})
	r.get("/", "Accept: */*") // the manifest is open from here on
	r.faults.set(lie)
	if a := r.get("/a.txt", "Accept-Encoding: gzip"); a.StatusCode != 503 || bytes.Contains([]byte(a.body), []byte("hello")) {
		t.Errorf("a lying store: %d", a.StatusCode)
	}
	r.faults.set(func(_ string, b []byte) ([]byte, error) { return b, nil })
	if a := r.get("/a.txt", "Accept-Encoding: gzip"); a.StatusCode != 200 {
		t.Errorf("an honest one: %d", a.StatusCode)
	}
}

func TestDerive_AFileThatIsTooLargeIsSentAsItIs(t *testing.T) {
	r := cached(t, t.TempDir(), true)
	text := long(9 * hosting.MaxBlob)
	r.publish("", upload{"big.txt", text, true})
	a := r.get("/big.txt", "Accept-Encoding: gzip")
	a.has(t, "too large", "Content-Encoding:")
	if a.body != text {
		t.Error("another text")
	}
}

// zipped is what the server makes of the text, as bytes.
func zipped(t *testing.T, text string) string {
	r := cached(t, "", false)
	r.publish("", upload{"a.txt", text, true})
	return r.get("/a.txt", "Accept-Encoding: gzip").body
}
