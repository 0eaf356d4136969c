package controlapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
)

// browser is one that looks at the pages of a control host: it keeps cookies, says where its
// forms come from, and goes nowhere by itself.
type browser struct {
	t       *testing.T
	server  *httptest.Server
	cookies map[string]string
	header  http.Header // sent with the next request, too
}

func newBrowser(t *testing.T, api *controlapi.API) *browser {
	t.Helper()
	s := httptest.NewTLSServer(api.Public())
	t.Cleanup(s.Close)
	return &browser{t: t, server: s, cookies: map[string]string{}}
}

// answer is a page, or where the browser is sent.
type answer struct {
	status   int
	location string
	header   http.Header
	body     string
}

func (b *browser) get(path string) answer { return b.do(http.MethodGet, path, nil) }

func (b *browser) post(path string, form url.Values) answer { return b.do(http.MethodPost, path, form) }

func (b *browser) do(method, path string, form url.Values) answer {
	b.t.Helper()
	r := must[*http.Request](b.t)(http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(form.Encode())))
	r.Host = "localhost"
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Origin", "https://localhost")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for name := range b.header {
		r.Header.Set(name, b.header.Get(name))
	}
	b.header = nil
	resp := must[*http.Response](b.t)(b.server.Client().Transport.RoundTrip(r))
	defer func() { _ = resp.Body.Close() }()
	for _, c := range resp.Cookies() {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	body := must[[]byte](b.t)(io.ReadAll(resp.Body))
	return answer{resp.StatusCode, resp.Header.Get("Location"), resp.Header, string(body)}
}

// signIn signs the first person in.
func (b *browser) signIn() *browser {
	b.t.Helper()
	a := b.post("/signin", url.Values{"email": {"ann@example.com"}, "password": {goodPassword}})
	if a.status != http.StatusSeeOther || b.cookies[controlapi.SessionCookie] == "" {
		b.t.Fatalf("signing in answered %d %s", a.status, a.body)
	}
	return b
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// hidden are the values that a page's form has of its own.
func (a answer) hidden() url.Values {
	values := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(a.body, -1) {
		values.Set(m[1], m[2])
	}
	return values
}

// is requires a page of a status that holds all of the parts.
func (a answer) is(t *testing.T, status int, parts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("answered %d %s, want %d: %s", a.status, a.location, status, a.body)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("the page does not hold %q: %s", part, a.body)
		}
	}
}

// leads requires the browser to be sent on.
func (a answer) leads(t *testing.T, to string) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.location != to {
		t.Errorf("answered %d %q, want to be led to %q: %s", a.status, a.location, to, a.body)
	}
}
