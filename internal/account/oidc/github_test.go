package oidc_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// octo is a stand-in for GitHub: no part of GitHub runs here. It speaks the four addresses
// that GitHub documents for OAuth apps with PKCE and for people in its REST API, and is as
// strict about what is sent to them. It allows whatever it is asked to.
type octo struct {
	*httptest.Server
	t          *testing.T
	codes      map[string]url.Values // code -> what it was asked for
	user, mail string                // JSON of /user and /user/emails
	status     int                   // of /user/emails
}

func newOcto(t *testing.T) *octo {
	t.Helper()
	o := &octo{
		t: t, codes: map[string]url.Values{}, status: http.StatusOK,
		user: `{"id": 583231, "login": "octocat", "name": "The Octocat"}`,
		mail: `[{"email": "old@example.com", "primary": false, "verified": true}, {"email": "octo@example.com", "primary": true, "verified": true, "visibility": "private"}]`,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/oauth/authorize", o.authorize)
	mux.HandleFunc("POST /login/oauth/access_token", o.accessToken)
	mux.HandleFunc("GET /api/v3/user", o.rest(func(w http.ResponseWriter) { _, _ = w.Write([]byte(o.user)) }))
	mux.HandleFunc("GET /api/v3/user/emails", o.rest(func(w http.ResponseWriter) { w.WriteHeader(o.status); _, _ = w.Write([]byte(o.mail)) }))
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func (o *octo) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != "Iv1.fairway" || q.Get("scope") != "read:user user:email" || q.Get("code_challenge_method") != "S256" {
		o.t.Errorf("asked with %v", q)
	}
	code := "code-" + q.Get("state")[:8]
	o.codes[code] = q
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

// accessToken answers errors with status 200, as GitHub does.
func (o *octo) accessToken(w http.ResponseWriter, r *http.Request) {
	asked, ok := o.codes[r.PostFormValue("code")]
	delete(o.codes, r.PostFormValue("code"))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch {
	case r.PostFormValue("client_id") != "Iv1.fairway" || r.PostFormValue("client_secret") != "hunter2":
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect."})
	case !ok || oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier")) != asked.Get("code_challenge") || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri"):
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."})
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "gho_token", "token_type": "bearer", "scope": "read:user,user:email"})
	}
}

func (o *octo) rest(answer func(http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer gho_token" || r.Header.Get("User-Agent") == "" || !strings.Contains(r.Header.Get("Accept"), "github") {
			http.Error(w, `{"message": "Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		answer(w)
	}
}

func (o *octo) provider(secret string) *oidc.Provider {
	o.t.Helper()
	p, err := oidc.GitHub(oidc.Config{Name: "github", Title: "GitHub", Issuer: o.URL, ClientID: "Iv1.fairway", ClientSecret: secret, HTTP: o.Client()})
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

// come sends a browser there and back.
func (o *octo) come(p *oidc.Provider) (oidc.Flow, url.Values) {
	o.t.Helper()
	to, flow := start(o.t, p)
	resp, _ := newBrowser(o.t).do(newBrowser(o.t).c.Get(to))
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || u.Query().Get("code") == "" {
		o.t.Fatalf("it was sent to %s (%v)", u, err)
	}
	return flow, u.Query()
}

func TestGitHub_TellsWhoSomebodyIs(t *testing.T) {
	octocat := account.External{Provider: "github", Subject: "583231", Email: "octo@example.com", Name: "The Octocat", Verified: true}
	with := func(change func(*account.External)) account.External { w := octocat; change(&w); return w }
	for name, c := range map[string]struct {
		change func(*octo)
		want   account.External
		code   hosting.Code
	}{
		"the primary, verified address": {func(*octo) {}, octocat, ""},
		"one that is not verified": {func(o *octo) { o.mail = `[{"email": "octo@example.com", "primary": true, "verified": false}]` },
			with(func(w *account.External) { w.Verified = false }), ""},
		"another that is": {func(o *octo) { o.mail = `[{"email": "old@example.com", "primary": false, "verified": true}]` },
			with(func(w *account.External) { w.Email, w.Verified = "", false }), ""},
		"no name":           {func(o *octo) { o.user = `{"id": 583231, "login": "octocat", "name": null}` }, with(func(w *account.External) { w.Name = "octocat" }), ""},
		"no number":         {func(o *octo) { o.user = `{"login": "octocat"}` }, account.External{}, hosting.CodeUnauthenticated},
		"a number as text":  {func(o *octo) { o.user = `{"id": "583231"}` }, account.External{}, hosting.CodeUnavailable},
		"no answer":         {func(o *octo) { o.status = http.StatusInternalServerError }, account.External{}, hosting.CodeUnavailable},
		"no right to it":    {func(o *octo) { o.status = http.StatusNotFound }, account.External{}, hosting.CodeUnavailable},
		"an endless answer": {func(o *octo) { o.mail = "[" + strings.Repeat(" ", 2<<20) + "]" }, account.External{}, hosting.CodeUnavailable},
		"something else":    {func(o *octo) { o.mail = `{"message": "moved"}` }, account.External{}, hosting.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOcto(t)
			c.change(o)
			p := o.provider("hunter2")
			flow, query := o.come(p)
			who, err := p.Finish(t.Context(), flow, query)
			if who != c.want || hosting.CodeOf(err) != c.code {
				t.Errorf("got %+v, %v\nwant %+v, %q", who, err, c.want, c.code)
			}
		})
	}
}

func TestGitHub_RefusesWhatBelongsToAnotherFlow(t *testing.T) {
	o := newOcto(t)
	p := o.provider("hunter2")
	other, _ := o.come(p)
	for name, c := range map[string]struct {
		p      *oidc.Provider
		change func(*oidc.Flow, url.Values)
		code   hosting.Code
	}{
		"the control":      {p, func(*oidc.Flow, url.Values) {}, ""},
		"another state":    {p, func(_ *oidc.Flow, q url.Values) { q.Set("state", other.State) }, hosting.CodeUnauthenticated},
		"another verifier": {p, func(f *oidc.Flow, _ url.Values) { f.Verifier = other.Verifier }, hosting.CodeUnauthenticated},
		"another address":  {p, func(f *oidc.Flow, _ url.Values) { f.Redirect += "x" }, hosting.CodeUnauthenticated},
		"another code":     {p, func(_ *oidc.Flow, q url.Values) { q.Set("code", "x") }, hosting.CodeUnauthenticated},
		"a wrong secret":   {o.provider("hunter3"), func(*oidc.Flow, url.Values) {}, hosting.CodeForbidden},
	} {
		flow, query := o.come(p)
		c.change(&flow, query)
		if who, err := c.p.Finish(t.Context(), flow, query); hosting.CodeOf(err) != c.code || (who.Email != "") != (c.code == "") {
			t.Errorf("%s: got %+v, %v", name, who, err)
		}
	}
}

func TestGitHub_IsGitHubUnlessToldOtherwise(t *testing.T) {
	p, err := oidc.GitHub(oidc.Config{Name: "github", ClientID: "Iv1.fairway", HTTP: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	if to, _ := start(t, p); !strings.HasPrefix(to, "https://github.com/login/oauth/authorize?") {
		t.Errorf("it begins at %s", to)
	}
	if _, err := oidc.GitHub(oidc.Config{Name: "github", ClientID: "Iv1.fairway", HTTP: &http.Client{}, Issuer: "http://ghe.example.com"}); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("without HTTPS: %v", err)
	}
}
