package edge

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func FuzzRequestPath(f *testing.F) {
	for _, s := range []string{
		"/", "//evil.com", "/%2e%2e/x", "/..%2fx", "/a%5Cb", `/a\b`, "/%00", "/%c0%ae", "/%252f", "/a%2Fb/..%2f", "/.//x", "*", "/x?%2f",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		path, refusal := requestPath(u)
		switch refusal {
		case http.StatusBadRequest, http.StatusNotFound:
			return
		case 0:
		default:
			t.Fatalf("%q: status %d", raw, refusal)
		}
		again, ok := hosting.CleanPath(path)
		if !ok || again != path || !utf8.ValidString(path) || strings.ContainsAny(path, "\x00\\") || strings.Contains(path, "//") ||
			strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") || path[0] != '/' {
			t.Errorf("%q: %q is not clean", raw, path)
		}
		// As many segments as were asked for, or fewer: none was made by decoding.
		if escaped := u.EscapedPath(); strings.Count(path, "/") > strings.Count("/"+escaped, "/") {
			t.Errorf("%q: %q has segments that it did not have", raw, path)
		}
	})
}

func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/", "//evil.example", "/\\evil.example", "https://evil.example/", "/x/../.fairway/login", "/%2e%2e//x", "/a?b#c", "/\t/evil.example", "x:@evil.example/"} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "site.localhost", Path: loginPath}
	f.Fuzz(func(t *testing.T, next string) {
		to, err := base.Parse(safeNext(next))
		if err != nil || to.Scheme != base.Scheme || to.Host != base.Host || to.User != nil || strings.HasPrefix(to.Path, ownPrefix) {
			t.Errorf("%q leads to %v, %v", next, to, err)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{
		"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=0-0,2-3,-1", "bytes=9223372036854775807-", "bytes=-9223372036854775808", "bytes=0-99999999999999999999", "bytes=,", "bytes=1-0",
	} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 || size > 1<<41 {
			return
		}
		spans, ok := parseRange([]string{header}, size)
		var total int64
		for _, sp := range spans {
			if sp.start < 0 || sp.length <= 0 || sp.start >= size || sp.length > size-sp.start {
				t.Errorf("%q of %d: span %+v", header, size, sp)
			}
			total += sp.length
		}
		if len(spans) > maxRanges || total > size || (!ok && len(spans) > 0) {
			t.Errorf("%q of %d: %v %v", header, size, spans, ok)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	const etag = `"abc"`
	for _, s := range []string{`"abc"`, `W/"abc", "x"`, "*", `"abc`, "br;q=0.5, *;q=0", "identity;q=0,br", `","abc","`, "q=;;,,="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lines := []string{s}
		if p := negotiate(lines); p.weight[codingBr] > 0 && !strings.Contains(strings.ToLower(s), "br") && !strings.Contains(s, "*") {
			t.Errorf("%q accepts br", s)
		}
		weak, strong := listed(lines, etag, true), listed(lines, etag, false)
		if strong && !weak {
			t.Errorf("%q names the tag strongly only", s)
		}
		if weak && !strings.Contains(s, etag) && !strings.Contains(s, "*") {
			t.Errorf("%q names a tag that is not in it", s)
		}
	})
}
