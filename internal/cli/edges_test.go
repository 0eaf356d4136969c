package cli

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestAhead_IsAsCoarseAsAPerson(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "1 h ago", 0: "just now", time.Second: "in 1 min", time.Minute: "in 1 min", 61 * time.Second: "in 2 min", time.Hour: "in 1 h",
		47 * time.Hour: "in 47 h", 48 * time.Hour: "in 2 days", 29 * 24 * time.Hour: "in 29 days", 90 * 24 * time.Hour: "on 2026-06-12",
	} {
		if got := ahead(noon.Add(d), noon); got != want {
			t.Errorf("ahead %s = %q, want %q", d, got, want)
		}
	}
	if got := ahead(time.Time{}, noon); got != "never" {
		t.Errorf("the zero time is %q", got)
	}
}

// A browser that another program sent brings a code that was promised to somebody else.
func TestLogin_StoresNothingWhereTheCodeIsRefused(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	pages := approving(p)
	follow := p.browser
	p.browser = func(address string) {
		u := must(url.Parse(address))
		q := u.Query()
		q.Set("challenge", strings.Repeat("A", 43))
		u.RawQuery = q.Encode()
		follow(u.String())
	}
	p.run("login", "--url", at.URL).failed(ExitForbidden, "the code is not known", "fairway login")
	if _, err := os.Stat(p.loginsFile()); err == nil || len(pages()) != 1 {
		t.Errorf("stored in spite of it: %v", err)
	}
}

func TestLogin_GoesAgainToWhereItWentLast(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	p.stdin = laptopSecret
	p.env["FAIRWAY_URL"] = at.URL
	p.run("login", "--token").ok()
	delete(p.env, "FAIRWAY_URL")
	c.addToken("another", hosting.ScopeRead, "fwy_other", "tok_other", hosting.DefaultTeam)
	p.stdin = "fwy_other"
	if r := p.run("login", "--token").ok(); !strings.Contains(r.err, at.URL+" as ann@example.com, in team ann") {
		t.Errorf("said %q", r.err)
	}
	if b, err := os.ReadFile(p.loginsFile()); err != nil || strings.Contains(string(b), laptopSecret) || !strings.Contains(string(b), "fwy_other") {
		t.Errorf("kept %s, %v", b, err)
	}
}

func TestLogin_SaysWhereItCannotKeepWhatItGot(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	folder(t, p.dir, map[string]string{"config": "a file"})
	p.stdin = laptopSecret
	r := p.run("login", "--url", at.URL, "--token")
	if r.code != ExitFailed || strings.Contains(r.err, "fwy_") {
		t.Errorf("ended with %d: %s", r.code, r.err)
	}
	// A file that is written only in part never takes the place of the one that is there.
	blocked := filepath.Join(t.TempDir(), "fairway", "logins.json")
	folder(t, filepath.Dir(blocked), map[string]string{"logins.json/x": ""})
	if err := replaceSecret(blocked, []byte("new")); err == nil {
		t.Error("a folder was replaced")
	}
	if entries, err := os.ReadDir(filepath.Dir(blocked)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestInTeam_AsksForATeamOfWhoHasNone(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"via":"file","name":"operator","teams":[]}`))
	}))
	defer server.Close()
	p := newStranger(t)
	p.env["FAIRWAY_TOKEN"] = "x"
	p.run("usage", "--url", server.URL).failed(ExitUsage, "no team", "--team")
	if r := p.run("whoami", "--url", server.URL).ok(); r.out != "operator\n" {
		t.Errorf("printed %q", r.out)
	}
	p.stdin = "x"
	p.run("login", "--url", server.URL, "--token").ok()
	if r := p.run("logout").ok(); !strings.Contains(r.err, "the token of the data folder") {
		t.Errorf("said %q", r.err)
	}
}

func TestTables_MarkWhatIsOver(t *testing.T) {
	c, p := stocked(t)
	c.tokens[0].ExpiresAt, c.tokens[0].LastUsedAt = noon, noon.Add(-time.Hour)
	c.used.Projects, c.used.Bytes = 10, 11<<30
	c.teams[1].Suspended, c.users[1].Suspended = true, true
	p.terminal, p.width = true, 120
	p.env["FAIRWAY_TEAM"] = "the-shop"
	for command, want := range map[string]string{
		"tokens": "\x1b[31mended\x1b[0m", "usage": "\x1b[31m10\x1b[0m", "teams --all": "\x1b[31msuspended\x1b[0m", "users": "\x1b[31msuspended\x1b[0m",
	} {
		if r := p.run(strings.Fields(command)...).ok(); !strings.Contains(r.out, want) {
			t.Errorf("%s prints %q", command, r.out)
		}
	}
	if r := p.run("usage").ok(); strings.Contains(r.out, "\x1b[31m1\x1b[0m") {
		t.Errorf("what is not used up is marked: %q", r.out)
	}
	if r := p.run("tokens").ok(); !strings.Contains(r.out, "1 h ago") {
		t.Errorf("the last use is not told: %q", r.out)
	}
}

func TestOS_IsTheProcessItself(t *testing.T) {
	env := OS()
	if env.Stdin != os.Stdin || env.Host == "" || env.Dir == "" || env.Now().IsZero() || env.Getenv("PATH") != os.Getenv("PATH") {
		t.Errorf("got %+v", env)
	}
}

func TestDeletion_IsOneDocument(t *testing.T) {
	c, p := stocked(t)
	var d hosting.Deletion
	decode(t, p.run("projects", "delete", "shop", "--yes", "--json").ok(), &d)
	if d.What != "project shop" || len(d.Gone) != 2 || len(d.Later) != 1 || len(c.projects) != 1 {
		t.Errorf("got %+v", d)
	}
}

func TestPlace_IsOneForEveryWayToWriteAnAddress(t *testing.T) {
	s := &session{env: Env{Dir: t.TempDir(), Getenv: func(string) string { return "" }}, g: &globals{}}
	for in, want := range map[string]client.Options{
		"https://Fairway.Example.com":      {Base: "https://fairway.example.com/api"},
		"https://fairway.example.com/":     {Base: "https://fairway.example.com/api"},
		"https://fairway.example.com/api/": {Base: "https://fairway.example.com/api"},
		"https://example.com:8443/fairway": {Base: "https://example.com:8443/fairway/api"},
		"https://example.com/x/?a=b#c":     {Base: "https://example.com/x/api"},
	} {
		if o := must(s.place(in)); o.Base != want.Base || siteOf(o)+"/api" != want.Base {
			t.Errorf("%s is %s, want %s", in, o.Base, want.Base)
		}
	}
}
