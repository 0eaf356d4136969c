package controlapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func openSignup(c *controlapi.Config) { c.Signup = account.SignupOpen }

var (
	styleElement = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	input        = regexp.MustCompile(`<(?:input|select) id="([a-z]+)"[^>]*>`)
	behaviour    = regexp.MustCompile(`(?i)<script|<iframe|<img|\son[a-z]+=|\sstyle=|javascript:`)
)

var approval = "/cli?state=s&port=40000&name=laptop&challenge=" + strings.Repeat("c", 43)

// TestPages_AreInertAndSmall holds what every page has in common.
func TestPages_AreInertAndSmall(t *testing.T) {
	w := newWorld(t, openSignup)
	w.project("shop")
	for name, b := range map[string]*browser{"nobody": newBrowser(t, w.api), "Ann": newBrowser(t, w.api).signIn()} {
		for _, path := range []string{"/", "/signin", "/signup", "/join?link=x", "/forgot", "/reset?link=x", "/confirm?link=x", approval, "/visit?host=x.localhost&state=" + strings.Repeat("0", 64), "/none", "/auth/none", "/cli"} {
			a := b.get(path)
			if a.status == http.StatusSeeOther {
				continue
			}
			at := path + " for " + name
			if len(a.body) > 8<<10 || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("%s: %d bytes of %s", at, len(a.body), a.header.Get("Content-Type"))
			}
			if found := behaviour.FindString(a.body); found != "" || strings.Contains(a.body, "ZgotmplZ") {
				t.Errorf("%s holds %q", at, found)
			}
			checkPolicy(t, at, a)
			checkLabels(t, at, a.body)
		}
	}
}

// checkPolicy requires that nothing can run in the page, and that its own style applies.
func checkPolicy(t *testing.T, at string, a answer) {
	t.Helper()
	css := styleElement.FindStringSubmatch(a.body)
	if css == nil {
		t.Fatalf("%s has no style", at)
	}
	sum := sha256.Sum256([]byte(css[1]))
	to := ""
	if strings.HasPrefix(at, "/cli?") {
		to = " http://127.0.0.1:40000"
	}
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'" + to +
		"; base-uri 'none'; frame-ancestors 'none'"
	if got := a.header.Get("Content-Security-Policy"); got != want {
		t.Errorf("%s has the policy %q, want %q", at, got, want)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
		if a.header.Get(name) != want {
			t.Errorf("%s: %s is %q", at, name, a.header.Get(name))
		}
	}
}

// checkLabels requires a label for each input, and of each text what it is for.
func checkLabels(t *testing.T, at, body string) {
	t.Helper()
	for _, m := range input.FindAllStringSubmatch(body, -1) {
		if !strings.Contains(body, `<label for="`+m[1]+`">`) {
			t.Errorf("%s: %s has no label", at, m[1])
		}
		if strings.HasPrefix(m[0], "<input") && !strings.Contains(m[0], `autocomplete="`) {
			t.Errorf("%s: %s does not say what it is for", at, m[0])
		}
	}
	if strings.Count(body, " autofocus") > 1 {
		t.Errorf("%s has several that want the focus", at)
	}
}

func TestPages_OverPlainHTTPLeadToTLS(t *testing.T) {
	w := newWorld(t)
	resp := w.ask("GET", "/signin?next=%2Fcli", "", "Authorization", "")
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "https://localhost/signin?next=%2Fcli" {
		t.Errorf("answered %d %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp = w.ask("POST", "/signin", "email=ann%40example.com&password=x", "Authorization", "", "Origin", "http://localhost", "Content-Type", "application/x-www-form-urlencoded")
	if p := problemOf(t, resp); resp.StatusCode != http.StatusForbidden || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("a form was answered %d %s", resp.StatusCode, p.Detail)
	}
}

func TestPages_FailAsPages(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api)
	b.get("/none").is(t, http.StatusNotFound, "<h1>There is no such thing</h1>")
	b.get("/cli?port=1").is(t, http.StatusUnprocessableEntity, "Run fairway login again.")
	b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	b.post("/signin", nil).is(t, http.StatusForbidden, "The request was sent by a page of another site.")
	if a := b.get("/api/none"); a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API answered %s", a.header.Get("Content-Type"))
	}
	b.cookies["__Host-fairway"] = "over"
	b.get("/").is(t, http.StatusOK, "Sign in") // a session that is over is none
	b.header = http.Header{"Cookie": {"__Host-fairway=a; __Host-fairway=b"}}
	b.cookies = map[string]string{}
	b.get("/").is(t, http.StatusBadRequest, "two session cookies")
	b.post("/signin", url.Values{"email": {strings.Repeat("x", 20<<10)}}).is(t, http.StatusRequestEntityTooLarge)
}

func TestPages_ArePlainBeforeThereIsAnOwner(t *testing.T) {
	p := openParts(t, t.TempDir(), nil)
	people := p.people(nil)
	api := controlapi.New(controlapi.Config{
		Deploy: p.service, Account: people, DB: p.db, Ring: p.ring, Hosts: []string{"localhost"}, ControlURL: "https://localhost",
	})
	b := newBrowser(t, api)
	for _, path := range []string{"/", "/signin", "/forgot"} {
		b.get(path).is(t, http.StatusForbidden, "This Fairway has no owner yet", "Open the link that it printed at its start")
	}
	link := must[account.Link](t)(people.OwnerLink(t.Context()))
	path := strings.TrimPrefix(link.URL, "https://localhost")
	form := b.get(path).hidden()
	form.Set("name", "Ann")
	form.Set("email", "ann@example.com")
	form.Set("password", "short")
	b.post("/signup", form).is(t, http.StatusUnprocessableEntity, `id="password-error" role="alert">This has at least 12 characters.`, `value="Ann"`)
	form.Set("password", goodPassword)
	guess := url.Values{"link": {"guess"}, "name": {"Eve"}, "email": {"eve@example.com"}, "password": {goodPassword}}
	if a := newBrowser(t, api).post("/signup", guess); a.status/100 != 4 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a guessed link was answered %d", a.status)
	}
	b.post("/signup", form).leads(t, "/")
	b.get("/").is(t, http.StatusOK, "Signed in as Ann (ann@example.com)")
	newBrowser(t, api).get("/").is(t, http.StatusOK, `href="/signin"`)
}

func TestHome_ShowsOnesProjects(t *testing.T) {
	w := newWorld(t, func(c *controlapi.Config) { c.SitePattern = "https://NAME.localhost" })
	b := newBrowser(t, w.api).signIn()
	b.get("/").is(t, http.StatusOK, "There is none yet", "fairway deploy DIR", "https://NAME.localhost")
	must[hosting.Project](t)(w.owner().CreateProject(t.Context(), hosting.NewProject{Name: `<b>"Shop"</b>`, Slug: "shop"}))
	b.get("/").is(t, http.StatusOK, "&lt;b&gt;&#34;Shop&#34;&lt;/b&gt;", `<a href="https://shop.localhost">`)
	must[hosting.Team](t)(w.people.CreateTeam(t.Context(), w.person("ann@example.com"), account.NewTeam{Name: "Outfitters"}))
	b.get("/").is(t, http.StatusOK, `<a href="/?team=outfitters">Outfitters</a>`)
	b.get("/?team=outfitters").is(t, http.StatusOK, "<h1>Outfitters</h1>", "There is none yet")
	b.get("/?team=nobody").is(t, http.StatusNotFound)
}

// person is a caller by a new session.
func (w *world) person(email string) hosting.Caller {
	w.t.Helper()
	s := must[account.SignedIn](w.t)(w.people.LogIn(w.t.Context(), email, goodPassword, account.From{}))
	return must[hosting.Caller](w.t)(w.people.BySession(w.t.Context(), s.Secret, "", account.From{}))
}
