package controlapi

import (
	"bytes"
	"html/template"
	"net/http"
)

var homeTemplate = template.Must(template.New("home").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fairway</title>
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}</style>
<h1>Fairway is running</h1>
<p>To put a site up, in the folder where Fairway was started:</p>
<pre>./fairway deploy DIR</pre>
{{with .}}<p>It will be at <code>{{.}}</code>.</p>{{end}}
<p>Programs speak to <a href="/api/openapi.json">the API</a>, with the token of the data folder.</p>
`))

// registerHome serves the one page of the control host. It is for people, so it is not in
// the OpenAPI document.
func (a *API) registerHome() {
	var page bytes.Buffer
	if err := homeTemplate.Execute(&page, a.cfg.SitePattern); err != nil {
		panic("controlapi: write the home page: " + err.Error()) // a constant template over a string
	}
	a.mux.access["GET /{$}"] = accessOpen
	a.mux.ServeMux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		_, _ = w.Write(page.Bytes()) // whoever asked has gone
	})
}
