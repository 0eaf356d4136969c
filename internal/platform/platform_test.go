package platform

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func open(t *testing.T, c Config) *Platform {
	t.Helper()
	p, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

func TestOpen_MakesTheDataFolderAndAnswers(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	p := open(t, Config{Data: data, Executable: "/bin/false"})
	for range 2 {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { // and once more by open
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	for name, mode := range map[string]os.FileMode{"key": 0o600, "token": 0o600, "state.db": 0o600, "routes.db": 0o600, "job.sock": 0o600} {
		st, err := os.Stat(filepath.Join(data, name))
		if err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v", name, st.Mode(), err)
		}
	}
	token, err := os.ReadFile(filepath.Join(data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	for auth, want := range map[string]int{"": 401, "Bearer wrong": 401, "Bearer " + strings.TrimSpace(string(token)): 200} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/api/projects", nil)
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		p.API().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("with %q the API answered %d, want %d", auth, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	p.API().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/api/health", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"routes":"ok"`) {
		t.Errorf("health: %d %s", w.Code, w.Body)
	}
}

func TestAllowed_IsTheControlHostAndKnownSites(t *testing.T) {
	p := open(t, Config{Data: t.TempDir(), Domain: "example.com", ControlHost: "control.example.com", Executable: "/bin/false"})
	for name, want := range map[string]bool{
		"control.example.com": true, "CONTROL.example.com": true, "example.com": false, "shop.example.com": false, "127.0.0.1": false, "": false,
	} {
		if p.Allowed(name) != want {
			t.Errorf("Allowed(%q) is not %v", name, want)
		}
	}
}

func TestOpen_RefusesAFolderThatIsTakenAndMakesNothingInIt(t *testing.T) {
	data := t.TempDir()
	open(t, Config{Data: data, Executable: "/bin/false"})
	secrets := []string{filepath.Join(data, "key"), filepath.Join(data, "token")}
	for _, path := range secrets {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	_, err := Open(t.Context(), Config{Data: data, Executable: "/bin/false"})
	if !hosting.Is(err, hosting.CodeConflict) {
		t.Errorf("a second platform on the same folder: %v", err)
	}
	for _, path := range secrets {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the second one made %s (%v)", filepath.Base(path), err)
		}
	}
}

func TestOpen_KeepsTheTokenAndRefusesADamagedOne(t *testing.T) {
	data := t.TempDir()
	path := filepath.Join(data, "token")
	p, err := Open(t.Context(), Config{Data: data, Executable: "/bin/false"})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(path)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err == nil {
		t.Error("a closed platform starts")
	}
	if err := p.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if p, err = Open(t.Context(), Config{Data: data, Executable: "/bin/false"}); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(path); string(again) != string(first) {
		t.Error("the token changed")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Data: data, Executable: "/bin/false"}); !hosting.Is(err, hosting.CodeInvalid) {
		t.Errorf("with an empty token everybody would be the owner: %v", err)
	}
}

func TestConfig_SaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		c    Config
		want string
	}{
		"domain with port":   {Config{Domain: "example.com:80"}, "domain"},
		"domain with scheme": {Config{Domain: "https://example.com"}, "domain"},
		"control host":       {Config{ControlHost: "a b"}, "control_host"},
		"role":               {Config{Role: "edge"}, "role"},
		"edges":              {Config{Edges: "on"}, "edges"},
		"builds":             {Config{Builds: -1}, "builds"},
		"public url":         {Config{PublicURL: "control.example.com"}, "public_url"},
		"state":              {Config{State: "postgres://u:secret@db/fairway"}, "state"},
		"objects":            {Config{Objects: "s3://bucket"}, "objects"},
		"logs":               {Config{Logs: "redis://h"}, "logs"},
		"bell":               {Config{Bell: "redis://h"}, "bell"},
		"runner":             {Config{Runner: "ecs://c/t"}, "runner"},
		"key":                {Config{Key: "env:NONE"}, "key"},
	} {
		tc.c.Data = t.TempDir()
		_, err := Open(t.Context(), tc.c)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig_ShowsAddressesAsVisitorsTypeThem(t *testing.T) {
	for want, c := range map[string]Config{
		"http://main--shop.localhost:8080":      {},
		"http://main--shop.localhost":           {HTTPPort: 80},
		"https://main--shop.example.com":        {Domain: "example.com", HTTPSPort: 443},
		"https://main--shop.example.com:8443":   {Domain: "example.com"},
		"http://main--shop.dev.localhost:18080": {Domain: "dev.localhost", HTTPPort: 18080},
	} {
		n, err := c.Normal()
		if err != nil {
			t.Fatal(err)
		}
		if got := n.siteURL("main", "shop"); got != want {
			t.Errorf("siteURL = %s, want %s", got, want)
		}
	}
}

func TestInherited_IsWhatTheOperatorSetsForBuilds(t *testing.T) {
	got := inherited(Config{Environ: func() []string {
		return []string{
			"PATH=/bin", "HOME=/root", "FAIRWAY_TOKEN=secret", "FAIRWAY_JOB=outer", "AWS_SECRET_ACCESS_KEY=secret",
			"npm_config_registry=http://npm.test", "HTTPS_PROXY=http://proxy.test", "NODE_EXTRA_CA_CERTS=/ca.pem", "GIT_SSL_CAINFO=/ca.pem",
		}
	}})
	want := []string{"npm_config_registry=http://npm.test", "HTTPS_PROXY=http://proxy.test", "NODE_EXTRA_CA_CERTS=/ca.pem", "GIT_SSL_CAINFO=/ca.pem"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
