package controlapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// place vouches for whoever comes back with the state that it was begun with, once it has
// been asked to: only its answers are made up, which package oidc tests with a real server.
type place struct {
	name string
	who  account.External
	down error // it cannot be asked how to begin
}

func (p place) Name() string  { return p.name }
func (p place) Title() string { return strings.ToUpper(p.name) }

func (p place) Start(_ context.Context, redirect string) (string, oidc.Flow, error) {
	to := "https://" + p.name + ".example/authorize?" + url.Values{"redirect_uri": {redirect}, "state": {"the-state"}}.Encode()
	return to, oidc.Flow{State: "the-state"}, p.down
}

func (p place) Finish(_ context.Context, flow oidc.Flow, query url.Values) (account.External, error) {
	if query.Get("state") != flow.State || flow.State == "" {
		return account.External{}, hosting.Errorf(hosting.CodeUnauthenticated, "the signing-in was begun elsewhere")
	}
	return p.who, nil
}

// places is a world where one signs in by two places, and the time that it has.
func places(t *testing.T) (*world, *time.Time) {
	t.Helper()
	now := time.Now()
	ben := account.External{Subject: "42", Email: "ben@example.com", Name: "Ben", Verified: true}
	one, two := place{name: "one", who: ben}, place{name: "two", who: ben}
	one.who.Provider, two.who.Provider = "one", "two"
	w := newWorld(t, openSignup, func(c *controlapi.Config) {
		c.Providers, c.Now = []controlapi.Provider{one, two}, func() time.Time { return now }
	})
	return w, &now
}

const back = "/auth/one/callback?state=the-state&code=x"

func TestExternal_SaysThatThePlaceDoesNotAnswer(t *testing.T) {
	down := place{name: "one", down: hosting.Errorf(hosting.CodeUnavailable, "ONE does not answer")}
	w := newWorld(t, openSignup, func(c *controlapi.Config) { c.Providers = []controlapi.Provider{down} })
	a := newBrowser(t, w.api).get("/auth/one")
	a.is(t, http.StatusServiceUnavailable, "ONE does not answer")
	if a.header.Get("Set-Cookie") != "" {
		t.Errorf("a flow was begun: %s", a.header.Get("Set-Cookie"))
	}
}

func TestExternal_SignsIn(t *testing.T) {
	w, _ := places(t)
	b := newBrowser(t, w.api)
	b.get("/signin?next=%2Fjoin%3Flink%3Dx").is(t, http.StatusOK, `<a class="other" href="/auth/one?next=%2Fjoin%3Flink%3Dx">Sign in with ONE</a>`)
	a := b.get("/auth/one?next=%2Fjoin%3Flink%3Dx")
	a.leads(t, "https://one.example/authorize?redirect_uri=https%3A%2F%2Flocalhost%2Fauth%2Fone%2Fcallback&state=the-state")
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{"__Host-fairway-flow=", "; Path=/;", "; Max-Age=600", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the flow's cookie is without %q: %s", part, cookie)
		}
	}
	if strings.Contains(cookie, "the-state") || strings.Contains(cookie, "join") {
		t.Errorf("the flow is not sealed: %s", cookie)
	}
	b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}} // it comes back from another site
	b.get(back).leads(t, "/join?link=x")
	if b.cookies["__Host-fairway-flow"] != "" || b.cookies[controlapi.SessionCookie] == "" {
		t.Errorf("the browser has %v", b.cookies)
	}
	b.get("/").is(t, http.StatusOK, "Signed in as Ben (ben@example.com)")
}

func TestExternal_RefusesWhatWasNotBegunHere(t *testing.T) {
	w, now := places(t)
	begun := func() *browser {
		b := newBrowser(t, w.api)
		b.get("/auth/one")
		return b
	}
	for name, tc := range map[string]struct {
		b      *browser
		path   string
		status int
	}{
		"control":            {begun(), back, http.StatusSeeOther},
		"no flow":            {newBrowser(t, w.api), back, http.StatusUnauthorized},
		"another place":      {begun(), "/auth/two/callback?state=the-state&code=x", http.StatusUnauthorized},
		"another state":      {begun(), "/auth/one/callback?state=other&code=x", http.StatusUnauthorized},
		"a place of nobody":  {begun(), "/auth/three/callback?state=the-state", http.StatusNotFound},
		"a flow made up":     {&browser{t: t, server: begun().server, cookies: map[string]string{"__Host-fairway-flow": "made_up"}}, back, http.StatusUnauthorized},
		"a flow of no base":  {&browser{t: t, server: begun().server, cookies: map[string]string{"__Host-fairway-flow": "!"}}, back, http.StatusUnauthorized},
		"a start of nowhere": {begun(), "/auth/three", http.StatusNotFound},
		"a long link":        {begun(), "/auth/one?link=" + strings.Repeat("x", 201), http.StatusUnprocessableEntity},
	} {
		a := tc.b.get(tc.path)
		if a.status != tc.status {
			t.Errorf("%s: answered %d %s, want %d", name, a.status, a.body, tc.status)
		}
		if (tc.b.cookies[controlapi.SessionCookie] != "") != (name == "control") {
			t.Errorf("%s: the browser has %v", name, tc.b.cookies)
		}
	}
	late := begun()
	*now = now.Add(10*time.Minute + time.Second)
	late.get(back).is(t, http.StatusUnauthorized, "Begin again on the sign-in page.")
}

func TestExternal_MakesAnAccountByAnInvitation(t *testing.T) {
	w, _ := places(t)
	b := newBrowser(t, w.api)
	b.get("/signup?link=abc").is(t, http.StatusOK, `href="/auth/two?link=abc"`)
	b.get("/auth/two?link=abc")
	if a := b.get("/auth/two/callback?state=the-state"); a.status/100 == 5 {
		t.Errorf("a link that is none was answered %d %s", a.status, a.body)
	}
	resp := w.ask("GET", "/api/auth/options", "", "Authorization", "")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the options answered %d", resp.StatusCode)
	}
	if p := w.authOptions(resp); len(p.Providers) != 2 || p.Providers[0] != (controlapi.AuthProvider{Name: "one", Title: "ONE", URL: "/auth/one"}) || !p.Owner || p.SignUp != account.SignupOpen {
		t.Errorf("the options are %+v", p)
	}
}

func TestExternal_MakesTheOwnerByTheirLinkAlone(t *testing.T) {
	p := openParts(t, t.TempDir(), nil)
	people := p.people(nil)
	api := controlapi.New(controlapi.Config{
		Deploy: p.service, Account: people, DB: p.db, Ring: p.ring, Hosts: []string{"localhost"}, ControlURL: "https://localhost",
		Providers: []controlapi.Provider{place{name: "one", who: account.External{Provider: "one", Subject: "1", Email: "eve@example.com", Name: "Eve", Verified: true}}},
	})
	b := newBrowser(t, api)
	b.get("/auth/one")
	b.get(back).is(t, http.StatusForbidden, "This Fairway has no owner yet")
	link := must[account.Link](t)(people.OwnerLink(t.Context()))
	_, secret, _ := strings.Cut(link.URL, "link=")
	b.get("/auth/one?link=" + secret)
	b.get(back).leads(t, "/")
	b.get("/").is(t, http.StatusOK, "Signed in as Eve")
}

func (w *world) authOptions(resp *http.Response) (o controlapi.AuthOptions) {
	w.t.Helper()
	if err := json.NewDecoder(resp.Body).Decode(&o); err != nil {
		w.t.Fatal(err)
	}
	return o
}
