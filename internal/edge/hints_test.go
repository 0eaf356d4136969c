package edge

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestFindHints_AnnouncesWhatThePageLoadsFirst(t *testing.T) {
	for page, want := range map[string][]string{
		`<!doctype html><head><link rel="stylesheet" crossorigin href="/assets/a.css"><link rel=modulepreload href=/assets/b.js>`: {
			"</assets/a.css>; rel=preload; as=style; crossorigin", "</assets/b.js>; rel=modulepreload"},
		`<link rel="preload" as="font" type="font/woff2" href="/f.woff2" crossorigin="anonymous">`:                {"</f.woff2>; rel=preload; as=font; crossorigin"},
		`<LINK REL=Preload AS=Script HREF="x.js?a=1&amp;b=2">`:                                                    {"<x.js?a=1&b=2>; rel=preload; as=script"},
		`<link rel=preconnect href="https://api.example.com" crossorigin=use-credentials>`:                        {"<https://api.example.com>; rel=preconnect; crossorigin=use-credentials"},
		`<link rel=stylesheet media=print href=/print.css><link rel=icon href=/i.png><script src=/s.js></script>`: {},
		`<link rel=preload href=/a.js>`:                                            {}, // as what?
		`<link rel=preload as="script; x=y" href=/a.js>`:                           {},
		"<link rel=preload as=script href=\"/a.js>\r\nSet-Cookie: a=b\">":          {},
		`<link rel=preload as=image imagesrcset="a 1x, b 2x" href=/a.png>`:         {},
		`<link rel=preload as=script href="">`:                                     {},
		`<base href=/elsewhere/><link rel=preload as=script href=a.js>`:            {},
		`<body><link rel=preload as=script href=/a.js>`:                            {},
		`<!-- <link rel=preload as=script href=/a.js> -->`:                         {},
		`<script>"<link rel=preload as=script href=/a.js>"</script>`:               {},
		strings.Repeat(`<link rel=preload as=script href=/a.js>`, 50):              slices.Repeat([]string{"</a.js>; rel=preload; as=script"}, maxHints),
		strings.Repeat(" ", hintBytes) + `<link rel=preload as=script href=/a.js>`: {},
	} {
		if got := hintsOf(&variant{}, []byte(page)); !slices.Equal(got, want) {
			t.Errorf("%.100q: %q, want %q", page, got, want)
		}
	}
}

func TestHint_IsForNavigationsAlone(t *testing.T) {
	links := []string{"</a.css>; rel=preload; as=style"}
	for name, c := range map[string]struct {
		major  int
		method string
		mode   string
		want   bool
	}{
		"a navigation":  {2, "GET", "navigate", true},
		"over HTTP/3":   {3, "GET", "navigate", true},
		"over HTTP/1.1": {1, "GET", "navigate", false},
		"a fetch":       {2, "GET", "cors", false},
		"curl":          {2, "GET", "", false},
		"HEAD":          {2, "HEAD", "navigate", false},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.ProtoMajor = c.major
		if c.mode != "" {
			r.Header.Set("Sec-Fetch-Mode", c.mode)
		}
		if got := navigates(r); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Once for a response, and the final head is without it.
	w := &interim{h: http.Header{}}
	x := exchange{w: w, r: httptest.NewRequest("GET", "/", nil), h: w.h}
	f := &fileHeaders{}
	x.hint(f, &variant{}, nil)
	if len(w.sent) != 0 {
		t.Errorf("what is not known is announced: %q", w.sent)
	}
	x.hint(f, &variant{}, []byte(`<link rel=stylesheet href=/a.css>`))
	x.hint(f, &variant{}, nil)
	if !slices.Equal(w.sent, links) || w.h["Link"] != nil {
		t.Errorf("sent %q, left %q", w.sent, w.h["Link"])
	}
}

// interim notes what 103 announces.
type interim struct {
	h    http.Header
	sent []string
}

func (w *interim) Header() http.Header         { return w.h }
func (w *interim) Write(b []byte) (int, error) { return len(b), nil }
func (w *interim) WriteHeader(status int) {
	if status == http.StatusEarlyHints {
		w.sent = append(w.sent, w.h["Link"]...)
	}
}

func FuzzFindHints(f *testing.F) {
	f.Add(`<link rel=preload as=script href=/a.js crossorigin>`)
	f.Add("<link rel=stylesheet href='a\r\nb'><base>")
	f.Fuzz(func(t *testing.T, page string) {
		links := findHints(strings.NewReader(page))
		if len(links) > maxHints {
			t.Errorf("%d hints", len(links))
		}
		for _, l := range links {
			if strings.ContainsAny(l, "\r\n\x00") || !strings.HasPrefix(l, "<") || strings.Count(l, ">") != 1 {
				t.Errorf("%q", l)
			}
		}
	})
}
