package edge

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
)

// Pages says what the pages of the platform's own tell about it.
type Pages struct {
	// ControlURL is where sites are managed; only shown with Hint.
	ControlURL string
	// SitePattern is how a site's address looks, such as "<name>.localhost:8080"; only
	// shown with Hint.
	SitePattern string
	// Hint shows whoever meets an unknown host how to deploy. It is for a machine whose
	// visitors are its users.
	Hint bool

	again bool // shows a way back to the site
}

// pages are what a visitor sees where no site answers. Each is made once, names nothing of
// the request, and is never stored by a cache.
type pages struct {
	unknown     page // 404: no site has this host
	bare        page // 404: the host is an address, or no name at all
	suspended   page // 503 without Retry-After: only people end it
	notFound    page // 404: the site has no such file, and no page for that
	badRequest  page // 400: the path can name no file
	method      page // 405
	signIn      page // 401: the site is for others, and no person asks who could sign in
	closed      page // 403: the site is for others, and nobody can sign in here
	plain       page // 403: what is for TLS alone came without
	foreign     page // 403: another site's page posts
	ticket      page // 403: what lets members in is over, or of another browser
	healthy     page // 200: sites are served
	control     page // 200: a control plane, which serves no sites
	elsewhere   page // 421: another process of the installation serves the sites
	unavailable page // 503 with Retry-After: content cannot be read now
}

func newPages(c Pages) pages {
	p := pages{
		unknown:     newPage(http.StatusNotFound, "No site here", "There is no site at this address.", c),
		bare:        newPage(http.StatusNotFound, "No site here", "Sites on this server have names, and this address is none of them.", c),
		suspended:   newPage(http.StatusServiceUnavailable, "Paused", "This site is paused.", Pages{}),
		notFound:    newPage(http.StatusNotFound, "Not found", "There is nothing at this address.", Pages{}),
		badRequest:  newPage(http.StatusBadRequest, "Bad request", "This address cannot be read.", Pages{}),
		method:      newPage(http.StatusMethodNotAllowed, "Method not allowed", "This site can only be read.", Pages{}),
		signIn:      newPage(http.StatusUnauthorized, "Not for everybody", "This site is shown to those who sign in.", Pages{}),
		closed:      newPage(http.StatusForbidden, "Not for everybody", "This site cannot be opened here.", Pages{}),
		plain:       newPage(http.StatusForbidden, "Not over plain HTTP", "This site takes nothing that crossed the network in the clear.", Pages{}),
		foreign:     newPage(http.StatusForbidden, "Not from another site", "The page that sent this is of another site.", Pages{}),
		ticket:      newPage(http.StatusForbidden, "That took too long", "Open the site once more to sign in.", Pages{again: true}),
		healthy:     newPage(http.StatusOK, "OK", "This server serves its sites.", Pages{}),
		control:     newPage(http.StatusOK, "OK", "This server is a control plane.", Pages{}),
		elsewhere:   newPage(http.StatusMisdirectedRequest, "Not here", "Sites are not served at this address.", Pages{}),
		unavailable: newPage(http.StatusServiceUnavailable, "Unavailable", "This page cannot be shown right now; please try again in a moment.", Pages{}),
	}
	p.unavailable.retry = fixed("5")
	return p
}

// Elsewhere answers for every host where sites are served by other processes: 421 (RFC 9110,
// section 15.5.20). At HealthPath it says that the process is well.
func Elsewhere() http.Handler {
	p := newPages(Pages{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == HealthPath {
			p.control.serve(w, r)
			return
		}
		p.elsewhere.serve(w, r)
	})
}

// ofStatus returns the page of a refused path.
func (p *pages) ofStatus(status int) *page {
	if status == http.StatusBadRequest {
		return &p.badRequest
	}
	return &p.notFound
}

// page is a whole response.
type page struct {
	status int
	body   []byte
	length []string
	retry  []string // Retry-After; nil for none
}

var (
	valueHTML   = fixed("text/html; charset=utf-8")
	valuePolicy = fixed("default-src 'none'; style-src 'unsafe-inline'")
)

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}</style>
<h1>{{.Title}}</h1>
<p>{{.Sentence}}</p>
{{- if .Again}}
<p><a href="/">Try again</a></p>
{{- end}}
{{- if .Hint}}
<p>To put one up:</p>
<pre>fairway deploy DIR</pre>
{{- with .SitePattern}}<p>It will be at <code>{{.}}</code>.</p>{{end}}
{{- with .ControlURL}}<p>Sites are managed at <a href="{{.}}">{{.}}</a>.</p>{{end}}
{{- end}}
`))

func newPage(status int, title, sentence string, c Pages) page {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		Title, Sentence string
		Again           bool
		Pages
	}{title, sentence, c.again, c})
	if err != nil {
		panic(err) // a constant template over strings, into memory
	}
	return page{status: status, body: b.Bytes(), length: fixed(strconv.Itoa(b.Len()))}
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Content-Type"] = valueHTML
	h["Content-Length"] = p.length
	h["Content-Security-Policy"] = valuePolicy
	h["X-Content-Type-Options"] = valueNoSniff
	h["Cache-Control"] = valueNoStore
	if p.retry != nil {
		h["Retry-After"] = p.retry
	}
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		// A visitor who left before a page of one sentence is nobody's fault.
		_, _ = w.Write(p.body)
	}
}
