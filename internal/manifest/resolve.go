package manifest

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Request is what an answer depends on.
type Request struct {
	Path string // decoded once; cleaned by Resolve
}

// Answer is what a site shows for a request.
type Answer struct {
	Status   int    // 200, 308 or 404
	File     File   // what is shown; zero for 308, and for a 404 without a page of its own
	Location string // for 308: an encoded path below "/", without query
	Fallback bool   // File stands in for a path that has none, with status 200
}

const (
	indexFile    = "index.html"
	indexName    = "index"
	htmlSuffix   = ".html"
	notFoundFile = "404.html"
)

// Resolve says what is shown at a path, in the URL style of Cloudflare Pages: every page
// has one address, without ".html" and "index", and the others lead to it.
//
// A path is looked up as hosting.CleanPath spells it: "//a/./b" shows what "/a/b" shows,
// and a redirect leads to the clean spelling of its target. A redirect is given only where
// its target shows something, so none leads to a 404 or round in a circle.
func (m *Manifest) Resolve(req Request) Answer {
	p, ok := hosting.CleanPath(req.Path)
	if !ok {
		return Answer{Status: http.StatusNotFound}
	}
	p = p[1:]
	var a Answer
	if p == "" || p[len(p)-1] == '/' {
		a = m.folder(p)
	} else {
		a = m.page(p)
	}
	if a.Status == 0 {
		return m.miss(p)
	}
	return a
}

// page resolves a path without a final slash.
func (m *Manifest) page(p string) Answer {
	dir, name := cutLast(p)
	if f, ok := m.find(p, ""); ok {
		return m.exact(f, dir, name)
	}
	if f, ok := m.find(p, htmlSuffix); ok {
		if name == indexName {
			return redirect(dir)
		}
		return show(f)
	}
	if _, ok := m.find(p, "/"+indexFile); ok {
		return redirect(p + "/")
	}
	return Answer{}
}

// exact resolves a path at which there is a file. A ".html" leads to the address without
// it, unless another file has that address.
func (m *Manifest) exact(f File, dir, name string) Answer {
	stem, ok := strings.CutSuffix(name, htmlSuffix)
	if !ok || stem == "" {
		return show(f)
	}
	if stem == indexName {
		return redirect(dir)
	}
	if _, taken := m.find(dir, stem); taken {
		return show(f)
	}
	return redirect(dir + stem)
}

// folder resolves a path with a final slash, or the empty path.
func (m *Manifest) folder(p string) Answer {
	if f, ok := m.find(p, indexFile); ok {
		return show(f)
	}
	if p == "" {
		return Answer{}
	}
	p = p[:len(p)-1]
	if _, ok := m.find(p, htmlSuffix); !ok {
		return Answer{}
	}
	if dir, name := cutLast(p); name == indexName {
		return redirect(dir)
	}
	return redirect(p)
}

// miss answers for a path that shows nothing: the nearest 404.html upward, else the
// fallback. So a site with a 404.html at its top never falls back.
func (m *Manifest) miss(p string) Answer {
	// No file is below a folder whose path is longer than a file's may be.
	dir, _ := cutLast(p[:min(len(p), hosting.MaxPath)])
	for {
		if f, ok := m.find(dir, notFoundFile); ok {
			return Answer{Status: http.StatusNotFound, File: f}
		}
		if dir == "" {
			break
		}
		dir, _ = cutLast(dir[:len(dir)-1])
	}
	if m.fallback == hosting.FallbackSPA && isRoute(p) {
		if f, ok := m.find("", indexFile); ok {
			return Answer{Status: http.StatusOK, File: f, Fallback: true}
		}
	}
	return Answer{Status: http.StatusNotFound}
}

// isRoute reports whether a single-page application may own the path: not where its last
// segment has an extension other than .html (a script that is gone must not be answered
// with a page), nor below a name that begins with a dot (such as .well-known).
func isRoute(p string) bool {
	if strings.HasPrefix(p, ".") || strings.Contains(p, "/.") {
		return false
	}
	_, name := cutLast(p)
	dot := strings.LastIndexByte(name, '.')
	return dot < 0 || dot == len(name)-1 || name[dot:] == htmlSuffix
}

func show(f File) Answer { return Answer{Status: http.StatusOK, File: f} }

// redirect leads to "/" and the path p, which names a file or the folder of one: it has no
// empty segment, so the result never begins with "//" and cannot name another host.
func redirect(p string) Answer {
	u := url.URL{Path: "/" + p}
	return Answer{Status: http.StatusPermanentRedirect, Location: u.EscapedPath()}
}

// cutLast splits a path behind its last slash.
func cutLast(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/') + 1
	return p[:i], p[i:]
}

// find returns the file whose path is a+b, without joining them.
func (m *Manifest) find(a, b string) (File, bool) {
	lo, hi := 0, m.files
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := compareJoined(File{m, mid}.Path(), a, b); {
		case c == 0:
			return File{m, mid}, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return File{}, false
}

// compareJoined orders p against a+b.
func compareJoined(p, a, b string) int {
	n := min(len(p), len(a))
	if c := strings.Compare(p[:n], a[:n]); c != 0 {
		return c
	}
	if n < len(a) {
		return -1
	}
	return strings.Compare(p[n:], b)
}
