package controlapi_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func ask(change ...string) url.Values {
	v := url.Values{"challenge": {strings.Repeat("c", 43)}, "state": {"the-state"}, "port": {"40000"}, "name": {"laptop"}}
	for i := 0; i < len(change); i += 2 {
		v.Set(change[i], change[i+1])
	}
	return v
}

func TestApprove_GivesTheCommandLineAToken(t *testing.T) {
	w := newWorld(t)
	verifier := strings.Repeat("verifier", 8)
	sum := sha256.Sum256([]byte(verifier))
	path := "/cli?" + ask("challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "name", "<i>laptop</i>").Encode()
	b := newBrowser(t, w.api)
	to := b.get(path)
	to.leads(t, "/signin?next="+url.QueryEscape(path))
	b.post("/signin", url.Values{"email": {"ann@example.com"}, "password": {goodPassword}, "next": {path}}).leads(t, path)
	shown := b.get(path)
	shown.is(t, http.StatusOK, "“&lt;i&gt;laptop&lt;/i&gt;”", "in the name of Ann", `<select id="team"`, `<option value="90" selected>`)
	form := shown.hidden()
	form.Set("name", "<i>laptop</i>") // as the browser reads it
	form.Set("team", string(hosting.DefaultTeam))
	form.Set("scope", "everything")
	form.Set("days", "30")
	b.post("/cli", form).is(t, http.StatusUnprocessableEntity, `id="scope-error" role="alert">Choose one of these.`)
	form.Set("scope", "deploy")
	a := b.post("/cli", form)
	back := must[*url.URL](t)(url.Parse(a.location))
	if a.status != http.StatusSeeOther || back.Host != "127.0.0.1:40000" || back.Path != "/callback" || back.Scheme != "http" || back.Query().Get("state") != "the-state" {
		t.Fatalf("answered %d %q", a.status, a.location)
	}
	body, _ := json.Marshal(map[string]string{"code": back.Query().Get("code"), "verifier": verifier})
	resp := w.ask("POST", "/api/cli/token", string(body), "Authorization", "")
	var token account.TokenSecret
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("redeemed as %d, %v", resp.StatusCode, err)
	}
	if token.Scope != hosting.ScopeDeploy || token.Team != hosting.DefaultTeam || token.Project != "" || token.Name != "fairway login on <i>laptop</i>" ||
		token.ExpiresAt.Sub(token.CreatedAt).Hours() != 30*24 {
		t.Errorf("the token is %+v", token.Token)
	}
	if resp := w.ask("GET", "/api/projects", "", "Authorization", "Bearer "+token.Secret); resp.StatusCode != http.StatusOK {
		t.Errorf("it is answered %d", resp.StatusCode)
	}
	if resp := w.ask("POST", "/api/cli/token", string(body), "Authorization", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the code works twice: %d", resp.StatusCode)
	}
}

func TestApprove_RefusesWhatNoCommandLineMade(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w.api).signIn()
	for name, change := range map[string][]string{
		"a port of the system": {"port", "443"}, "no port": {"port", ""}, "a port too large": {"port", "65536"}, "a port and more": {"port", "40000/@evil.example"},
		"a short challenge": {"challenge", "x"}, "no challenge": {"challenge", ""}, "a challenge of other signs": {"challenge", strings.Repeat("=", 43)},
		"no state": {"state", ""}, "a state with a line": {"state", "a\nb"}, "a long state": {"state", strings.Repeat("s", 201)},
		"no name": {"name", ""}, "a long name": {"name", strings.Repeat("n", 61)}, "a name that turns around": {"name", "\u202egnihton"},
	} {
		in := ask(change...)
		b.get("/cli?"+in.Encode()).is(t, http.StatusUnprocessableEntity, "Run fairway login again.")
		for k, v := range map[string]string{"team": string(hosting.DefaultTeam), "scope": "read", "days": "7"} {
			in.Set(k, v)
		}
		if a := b.post("/cli", in); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: approved as %d %q", name, a.status, a.location)
		}
	}
	b.get("/cli?"+ask("name", strings.Repeat("n", 60), "port", "1024").Encode()).is(t, http.StatusOK) // control
}

// TestApprove_IsForOnesOwnTeams holds that the form's team is no way into another's, and that
// nothing is approved for who is signed out or may only look on.
func TestApprove_IsForOnesOwnTeams(t *testing.T) {
	w := newWorld(t, openSignup)
	ben := newBrowser(t, w.api)
	ben.post("/signup", url.Values{"name": {"Ben"}, "email": {"ben@example.com"}, "password": {goodPassword}}).leads(t, "/")
	in := ask("team", string(hosting.DefaultTeam), "scope", "read", "days", "7")
	ben.post("/cli", in).is(t, http.StatusUnprocessableEntity, `id="team-error"`)
	newBrowser(t, w.api).post("/cli", in).leads(t, "/signin?next="+url.QueryEscape("/cli?"+ask().Encode()))
	operator := must[hosting.Caller](t)(w.people.Operator(t.Context(), hosting.ViaSocket, "", account.From{}))
	if a := newBrowser(t, w.api).signIn().post("/cli", in); a.status != http.StatusSeeOther {
		t.Errorf("control: answered %d %s", a.status, a.body)
	}
	inv := must[hosting.Invitation](t)(w.people.Invite(t.Context(), operator, "ben@example.com", hosting.RoleViewer))
	_, link, _ := strings.Cut(inv.Link, "link=")
	must[hosting.TeamOf](t)(w.people.Accept(t.Context(), w.person("ben@example.com"), link))
	if a := ben.post("/cli", in); a.status != http.StatusSeeOther {
		t.Errorf("a viewer's token to look was answered %d %s", a.status, a.body)
	}
	in.Set("scope", "deploy")
	ben.post("/cli", in).is(t, http.StatusForbidden, `id="team-error" role="alert"`)
}
