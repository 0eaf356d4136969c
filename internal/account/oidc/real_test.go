package oidc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const redirect = "http://localhost:9/auth/sso/callback" // nobody listens there: a test reads where the browser was sent

// openIssuer starts a real OpenID Connect server: the one of zitadel/oidc, which passes the
// conformance tests of the OpenID Foundation, with its login form.
func openIssuer(t *testing.T) (issuer string) {
	t.Helper()
	binary, err := filepath.Abs("../../../bin/op")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("%v: make bin/op builds it", err)
	}
	users := map[string]map[string]any{
		"id-ann": {"ID": "id-ann", "Username": "ann", "Password": "correct horse", "FirstName": "Ann", "LastName": "Ærø", "Email": "ann@example.com", "EmailVerified": true},
		"id-bob": {"ID": "id-bob", "Username": "bob", "Password": "battery staple", "FirstName": "Bob", "LastName": "B", "Email": "bob@example.com"},
	}
	b, err := json.Marshal(users)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	var log bytes.Buffer
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port), "USERS_FILE="+file, "REDIRECT_URI="+redirect)
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the issuer said:\n%.5000s", log.String())
		}
	})
	issuer = fmt.Sprintf("http://localhost:%d/", port)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+".well-known/openid-configuration", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
			return issuer
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the issuer does not answer: %v", err)
		}
	}
}

func provider(t *testing.T, c oidc.Config) *oidc.Provider {
	t.Helper()
	c.Name, c.Title, c.HTTP = "sso", "Example Single", &http.Client{Timeout: 10 * time.Second}
	if c.ClientID == "" {
		c.ClientID, c.ClientSecret = "web", "secret"
	}
	p, err := oidc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T, p *oidc.Provider) (string, oidc.Flow) {
	t.Helper()
	to, flow, err := p.Start(t.Context(), redirect)
	if err != nil {
		t.Fatal(err)
	}
	return to, flow
}

// browser is one that signs in at the issuer's form, without a window.
type browser struct {
	t *testing.T
	c *http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signIn goes to the address, fills the form in, and returns the query that it is sent back
// with; nil if it is not.
func (b *browser) signIn(to, user, password string) url.Values {
	b.t.Helper()
	page, body := b.do(b.c.Get(to))
	id := hidden.FindStringSubmatch(body)
	if id == nil {
		b.t.Fatalf("there is no form at %s: %d\n%s", to, page.StatusCode, body)
	}
	form := page.Request.URL.ResolveReference(&url.URL{Path: "/login/username"})
	end, _ := b.do(b.c.PostForm(form.String(), url.Values{"id": {id[1]}, "username": {user}, "password": {password}}))
	back := end.Header.Get("Location")
	if !strings.HasPrefix(back, redirect+"?") {
		return nil
	}
	u, err := url.Parse(back)
	if err != nil {
		b.t.Fatal(err)
	}
	return u.Query()
}

func (b *browser) do(resp *http.Response, err error) (*http.Response, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(body)
}

func TestReal_SignsInByAForm(t *testing.T) {
	issuer := openIssuer(t)
	for name, c := range map[string]struct {
		client         oidc.Config
		user, password string
		want           account.External
	}{
		"an address that is verified": {oidc.Config{}, "ann", "correct horse", account.External{Provider: "sso", Subject: "id-ann", Email: "ann@example.com", Name: "Ann Ærø", Verified: true}},
		"one that is not":             {oidc.Config{}, "bob", "battery staple", account.External{Provider: "sso", Subject: "id-bob", Email: "bob@example.com", Name: "Bob B"}},
		"a client without a secret":   {oidc.Config{ClientID: "native"}, "ann", "correct horse", account.External{Provider: "sso", Subject: "id-ann", Email: "ann@example.com", Name: "Ann Ærø", Verified: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.client.Issuer = issuer
			p := provider(t, c.client)
			to, flow := start(t, p)
			query := newBrowser(t).signIn(to, c.user, c.password)
			who, err := p.Finish(t.Context(), flow, query)
			if err != nil || who != c.want {
				t.Errorf("got %+v, %v\nwant %+v", who, err, c.want)
			}
			if _, err := p.Finish(t.Context(), flow, query); !hosting.Is(err, hosting.CodeUnauthenticated) {
				t.Errorf("the code worked twice: %v", err)
			}
		})
	}
	if query := newBrowser(t).signIn(first(start(t, provider(t, oidc.Config{Issuer: issuer}))), "ann", "wrong"); query != nil {
		t.Errorf("a wrong password brought %v", query)
	}
}

func first(to string, _ oidc.Flow) string { return to }

func TestReal_RefusesWhatBelongsToAnotherFlow(t *testing.T) {
	p := provider(t, oidc.Config{Issuer: openIssuer(t)})
	_, other := start(t, p)
	for name, c := range map[string]struct {
		change func(*oidc.Flow, url.Values)
		code   hosting.Code
	}{
		"the control: the same flow":     {func(*oidc.Flow, url.Values) {}, ""},
		"another browser's flow":         {func(f *oidc.Flow, _ url.Values) { *f = other }, hosting.CodeUnauthenticated},
		"another state":                  {func(_ *oidc.Flow, q url.Values) { q.Set("state", other.State) }, hosting.CodeUnauthenticated},
		"no state":                       {func(_ *oidc.Flow, q url.Values) { q.Del("state") }, hosting.CodeUnauthenticated},
		"no state on either side":        {func(f *oidc.Flow, q url.Values) { f.State = ""; q.Set("state", "") }, hosting.CodeUnauthenticated},
		"two states":                     {func(_ *oidc.Flow, q url.Values) { q.Add("state", other.State) }, hosting.CodeUnauthenticated},
		"another verifier (PKCE)":        {func(f *oidc.Flow, _ url.Values) { f.Verifier = other.Verifier }, hosting.CodeUnauthenticated},
		"another nonce":                  {func(f *oidc.Flow, _ url.Values) { f.Nonce = other.Nonce }, hosting.CodeUnauthenticated},
		"another address to come back":   {func(f *oidc.Flow, _ url.Values) { f.Redirect = "http://localhost:9/elsewhere" }, hosting.CodeUnauthenticated},
		"no code":                        {func(_ *oidc.Flow, q url.Values) { q.Del("code") }, hosting.CodeUnauthenticated},
		"a code that is made up":         {func(_ *oidc.Flow, q url.Values) { q.Set("code", "x") }, hosting.CodeUnauthenticated},
		"two codes":                      {func(_ *oidc.Flow, q url.Values) { q.Add("code", "x") }, hosting.CodeUnauthenticated},
		"a code without end":             {func(_ *oidc.Flow, q url.Values) { q.Set("code", strings.Repeat("x", 5000)) }, hosting.CodeUnauthenticated},
		"another issuer":                 {func(_ *oidc.Flow, q url.Values) { q.Set("iss", "https://evil.example.com") }, hosting.CodeUnauthenticated},
		"a person who does not allow it": {func(_ *oidc.Flow, q url.Values) { q.Set("error", "access_denied") }, hosting.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			to, flow := start(t, p)
			query := newBrowser(t).signIn(to, "ann", "correct horse")
			c.change(&flow, query)
			who, err := p.Finish(t.Context(), flow, query)
			if hosting.CodeOf(err) != c.code || (who.Email != "") != (c.code == "") {
				t.Errorf("got %+v, %v, want %q", who, err, c.code)
			}
		})
	}
}

func TestReal_RefusesAClientThatItDoesNotKnow(t *testing.T) {
	issuer := openIssuer(t)
	p, wrong := provider(t, oidc.Config{Issuer: issuer}), provider(t, oidc.Config{Issuer: issuer, ClientID: "web", ClientSecret: "guess"})
	to, flow := start(t, p)
	query := newBrowser(t).signIn(to, "ann", "correct horse")
	if _, err := wrong.Finish(t.Context(), flow, query); !hosting.Is(err, hosting.CodeForbidden) || strings.Contains(err.Error(), "guess") {
		t.Errorf("with a wrong secret: %v", err)
	}
	to, flow = start(t, p)
	if who, err := p.Finish(t.Context(), flow, newBrowser(t).signIn(to, "ann", "correct horse")); err != nil || who.Subject != "id-ann" {
		t.Errorf("with the right one: %+v, %v", who, err)
	}
}

func TestStart_MakesEachFlowAnew(t *testing.T) {
	p := provider(t, oidc.Config{Issuer: openIssuer(t)})
	to, one := start(t, p)
	_, two := start(t, p)
	if one.State == two.State || one.Nonce == two.Nonce || one.Verifier == two.Verifier || len(one.State) < 26 || len(one.Verifier) < 43 {
		t.Errorf("got %+v and %+v", one, two)
	}
	q, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	got := q.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "web", "redirect_uri": redirect, "scope": "openid email profile",
		"state": one.State, "nonce": one.Nonce, "code_challenge_method": "S256",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
	if strings.Contains(to, one.Verifier) || strings.Contains(to, "secret") {
		t.Errorf("the address tells secrets: %s", to)
	}
}
