package edge_test

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestExplain_SaysWhatTheAnswerIsMadeOf(t *testing.T) {
	r := cached(t, t.TempDir(), false)
	text := strings.Repeat("hello there, ", 2000)
	r.publish(hosting.FallbackSPA, upload{"index.html", "<h1>page</h1>", false}, upload{"about.html", text, true})
	explain := func(path, encodings string) hosting.Explanation {
		t.Helper()
		e, err := r.handler.Explain(t.Context(), "https://"+siteHost+path, encodings)
		if err != nil {
			t.Fatal(err)
		}
		if e.Site != "site" || e.Pointer != hosting.PointerProduction || e.Deployment != "dpl_one" || len(e.Why) < 2 {
			t.Errorf("%s: %+v", path, e)
		}
		return e
	}
	e := explain("/about", "br")
	if e.Status != 200 || e.File != "about.html" || e.Encoding != "br" || e.ETag != etagBrOf(text) || e.Layer != "store" || e.Size == 0 {
		t.Errorf("cold: %+v", e)
	}
	r.get("/about", "Accept-Encoding: br")
	if e = explain("/about", "br"); e.Layer != "memory" {
		t.Errorf("warm: %+v", e)
	}
	if e = explain("/about.html", ""); e.Status != 308 || e.Location != "/about" {
		t.Errorf("redirect: %+v", e)
	}
	if e = explain("/any/route", "br"); e.Status != 200 || e.File != "index.html" || !strings.Contains(strings.Join(e.Why, " "), "single-page") {
		t.Errorf("fallback: %+v", e)
	}
	if e = explain("/gone.js", ""); e.Status != 404 || e.File != "" {
		t.Errorf("absent: %+v", e)
	}
	if e = explain("/about", "gzip"); e.Encoding != "gzip" || !strings.HasSuffix(e.ETag, `.gzip1"`) {
		t.Errorf("derived: %+v", e)
	}
	e, err := r.handler.Explain(t.Context(), "http://other.localhost/", "")
	if err != nil || e.Status != 404 || e.Site != "" {
		t.Errorf("unknown host: %+v, %v", e, err)
	}
	for _, bad := range []string{"", "/about", "site.localhost", "ftp://site.localhost/", "http://%zz/"} {
		if _, err := r.handler.Explain(t.Context(), bad, ""); !hosting.Is(err, hosting.CodeInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestServerTiming_IsForWhoAsks(t *testing.T) {
	r := cached(t, t.TempDir(), false)
	r.publish("", upload{"a.txt", "hello", false})
	r.get("/a.txt").has(t, "unasked", "Server-Timing:")
	a := r.get("/a.txt", "Fairway-Timing: 1")
	if v := a.Header.Get("Server-Timing"); !strings.HasPrefix(v, "edge;dur=") || !strings.Contains(v, `cache;desc="memory"`) {
		t.Errorf("%q", v)
	}
}
