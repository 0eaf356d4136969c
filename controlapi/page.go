package controlapi

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
)

//go:embed pages/*.html pages/style.css
var pageFiles embed.FS

// style is the one stylesheet of all pages. It stands in each, and the policy names its
// digest: nothing else can style a page, and nothing at all can run in it.
var (
	style      = readStyle()
	styleHash  = styleDigest(style)
	pagesOf    = template.Must(template.New("page.html").Funcs(template.FuncMap{"style": styleOf}).ParseFS(pageFiles, "pages/page.html"))
	pagePolicy = "default-src 'none'; style-src '" + styleHash + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func readStyle() string {
	b, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		panic("controlapi: " + err.Error()) // it is part of the program
	}
	return string(b)
}

func styleOf() template.CSS { return template.CSS(style) } //nolint:gosec // a file of this program

func styleDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// page is what one page of the control host shows: a heading, a few sentences, a form or the
// home page's own part, and where else one may go.
type page struct {
	Status int // 200 when 0
	Title  string
	Lead   []string
	Form   *form
	Home   *homeView
	Links  []anchor
	// FormTo is an origin besides this one that the form's answer may lead to.
	FormTo string
}

// anchor leads to another page.
type anchor struct{ To, Text string }

// show answers with the page.
func (p *page) show(w http.ResponseWriter) error {
	var b bytes.Buffer
	if err := pagesOf.Execute(&b, p); err != nil {
		return err
	}
	policy := pagePolicy
	if p.FormTo != "" {
		policy = strings.Replace(policy, "form-action 'self'", "form-action 'self' "+p.FormTo, 1)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	// With no-referrer a form would be sent with "Origin: null" (Fetch standard, "append a
	// request Origin header"), as if another site's page had sent it.
	h.Set("Referrer-Policy", "same-origin")
	if p.Status == 0 {
		p.Status = http.StatusOK
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(b.Bytes()) // whoever asked has gone
	return nil
}

// problemPage is a problem for people: what programs get as JSON.
func problemPage(p *Problem) *page {
	lead := []string{sentence(p.Detail)}
	if p.Hint != "" {
		lead = append(lead, sentence(p.Hint))
	}
	return &page{Status: p.Status, Title: p.Title, Lead: lead, Links: []anchor{{"/", "To the start"}}}
}

// sentence begins with a capital letter and ends with a stop, as messages of errors do not.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
