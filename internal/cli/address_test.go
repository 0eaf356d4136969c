package cli

import (
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
