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
	"time"

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
	claim(t, p)
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
	p := open(t, Config{Data: t.TempDir(), Domain: "example.com", ControlHost: "fairway.example.net", Executable: "/bin/false"})
	for name, want := range map[string]bool{
		"fairway.example.net": true, "FAIRWAY.example.net": true, "example.com": false, "shop.example.com": false, "127.0.0.1": false, "": false,
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
		"domain with port":         {Config{Domain: "example.com:80"}, "domain"},
		"domain with scheme":       {Config{Domain: "https://example.com"}, "domain"},
		"control host":             {Config{ControlHost: "a b"}, "control_host"},
		"role":                     {Config{Role: "cdn"}, "role"},
		"edges":                    {Config{Edges: "yes"}, "edges"},
		"edges that share nothing": {Config{Edges: "on"}, "object store"},
		"an edge alone":            {Config{Role: RoleEdge}, "object store"},
		"an edge with a state":     {Config{Role: RoleEdge, Objects: "file:///tmp", State: "bolt:///x"}, "state"},
		"an edge without the key":  {Config{Role: RoleEdge, Objects: "file:///tmp"}, "edge-key"},
		"control without edges":    {Config{Role: RoleControl, Edges: EdgesOff, Objects: "file:///tmp"}, "edges"},
		"poll":                     {Config{Poll: "1ms"}, "poll"},
		"control and no token":     {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "https://a.test"}, "edge_token"},
		"a token and no control":   {Config{Role: RoleEdge, Objects: "file:///tmp", EdgeToken: "env:X"}, "control"},
		"the token itself":         {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "https://a.test", EdgeToken: "fwe_secret"}, "file:PATH or env:NAME"},
		"control of no scheme":     {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "a.test", EdgeToken: "env:X"}, "control"},
		"control with a path":      {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "https://a.test/api", EdgeToken: "env:X"}, "control"},
		"control in the clear":     {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "http://a.test", EdgeToken: "env:X"}, "in the clear"},
		"control too often":        {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "https://a.test?every=10ms", EdgeToken: "env:X"}, "every"},
		"control and what else":    {Config{Role: RoleEdge, Objects: "file:///tmp", Control: "https://a.test?token=x", EdgeToken: "env:X"}, "not known"},
		"a control plane's report": {Config{Role: RoleControl, Objects: "file:///tmp", Control: "https://a.test", EdgeToken: "env:X"}, "role control"},
		"builds":                   {Config{Builds: -1}, "builds"},
		"days":                     {Config{LogDays: "-1"}, "log_days"},
		"too many days":            {Config{LogDays: "3651"}, "log_days"},
		"a rate below none":        {Config{LogRate: "-1"}, "log_rate"},
		"too high a rate":          {Config{LogRate: "1000001"}, "log_rate"},
		"no rate":                  {Config{LogRate: "fast"}, "log_rate"},
		"no days":                  {Config{LogDays: "30d"}, "log_days"},
		"public url":               {Config{PublicURL: "control.example.com"}, "public_url"},
		"state":                    {Config{State: "mysql://u:secret@db/fairway"}, "state"},
		"state in the clear":       {Config{State: "postgres://u:secret@db/fairway?sslmode=disable"}, "in the clear"},
		"objects":                  {Config{Objects: "s3://u:secret@bucket"}, "objects"},
		"logs":                     {Config{Logs: "kafka://h"}, "logs"},
		"logs in the clear":        {Config{Logs: "redis://h"}, "logs: Redis at another machine"},
		"bell":                     {Config{Bell: "redis://h"}, "bell"},
		"runner":                   {Config{Runner: "ecs://c/t"}, "runner"},
		"key":                      {Config{Key: "env:NONE"}, "key"},
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
		"https://main--shop.example.com":        {Domain: "example.com", ControlHost: "fairway.example.net", HTTPSPort: 443},
		"https://main--shop.example.com:8443":   {Domain: "example.com", ControlHost: "fairway.example.net"},
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

// claim makes the first person, before whom nothing else answers over the network.
func claim(t *testing.T, p *Platform) {
	t.Helper()
	ask := func(method, path, body string) int {
		r := httptest.NewRequest(method, "https://localhost"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		w := httptest.NewRecorder()
		p.API().ServeHTTP(w, r)
		return w.Code
	}
	if got := ask(http.MethodGet, "/api/projects", ""); got != http.StatusForbidden {
		t.Errorf("before there is an owner the API answered %d", got)
	}
	link, err := p.OwnerLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(link, "link=")
	if got := ask(http.MethodPost, "/api/user/signup", `{"email":"ann@example.com","name":"Ann","password":"correct horse battery","link":"`+secret+`"}`); got != http.StatusCreated {
		t.Fatalf("the owner link answered %d", got)
	}
	if link, err := p.OwnerLink(t.Context()); err != nil || link != "" {
		t.Errorf("there is an owner, and still a link: %q, %v", link, err)
	}
}

func TestConfig_KeepsTheControlHostApartFromTheSites(t *testing.T) {
	for _, tc := range []struct {
		control, domain, shared string
		ok                      bool
	}{
		{"fairway.example.net", "example.com", "", true},
		{"example.com", "example.com", "", false},
		{"control.example.com", "example.com", "", false},
		{"control.example.com", "sites.example.com", "", false},
		{"control.example.com", "example.com", "on", true},
		{"example.co.uk", "other.co.uk", "", true},
		{"a.github.io", "b.github.io", "", true}, // each below a public suffix is its own
		{"localhost", "localhost", "", true},
		{"dev.localhost", "dev.localhost", "", true},
		{"localhost.example.com", "example.com", "", false},
	} {
		_, err := Config{Data: t.TempDir(), Domain: tc.domain, ControlHost: tc.control, People: People{AllowSharedDomain: tc.shared}}.Normal()
		if (err == nil) != tc.ok {
			t.Errorf("%s beside *.%s, shared %q: %v", tc.control, tc.domain, tc.shared, err)
		}
		if err != nil && !strings.Contains(err.Error(), "cookies") {
			t.Errorf("%s beside *.%s is refused without the reason: %v", tc.control, tc.domain, err)
		}
	}
}

func TestProviders_AreReadWithoutTheirSecretInTheSetting(t *testing.T) {
	c := Config{Getenv: func(name string) string { return map[string]string{"S": "hidden"}[name] }}
	c.OIDC, c.GitHub = "issuer=https://id.example.com client=abc secret=env:S title=Example_Inc", "client=abc secret=env:S"
	list, err := c.providers()
	if err != nil || len(list) != 2 || list[0].Name() != "oidc" || list[0].Title() != "Example Inc" || list[1].Title() != "GitHub" {
		t.Fatalf("read %v, %v", list, err)
	}
	for _, bad := range []string{"issuer=https://id.example.com client=abc", "issuer=https://id.example.com client=abc secret=hidden", "client=abc secret=env:S", "colour=green secret=env:S"} {
		c.OIDC = bad
		if _, err := c.providers(); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestPeople_SaysWhatIsWrong(t *testing.T) {
	for want, c := range map[string]People{
		"signup": {Signup: "maybe"}, "allowed_origins": {AllowedOrigins: "https://dash.example.com/path"}, "allow_shared_domain": {AllowSharedDomain: "yes"},
		"unsandboxed_builds": {UnsandboxedBuilds: "1"}, "limits": {Limits: "api=-5"}, "quotas": {Quotas: "bytes=10GB"}, "hashes": {Hashes: "0"},
	} {
		if _, err := c.read(); !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	p, err := People{
		Signup: "open", AllowedOrigins: "https://dash.example.com http://localhost:5173", Limits: "api=200 logs=off", Quotas: "builds=2 bytes=10GiB", Hashes: "3",
	}.read()
	if err != nil || len(p.origins) != 2 || p.limits.API != 200 || p.limits.Logs != -1 || p.quotas.Bytes != 10<<30 || p.quotas.Projects != 200 || p.hashes.Parallel != 3 {
		t.Errorf("read %+v, %v", p, err)
	}
}

func TestConfig_KeepsLogsForAMonth(t *testing.T) {
	const day = 24 * time.Hour
	for days, want := range map[string]time.Duration{"": 30 * day, "0": 0, "1": day, "3650": 3650 * day} {
		c, err := Config{LogDays: days}.Normal()
		if err != nil || c.logLife() != want {
			t.Errorf("%q: %s, %v; want %s", days, c.logLife(), err, want)
		}
	}
}

func TestCacheConfig_ReadsBudgets(t *testing.T) {
	got, err := cacheConfig("memory=64MiB disk=0 manifests=10MiB")
	if err != nil || got.MemoryBytes != 64<<20 || got.DiskBytes != -1 || got.ManifestBytes != 10<<20 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"memory", "memory=1GB", "ram=1GiB", "disk=-1"} {
		if _, err := (Config{Cache: bad}).Normal(); !hosting.Is(err, hosting.CodeInvalid) || !strings.Contains(err.Error(), "cache") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
