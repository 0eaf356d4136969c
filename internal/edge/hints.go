package edge

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// hintBytes is how much of a page is looked through for what it loads first.
	hintBytes = 64 << 10
	// maxHints bounds what is announced: each costs a line of every navigation.
	maxHints   = 10
	maxHintURL = 512
)

// navigates reports whether a browser loads the page to show it, over a protocol in which it
// takes an interim response: many HTTP/1.1 clients do not expect one.
func navigates(r *http.Request) bool {
	mode := r.Header["Sec-Fetch-Mode"]
	return r.ProtoMajor >= 2 && r.Method == http.MethodGet && len(mode) == 1 && mode[0] == "navigate"
}

// hint sends 103 Early Hints (RFC 8297) with what the page itself names to be loaded first.
// Where that is not known yet it is found in the first part of the body.
func (x *exchange) hint(f *fileHeaders, v *variant, first []byte) {
	links := f.hints.Load()
	if links == nil && first != nil {
		found := hintsOf(v, first)
		links = &found
		f.hints.Store(links)
	}
	if links == nil || len(*links) == 0 || x.hinted {
		return
	}
	x.hinted = true
	x.h["Link"] = *links
	x.w.WriteHeader(http.StatusEarlyHints)
	delete(x.h, "Link") // the page says it again itself
}

// hintsOf reads the head of a page, in whichever stored form.
func hintsOf(v *variant, first []byte) []string {
	var in io.Reader = bytes.NewReader(first)
	if v.encoding != nil {
		in = brotli.NewReader(in)
	}
	return findHints(io.LimitReader(in, hintBytes))
}

// findHints returns values of Link for what a page's head preloads, and for its style sheets.
// A page with a base gets none: its addresses are not relative to where it was found.
func findHints(in io.Reader) []string {
	links := []string{}
	z := html.NewTokenizer(in)
	z.SetMaxBuf(hintBytes)
	for len(links) < maxHints {
		switch z.Next() {
		case html.ErrorToken:
			return links
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch t.DataAtom {
			case atom.Body:
				return links
			case atom.Base:
				return []string{}
			case atom.Link:
				if link := hintOf(t.Attr); link != "" {
					links = append(links, link)
				}
			}
		}
	}
	return links
}

// hintOf writes one link element as a value of Link (RFC 8288), "" where it is not announced.
func hintOf(attrs []html.Attribute) string {
	a := map[string]string{}
	for _, attr := range attrs {
		if _, twice := a[attr.Key]; !twice {
			a[attr.Key] = strings.TrimSpace(attr.Val)
		}
	}
	rel := strings.ToLower(a["rel"])
	as := strings.ToLower(a["as"])
	switch rel {
	case "stylesheet":
		if a["media"] != "" && a["media"] != "all" {
			return ""
		}
		rel, as = "preload", "style"
	case "preload":
		if !isWord(as) || a["media"] != "" || a["imagesrcset"] != "" {
			return ""
		}
	case "modulepreload", "preconnect":
	default:
		return ""
	}
	if !isHintURL(a["href"]) {
		return ""
	}
	link := "<" + a["href"] + ">; rel=" + rel
	if as != "" && isWord(as) {
		link += "; as=" + as
	}
	// A different mode would load it twice.
	if mode, ok := a["crossorigin"]; ok {
		if link += "; crossorigin"; strings.EqualFold(mode, "use-credentials") {
			link += "=use-credentials"
		}
	}
	return link
}

// isHintURL refuses what could break out of a header.
func isHintURL(s string) bool {
	if s == "" || len(s) > maxHintURL {
		return false
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || c == '<' || c == '>' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func isWord(s string) bool { return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" }
