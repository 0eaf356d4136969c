package cli

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddress_FindsTheDataFolderHereAndAbove(t *testing.T) {
	c := newControl(t)
	deep := filepath.Join(c.dir, "a", "b", "c")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	newPerson(t, c.dir).run("projects").ok()
	newPerson(t, deep).run("projects").ok()

	elsewhere := t.TempDir()
	newPerson(t, elsewhere).run("projects").failed(ExitUnreachable, "no Fairway runs here", "--data")
	p := newPerson(t, elsewhere)
	p.run("projects", "--data", filepath.Join(c.dir, "data")).ok()
	p.env["FAIRWAY_DATA"] = filepath.Join(c.dir, "data")
	p.run("projects").ok()
	p.run("projects", "--data", "none").failed(ExitUnreachable, "no Fairway runs in "+filepath.Join(elsewhere, "none"))
	p.run("projects", "--data", "x", "--url", "https://x.test").failed(ExitUsage, "two places")
}

func TestAddress_ADeadSocketIsUnreachable(t *testing.T) {
	dir := folder(t, t.TempDir(), map[string]string{"data/admin.sock": ""})
	newPerson(t, dir).run("projects").failed(ExitUnreachable, "cannot reach Fairway")
}

func TestAddress_RemoteSendsTheToken(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.Path + " " + r.Header.Get("Authorization")
		if r.Header.Get("Authorization") == "Bearer wrong" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"detail":"the token is not known","code":"unauthenticated"}`))
			return
		}
		_, _ = w.Write([]byte(`{"items":[]}`))
	}))
	defer server.Close()
	p := newPerson(t, t.TempDir())
	p.run("projects", "--url", server.URL).failed(ExitForbidden, "FAIRWAY_TOKEN")
	p.env["FAIRWAY_URL"], p.env["FAIRWAY_TOKEN"] = server.URL+"/", "secret\n"
	p.run("projects").ok()
	if got != "/api/projects Bearer secret" {
		t.Errorf("asked %q", got)
	}
	p.run("projects", "--url", server.URL+"/api", "--token", "other").ok()
	if got != "/api/projects Bearer other" {
		t.Errorf("asked %q", got)
	}
	p.run("projects", "--token", "wrong").failed(ExitForbidden, "the token is not known")
	p.run("projects", "--url", "ftp://x").failed(ExitUsage, "not the address")
	r := p.run("projects", "--url", "https://ann:hunter2@fairway.test")
	r.failed(ExitUsage, "not the address")
	if strings.Contains(r.err, "hunter2") {
		t.Errorf("said %q", r.err)
	}
}

func TestAddress_GoesWhereOneSignedInLastOfAll(t *testing.T) {
	c := newControl(t)
	c.settle()
	history(c)
	here, elsewhere := c.remote(t), newControl(t)
	elsewhere.settle()
	there := elsewhere.remote(t)
	p := newStranger(t)
	p.stdin = laptopSecret
	p.run("login", "--url", there.URL, "--token").ok()
	p.run("login", "--url", here.URL, "--token").ok()
	asks := func(want *control, args ...string) {
		t.Helper()
		before := len(want.asked)
		p.run(args...).ok()
		if len(want.asked) == before {
			t.Errorf("%v asked somebody else", args)
		}
	}
	asks(c, "projects")
	asks(elsewhere, "projects", "--url", there.URL+"/")
	p.env["FAIRWAY_URL"] = there.URL
	asks(elsewhere, "projects")
	asks(c, "projects", "--url", here.URL)
	delete(p.env, "FAIRWAY_URL")
	near := newControl(t)
	p.dir = near.dir // a data folder is nearer
	asks(near, "projects")
	p.env["FAIRWAY_TOKEN"] = "fwy_wrong" // one that is given comes before the stored one
	p.run("projects", "--url", here.URL).failed(ExitForbidden, "the token is not known")
	p.run("projects", "--url", "https://nobody.test").failed(ExitUnreachable)
	delete(p.env, "FAIRWAY_TOKEN")
	p.run("projects", "--url", "https://nobody.test").failed(ExitForbidden, "fairway login --url https://nobody.test")
}

func TestClient_SaysThatItWaitsForALimit(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = w.Write([]byte(`{"items":[]}`))
	}))
	defer server.Close()
	p := newStranger(t)
	p.env["FAIRWAY_TOKEN"] = "x"
	if r := p.run("projects", "--url", server.URL).ok(); asked != 2 || !strings.Contains(r.err, "Too many requests for now: going on in 0 s") {
		t.Errorf("asked %d times, said %q", asked, r.err)
	}
}

func TestDeploy_SaysThatItGoesWhereOneSignedIn(t *testing.T) {
	c := newControl(t)
	c.settle()
	at := c.remote(t)
	p := newStranger(t)
	p.stdin = laptopSecret
	p.run("login", "--url", at.URL, "--token").ok()
	p.dir = folder(t, filepath.Join(p.dir, "static"), page)
	if r := p.run("deploy").ok(); !strings.Contains(r.err, "No Fairway runs here: deploying to "+at.URL) {
		t.Errorf("said %q", r.err)
	}
	if r := p.run("deploy", "--url", at.URL).ok(); strings.Contains(r.err, "No Fairway runs here") {
		t.Errorf("with --url said %q", r.err)
	}
}

func TestAddress_TrustsTheRootOfADataFolderThatIsNearForThisMachineAlone(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"items":[]}`)) }))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	p := newStranger(t)
	p.env["FAIRWAY_TOKEN"] = "x"
	p.run("projects", "--url", server.URL).failed(ExitUnreachable, "certificate")
	folder(t, p.dir, map[string]string{"data/" + localRoot: root, "deep/er/x": ""})
	p.dir = filepath.Join(p.dir, "deep", "er")
	p.run("projects", "--url", server.URL).ok()
	far := newStranger(t)
	far.env["FAIRWAY_TOKEN"], far.env["FAIRWAY_DATA"] = "x", filepath.Join(p.dir, "..", "..", "data")
	far.run("projects", "--url", server.URL).ok()
	for address, want := range map[string]bool{
		"https://localhost:8443": true, "https://control.localhost": true, "https://127.0.0.1": true,
		"https://fairway.example.com": false, "https://localhost.example.com": false, "http://localhost": false,
	} {
		s := &session{env: Env{Dir: p.dir, Getenv: func(string) string { return "" }}, g: &globals{}}
		if o := must(s.place(address)); (o.RootCA != "") != want {
			t.Errorf("%s is checked with %q", address, o.RootCA)
		}
	}
}

func TestTeam_IsNamedByFlagOrEnvironment(t *testing.T) {
	c := newControl(t)
	c.settle()
	p := newPerson(t, c.dir)
	for _, tc := range []struct {
		env  string
		args []string
		want string
	}{
		{"", nil, ""}, {"the-shop", nil, "the-shop"}, {"ann", []string{"--team", "the-shop"}, "the-shop"},
	} {
		p.env["FAIRWAY_TEAM"] = tc.env
		p.run(append([]string{"open", "none"}, tc.args...)...).failed(ExitNotFound)
		if c.inTeam != tc.want {
			t.Errorf("%+v acted in %q", tc, c.inTeam)
		}
	}
	p.run("usage", "--team", "nobodys").failed(ExitNotFound, "no such team")
}

func TestAddress_WarnsOfATokenThatTravelsUnencrypted(t *testing.T) {
	p := newPerson(t, t.TempDir())
	ctx, cancel := contextThatEnded(t)
	defer cancel()
	p.ctx = ctx // nothing is dialed
	r := p.run("projects", "--url", "http://fairway.test", "--token", "x")
	if !strings.Contains(r.err, "unencrypted") {
		t.Errorf("stderr: %s", r.err)
	}
	if !loopback("localhost") || !loopback("127.0.0.1") || !loopback("::1") || loopback("10.0.0.1") || loopback("notlocalhost") {
		t.Error("loopback is misjudged")
	}
}
