package controlapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestSignIn_BeginsASessionAndSaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api)
	b.get("/signin").is(t, http.StatusOK, `id="email" name="email" type="email" value="" autocomplete="username" required minlength="3" maxlength="254" autofocus>`,
		`type="password" value="" autocomplete="current-password"`)
	b.post("/signin", url.Values{"email": {"ann@example.com"}}).is(t, http.StatusUnprocessableEntity,
		`value="ann@example.com"`, `aria-invalid="true" aria-describedby="password-error" autofocus>`, `id="password-error" role="alert">This is missing.`)
	wrong := b.post("/signin", url.Values{"email": {"ann@example.com"}, "password": {"a wrong password"}})
	wrong.is(t, http.StatusUnauthorized, `value="ann@example.com"`, `id="password-error" role="alert">`)
	if strings.Contains(wrong.body, "a wrong password") || wrong.header.Get("Set-Cookie") != "" {
		t.Errorf("a wrong password was answered with %v: %s", wrong.header, wrong.body)
	}
	a := b.post("/signin", url.Values{"email": {" Ann@Example.com "}, "password": {goodPassword}, "next": {approval}})
	a.leads(t, "/cli?challenge="+strings.Repeat("c", 43)+"&name=laptop&port=40000&state=s")
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{controlapi.SessionCookie + "=", "; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie is without %q: %s", part, cookie)
		}
	}
	if strings.Contains(cookie, "Domain") {
		t.Errorf("the cookie is for other hosts, too: %s", cookie)
	}
	b.get("/signin?next=%2Fjoin%3Flink%3Dx").leads(t, "/join?link=x")
}

func TestSignIn_LeadsToNobodyElse(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api).signIn()
	for _, next := range []string{
		"https://evil.example/", "//evil.example/cli", `/\evil.example`, "/api/user", "javascript:alert(1)", "/cli/../api", "%2F%2Fevil.example", "https:/cli", "cli",
		"/cli?" + strings.Repeat("x", 2000), "\t//evil.example", "/signout", "https:cli", "//user@localhost/cli",
	} {
		b.get("/signin?"+url.Values{"next": {next}}.Encode()).leads(t, "/")
	}
	b.get("/signin?"+url.Values{"next": {"/cli?port=1"}}.Encode()).leads(t, "/cli?port=1") // control
}

func TestSignOut_EndsTheSession(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api).signIn()
	secret := b.cookies[controlapi.SessionCookie]
	b.post("/signout", nil).leads(t, "/signin")
	if b.cookies[controlapi.SessionCookie] != "" {
		t.Error("the browser still has its cookie")
	}
	b.cookies[controlapi.SessionCookie] = secret
	b.get("/").is(t, http.StatusOK, "Sites are built, hosted and served here.")
	b.post("/signout", nil).leads(t, "/signin") // again
}

func TestSignUp_IsShownToWhomItIsOpen(t *testing.T) {
	for signup, want := range map[account.Signup]string{
		account.SignupClosed: "Accounts are by invitation", account.SignupInvite: "Accounts are by invitation", account.SignupOpen: "Make the account",
	} {
		w := newWorld(t, func(c *controlapi.Config) { c.Signup = signup })
		b := newBrowser(t, w.api)
		b.get("/signup").is(t, http.StatusOK, want)
		b.get("/signup?link=x").is(t, http.StatusOK, "Make the account", `name="link" value="x"`)
		if shown := strings.Contains(b.get("/signin").body, `href="/signup"`); shown != (signup == account.SignupOpen) {
			t.Errorf("%s: the sign-in page offers an account: %v", signup, shown)
		}
	}
	w := newWorld(t, openSignup)
	b := newBrowser(t, w.api)
	in := url.Values{"name": {"Ben"}, "email": {"ben@example.com"}, "password": {"password1234"}}
	b.post("/signup", in).is(t, http.StatusUnprocessableEntity, `<p class="error" role="alert">`, `value="ben@example.com"`)
	in.Set("password", goodPassword)
	b.post("/signup", in).leads(t, "/")
	b.get("/").is(t, http.StatusOK, "Signed in as Ben")
}

func TestJoin_AsksBeforeAnythingIsJoined(t *testing.T) {
	w := newWorld(t, openSignup)
	operator := must[hosting.Caller](t)(w.people.Operator(t.Context(), hosting.ViaSocket, "", account.From{}))
	inv := must[hosting.Invitation](t)(w.people.Invite(t.Context(), operator, "ben@example.com", hosting.RoleDeveloper))
	path := strings.TrimPrefix(inv.Link, "https://localhost")
	b := newBrowser(t, w.api)
	_, link, _ := strings.Cut(path, "link=")
	b.get(path).is(t, http.StatusOK, `href="/signin?next=%2Fjoin%3Flink%3D`+link+`"`, `href="/signup?link=`+link+`"`)
	b.post("/join", url.Values{"link": {link}}).leads(t, "/signin?next=%2Fjoin%3Flink%3D"+link)

	ann := newBrowser(t, w.api).signIn()
	ann.post("/join", ann.get(path).hidden()).is(t, http.StatusForbidden, `role="alert"`) // it is not for her
	b.post("/signup", url.Values{"name": {"Ben"}, "email": {"ben@example.com"}, "password": {goodPassword}}).leads(t, "/")
	b.get(path).is(t, http.StatusOK, "Accept the invitation")
	if a := b.get("/"); strings.Contains(a.body, "Teams") {
		t.Error("looking at the invitation accepted it")
	}
	a := b.post("/join", b.get(path).hidden())
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location, "/?team=") {
		t.Fatalf("joining answered %d %s", a.status, a.body)
	}
	b.get(a.location).is(t, http.StatusOK, "developer")
}

func TestForgot_AnswersEverybodyAlike(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api)
	known := b.post("/forgot", url.Values{"email": {"ann@example.com"}})
	unknown := b.post("/forgot", url.Values{"email": {"nobody@example.com"}})
	known.is(t, http.StatusOK, "If the address has an account")
	if known.body != unknown.body || known.status != unknown.status {
		t.Errorf("an unknown address is answered %d %s", unknown.status, unknown.body)
	}
	b.post("/forgot", url.Values{"email": {"a"}}).is(t, http.StatusUnprocessableEntity, `id="email-error"`)
}

func TestReset_SetsAPasswordOnce(t *testing.T) {
	w := newWorld(t)
	ann := newBrowser(t, w.api).signIn()
	operator := must[hosting.Caller](t)(w.people.Operator(t.Context(), hosting.ViaSocket, "", account.From{}))
	link := must[account.Link](t)(w.people.ResetLink(t.Context(), operator, w.person("ann@example.com").User))
	b := newBrowser(t, w.api)
	form := b.get(strings.TrimPrefix(link.URL, "https://localhost")).hidden()
	form.Set("password", "short")
	b.post("/reset", form).is(t, http.StatusUnprocessableEntity, `id="password-error"`)
	form.Set("password", "another long sentence of mine")
	b.post("/reset", form).is(t, http.StatusOK, "Your password is set")
	if a := b.post("/reset", form); a.status/100 != 4 || !strings.Contains(a.body, `role="alert"`) {
		t.Errorf("the link worked twice: %d %s", a.status, a.body)
	}
	ann.get("/").is(t, http.StatusOK, "Sites are built, hosted and served here.") // signed out everywhere
	b.post("/signin", url.Values{"email": {"ann@example.com"}, "password": {form.Get("password")}}).leads(t, "/")
}

func TestConfirm_SaysWhenALinkIsNone(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api)
	form := b.get("/confirm?link=none").hidden()
	if form.Get("link") != "none" {
		t.Errorf("the form holds %v", form)
	}
	b.post("/confirm", form).is(t, http.StatusNotFound, `role="alert"`)
}
