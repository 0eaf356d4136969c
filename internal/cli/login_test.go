package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// newStranger is a person with settings of their own, far from any data folder.
func newStranger(t *testing.T) *person {
	p := newPerson(t, t.TempDir())
	p.env["XDG_CONFIG_HOME"] = filepath.Join(p.dir, "config")
	return p
}

// approving makes the person's browser follow what it is sent to, and returns what it shows.
func approving(p *person) func() []string {
	var mu sync.Mutex
	var pages []string
	var browsing sync.WaitGroup
	p.t.Cleanup(browsing.Wait)
	p.browser = func(address string) {
		browsing.Go(func() {
			resp, err := http.Get(address)
			if err != nil {
				p.t.Error(err)
				return
			}
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			pages = append(pages, resp.Status+" "+string(b))
		})
	}
	return func() []string {
		browsing.Wait()
		mu.Lock()
		defer mu.Unlock()
		return pages
	}
}

func (p *person) loginsFile() string {
	return filepath.Join(p.env["XDG_CONFIG_HOME"], "fairway", "logins.json")
}

func TestLogin_GetsATokenThroughTheBrowser(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	pages := approving(p)
	r := p.run("login", "--url", at.URL+"/api/", "--name", "Ann's laptop").ok()
	if !strings.Contains(r.err, "Signed in to "+at.URL+" as ann@example.com, in team the-shop.") || r.out != "" {
		t.Errorf("said %q and %q", r.out, r.err)
	}
	if got := pages(); len(got) != 1 || !strings.HasPrefix(got[0], "200 ") || !strings.Contains(got[0], "You can close this window.") {
		t.Errorf("the browser shows %q", got)
	}
	asked, err := url.Parse(strings.Fields(p.started[0])[1])
	if err != nil || asked.Query().Get("name") != "Ann's laptop" || len(asked.Query().Get("challenge")) != 43 {
		t.Errorf("the browser was sent to %s", asked)
	}
	var stored logins
	if b, err := os.ReadFile(p.loginsFile()); err != nil || json.Unmarshal(b, &stored) != nil {
		t.Fatal(err)
	}
	if want := (login{Token: "fwy_desksecret", User: "ann@example.com", Team: "the-shop"}); stored.Default != at.URL || stored.At[at.URL] != want {
		t.Errorf("stored %+v", stored)
	}
	// What was stored is what commands use from here.
	if r := p.run("whoami").ok(); r.out != "ann@example.com\n" || !strings.Contains(r.err, "the-shop (owner)") {
		t.Errorf("whoami says %q and %q", r.out, r.err)
	}
	if strings.Contains(strings.Join(p.started, " ")+r.err, "fwy_") {
		t.Error("the token was shown")
	}
}

func TestLogin_KeepsItsFileForItsUserAlone(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	// The folder may be there, open to others, and older logins in it.
	folder := filepath.Dir(p.loginsFile())
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	old := `{"default":"https://old.test","logins":{"https://old.test":{"token":"fwy_old","user":"a","team":"b"}}}`
	if err := os.WriteFile(p.loginsFile(), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	p.stdin = laptopSecret + "\n"
	p.run("login", "--url", at.URL, "--token").ok()
	for path, want := range map[string]fs.FileMode{folder: 0o700, p.loginsFile(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v: %v", path, info.Mode().Perm(), want, err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if b, _ := os.ReadFile(p.loginsFile()); !strings.Contains(string(b), "fwy_old") {
		t.Error("the other login is gone")
	}
	if err := os.Chmod(p.loginsFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	p.run("whoami").failed(ExitForbidden, "other users can open it", "chmod 600")
	if err := os.WriteFile(p.loginsFile(), []byte("{"), 0o600); err != nil || os.Chmod(p.loginsFile(), 0o600) != nil {
		t.Fatal(err)
	}
	p.run("whoami").failed(ExitFailed, "is damaged")
}

func TestLogin_TakesATokenThatIsTypedOrPiped(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	for name, tc := range map[string]struct {
		args   []string
		stdin  string
		typing bool
	}{
		"typed":  {[]string{"--token"}, laptopSecret + "\n", true},
		"piped":  {[]string{"--token"}, laptopSecret + "\n", false},
		"given":  {[]string{"--token=" + laptopSecret}, "", false},
		"padded": {[]string{"--token"}, " " + laptopSecret + "\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newStranger(t)
			p.stdin, p.typing = tc.stdin, tc.typing
			r := p.run(append([]string{"login", "--url", at.URL, "--json"}, tc.args...)...).ok()
			if strings.Contains(r.out+r.err, "fwy_") {
				t.Errorf("the token is shown: %s%s", r.out, r.err)
			}
			var doc struct {
				URL   string
				Token hosting.Token
			}
			if err := json.Unmarshal([]byte(r.out), &doc); err != nil || doc.URL != at.URL || doc.Token.ID != "tok_laptop" {
				t.Errorf("%v in %s", err, r.out)
			}
			if len(p.started) != 0 {
				t.Errorf("started %v", p.started)
			}
		})
	}
}

func TestLogin_StoresNothingThatDoesNotWork(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	p.stdin = "fwy_wrong\n"
	r := p.run("login", "--url", at.URL, "--token")
	r.failed(ExitForbidden, "the token is not known")
	p.stdin = "two words\n"
	p.run("login", "--url", at.URL, "--token").failed(ExitUsage, "no token")
	p.stdin = ""
	p.run("login", "--url", at.URL, "--token").failed(ExitUsage, "no token")
	p.run("login").failed(ExitUsage, "--url")
	p.run("login", "--url", "fairway.test").failed(ExitUsage, "not the address")
	// A token behind a space is an argument, and is not repeated.
	r = p.run("login", "--url", at.URL, "--token", "fwy_hunter2")
	r.failed(ExitUsage, "an argument too many")
	gone := httptest.NewServer(nil)
	gone.Close()
	p.run("login", "--url", gone.URL).failed(ExitUnreachable, "cannot reach")
	if strings.Contains(r.err, "hunter2") || len(p.started) != 0 {
		t.Errorf("said %q, started %v", r.err, p.started)
	}
	if _, err := os.Stat(p.loginsFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
	delete(p.env, "XDG_CONFIG_HOME")
	p.stdin = laptopSecret
	p.run("login", "--url", at.URL, "--token").failed(ExitUsage, "set HOME")
	p.env["HOME"] = p.dir
	p.run("login", "--url", at.URL, "--token").ok()
	if _, err := os.Stat(filepath.Join(p.dir, ".config", "fairway", "logins.json")); err != nil {
		t.Error(err)
	}
}

func TestLogin_AnInterruptEndsTheWait(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	ctx, interrupt := context.WithCancel(t.Context())
	p.ctx = ctx
	p.browser = func(string) { interrupt() }
	p.run("login", "--url", at.URL).failed(ExitFailed, "stopped")
}

func TestLogin_SaysWhereToGoWhereNoBrowserOpens(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	s := &session{env: Env{Getenv: func(n string) string { return p.env[n] }}, g: &globals{json: true}}
	var said strings.Builder
	s.output = output{err: &said, json: true}
	o := client.Options{Base: at.URL + "/api"}
	back := must(listenForCode())
	defer back.close()
	(&signIn{session: s, name: "desk", noBrowser: true, at: o}).send(back, "verifier")
	if !strings.Contains(said.String(), "Open this address") || !strings.Contains(said.String(), at.URL+"/cli?challenge=") {
		t.Errorf("said %q", said.String())
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestCallback_TakesNothingWithoutTheState is what a page of another site can send: it knows
// the port, and not the state.
func TestCallback_TakesNothingWithoutTheState(t *testing.T) {
	b := must(listenForCode())
	defer b.close()
	if !strings.HasPrefix(b.listener.Addr().String(), "127.0.0.1:") {
		t.Errorf("listens on %s", b.listener.Addr())
	}
	ask := func(method, pathAndQuery string) int {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest(method, pathAndQuery, nil))
		if w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "evil") {
			t.Errorf("%s: headers %v, body %s", pathAndQuery, w.Header(), w.Body)
		}
		return w.Code
	}
	for path, want := range map[string]int{
		"/callback?code=evil":                        400,
		"/callback?code=evil&state=":                 400,
		"/callback?code=evil&state=evil":             400,
		"/callback?state=" + b.state:                 400,
		"/?code=evil&state=" + b.state:               404,
		"/favicon.ico":                               404,
		"/callback?code=evil&state=" + b.state + "x": 400,
	} {
		if got := ask("GET", path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := ask("POST", "/callback?code=evil&state="+b.state); got != 404 {
		t.Errorf("a POST: %d", got)
	}
	if len(b.code) != 0 {
		t.Fatal("a code was taken")
	}
	if _, err := b.wait(t.Context(), time.Millisecond); ExitCode(err) != ExitFailed || !strings.Contains(err.Error(), "nothing was approved") {
		t.Errorf("waited and got %v", err)
	}
	if got := ask("GET", "/callback?code=first&state="+b.state); got != 200 {
		t.Errorf("control: %d", got)
	}
	ask("GET", "/callback?code=second&state="+b.state)
	if code, err := b.wait(t.Context(), time.Minute); err != nil || code != "first" {
		t.Errorf("got %q, %v", code, err)
	}
}

func TestLogout_EndsTheTokenOrSaysThatItCannot(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	p.run("logout").failed(ExitNotFound, "not signed in")
	p.stdin = laptopSecret
	p.run("login", "--url", at.URL, "--token").ok()
	p.run("logout", "--url", "https://other.test").failed(ExitNotFound, "not signed in to https://other.test")
	r := p.run("logout").ok()
	if !strings.Contains(r.err, "lives on") || !strings.Contains(r.err, "fairway tokens revoke tok_laptop") || !slices.Contains(c.asked, "DELETE /teams/team_shop/tokens/tok_laptop") {
		t.Errorf("said %q, asked %v", r.err, c.asked)
	}
	if b, _ := os.ReadFile(p.loginsFile()); strings.Contains(string(b), "fwy_") || strings.Contains(string(b), at.URL) {
		t.Errorf("kept %s", b)
	}
	p.run("whoami").failed(ExitUnreachable, "no Fairway runs here", "fairway login")
	// One that was revoked elsewhere, and one whose Fairway is gone, are forgotten as well.
	for _, end := range []struct {
		name, says string
		do         func()
	}{
		{"revoked", `"revoked": true`, func() { c.tokens = nil }},
		{"gone", `"revoked": false`, at.Close},
	} {
		c.addToken("x", hosting.ScopeAdmin, laptopSecret, "tok_laptop", "team_shop")
		p.run("login", "--url", at.URL, "--token").ok()
		end.do()
		if r := p.run("logout", "--json").ok(); !strings.Contains(r.out, end.says) {
			t.Errorf("%s: %s", end.name, r.out)
		}
	}
}

func TestMachineName_IsWhatThePageCanShow(t *testing.T) {
	for in, want := range map[string]string{
		"": "a computer", "laptop": "laptop", " a\x1b[31mb\n ": "a[31mb", "x\u202ey": "xy", strings.Repeat("ü", 70): strings.Repeat("ü", 59) + "…",
	} {
		if got := machineName(in); got != want {
			t.Errorf("machineName(%q) = %q, want %q", in, got, want)
		}
	}
}
