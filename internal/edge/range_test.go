package edge_test

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// long is text of n bytes in which no two runs of eight bytes are the same.
func long(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08d", i)
	}
	return b.String()[:n]
}

func TestServer_AnswersARange(t *testing.T) {
	r := newRig(t)
	text := "0123456789"
	r.publish("", upload{"a.txt", text, false}, upload{"empty.txt", "", false})
	for _, c := range []struct{ set, body, contentRange string }{
		{"bytes=0-3", "0123", "bytes 0-3/10"},
		{"bytes=4-", "456789", "bytes 4-9/10"},
		{"bytes=-3", "789", "bytes 7-9/10"},
		{"bytes=-99", text, "bytes 0-9/10"},
		{"bytes=9-9", "9", "bytes 9-9/10"},
		{"bytes=5-99", "56789", "bytes 5-9/10"},
		{"bytes=0-99999999999999999999999", text, "bytes 0-9/10"},
		{"Bytes=1-1", "1", "bytes 1-1/10"},
		{"bytes= 2-3 ", "23", "bytes 2-3/10"},
		{"bytes=2-3,90-99", "23", "bytes 2-3/10"},
	} {
		a := r.get("/a.txt", "Range: "+c.set)
		a.is(t, c.set, 206, c.body)
		a.has(t, c.set, "Content-Range: "+c.contentRange, "Etag: "+etagOf(text), "Accept-Ranges: bytes", revalidate,
			"Content-Type: text/plain; charset=utf-8", "X-Fairway-Deployment: dpl_one")
	}
	for _, set := range []string{"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-", "bytes=10-,-0"} {
		a := r.get("/a.txt", "Range: "+set)
		a.is(t, set, 416, "")
		a.has(t, set, "Content-Range: bytes */10", "X-Fairway-Deployment: dpl_one")
	}
	for _, set := range []string{
		"bytes=3-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=+1-2", "bytes=1-+2", "bytes=--1", "bytes=1", "lines=0-1", "0-1",
		"bytes=0-1,x", "bytes=0-9,0-9", "bytes=0-1,2-3,4-5,6-7,8-9", "bytes=0-0\r\nRange: bytes=1-1",
	} {
		a := r.get("/a.txt", "Range: "+set)
		a.is(t, set, 200, text)
		a.has(t, set, "Content-Range:")
	}
	r.get("/empty.txt", "Range: bytes=0-").is(t, "an empty file", 200, "")
}

func TestServer_AnswersARangeOnlyOfTheFormThatIfRangeNames(t *testing.T) {
	r := newRig(t)
	text := "hello hello hello"
	r.publish("", upload{"a.txt", text, true})
	for _, c := range []struct {
		ifRange string
		status  int
	}{
		{etagOf(text), 206}, {"W/" + etagOf(text), 200}, {`"x"`, 200}, {etagBrOf(text), 200}, {"Fri, 01 Jan 2100 00:00:00 GMT", 200},
	} {
		a := r.get("/a.txt", "Range: bytes=0-4", "If-Range: "+c.ifRange)
		if want := map[int]string{200: text, 206: "hello"}[c.status]; a.StatusCode != c.status || a.body != want {
			t.Errorf("%s: %d %q", c.ifRange, a.StatusCode, a.body)
		}
	}
}

func TestServer_ARangeIsOfIdentityBytes(t *testing.T) {
	r := newRig(t)
	text := "hello hello hello"
	r.publish("", upload{"a.txt", text, true})
	a := r.get("/a.txt", "Range: bytes=6-10", "Accept-Encoding: br, gzip")
	a.is(t, "both acceptable", 206, "hello")
	a.has(t, "both acceptable", "Content-Encoding:", "Etag: "+etagOf(text), "Vary: Accept-Encoding", "Content-Range: bytes 6-10/17")
	a = r.get("/a.txt", "Range: bytes=6-10", "Accept-Encoding: br, identity;q=0")
	a.is(t, "only br acceptable", 200, string(compress(text)))
	a.has(t, "only br acceptable", "Content-Encoding: br", "Content-Range:")
}

func TestServer_AnswersUpToFourRangesAsMultipart(t *testing.T) {
	r := newRig(t)
	text := long(3*hosting.MaxBlob + 100)
	r.publish("", upload{"a.bin", text, false})
	edges := [][2]int{{0, 3}, {hosting.MaxBlob - 2, hosting.MaxBlob + 1}, {2*hosting.MaxBlob - 1, 2*hosting.MaxBlob - 1}, {len(text) - 5, len(text) - 1}}
	var set []string
	for _, e := range edges {
		set = append(set, fmt.Sprintf("%d-%d", e[0], e[1]))
	}
	a := r.get("/a.bin", "Range: bytes="+strings.Join(set, ", "))
	kind, params, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if a.StatusCode != 206 || a.err != nil || err != nil || kind != "multipart/byteranges" || int64(len(a.body)) != a.ContentLength {
		t.Fatalf("%d %s %v %v, %d of %d bytes", a.StatusCode, kind, a.err, err, len(a.body), a.ContentLength)
	}
	mr := multipart.NewReader(strings.NewReader(a.body), params["boundary"])
	for _, e := range edges {
		p, err := mr.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil || string(b) != text[e[0]:e[1]+1] || p.Header.Get("Content-Type") != "application/octet-stream" ||
			p.Header.Get("Content-Range") != fmt.Sprintf("bytes %d-%d/%d", e[0], e[1], len(text)) {
			t.Errorf("part %v: %q %v %v", e, clip(string(b)), p.Header, err)
		}
	}
	if _, err := mr.NextPart(); err != io.EOF {
		t.Errorf("after the last part: %v", err)
	}
}

func TestServer_ManyRangesCostNoMoreThanTheFile(t *testing.T) {
	r := newRig(t)
	text := long(10_000)
	r.publish("", upload{"a.bin", text, false})
	set := strings.TrimSuffix(strings.Repeat("0-0,", 4000), ",")
	r.get("/a.bin", "Range: bytes="+set).is(t, "4,000 ranges", 200, text)
}

func TestServer_ARangeReadsOnlyThePartsItTouches(t *testing.T) {
	r := newRig(t)
	const mib = hosting.MaxBlob
	text := long(4*mib + 7)
	r.publish("", upload{"a.bin", text, false})
	for _, c := range []struct {
		start, end int
		parts      int64
	}{
		{0, 0, 1},
		{mib - 1, mib - 1, 1},
		{mib, mib, 1},
		{mib - 1, mib, 2},
		{mib, 2*mib - 1, 1},
		{mib + 5, 3*mib + 5, 3},
		{4 * mib, 4*mib + 6, 1},
		{4*mib - 1, 4*mib + 6, 2},
		{0, 4*mib + 6, 5},
	} {
		before := r.faults.reads.Load()
		name := fmt.Sprintf("%d-%d", c.start, c.end)
		a := r.get("/a.bin", "Range: bytes="+name)
		a.is(t, name, 206, text[c.start:c.end+1])
		if n := r.faults.reads.Load() - before; n != c.parts {
			t.Errorf("%s: %d parts read, want %d", name, n, c.parts)
		}
	}
	r.get("/a.bin").is(t, "whole", 200, text)
}
