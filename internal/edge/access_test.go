package edge_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
	"github.com/scale-mesh/fairway/internal/seal"
)

const previewHost = "main--site.localhost"

// guarded is a rig whose site is not for everybody.
type guarded struct {
	*rig
	key     seal.Key
	shown   *hosting.Resolved
	now     time.Time
	hashing atomic.Int64 // passwords that were compared
}

func newKey(t testing.TB) seal.Key {
	t.Helper()
	k, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// hashOf is a hash that costs little.
func hashOf(password string) string {
	h := argon.Hash{Params: argon.Params{Memory: 8, Time: 1, Threads: 1}, Salt: argon.NewSalt()}
	h.Key = argon.Key(password, h.Salt, h.Params)
	return h.String()
}

func newGuarded(t *testing.T, production, previews hosting.Access) *guarded {
	t.Helper()
	g := &guarded{key: newKey(t), now: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)}
	g.rig = newRig(t, func(c *edge.Config) {
		c.Now = func() time.Time { return g.now }
		c.Gate = edge.Gate{Keys: []seal.Key{g.key}, SignIn: "https://fairway.localhost/visit", HTTPSPort: 8443,
			Verify: func(_ context.Context, hash, password string) (bool, error) {
				g.hashing.Add(1)
				h, err := argon.Parse(hash)
				return err == nil && h.Is(argon.Key(password, h.Salt, h.Params)), err
			}}
	})
	d := g.store(hosting.FallbackSPA, upload{path: "index.html", text: "the page"}, upload{path: "assets/a.js", text: strings.Repeat("script ", 500), br: true},
		upload{path: "dir/index.html", text: "a folder"}, upload{path: ".fairway/login", text: "a file of the site"})
	g.shown = shownBy(d)
	g.shown.Site.Production, g.shown.Site.Previews, g.shown.Site.Seq = production, previews, 7
	g.show()
	return g
}

func shownBy(d hosting.Digest) *hosting.Resolved { return production(d, "dpl_one") }

// show has the router know the site as it is now, at its production and a preview host.
func (g *guarded) show() {
	live, preview := *g.shown, *g.shown
	g.router.hosts.Store(siteHost, &live)
	preview.Host, preview.Production, preview.Pointer.Name = previewHost, false, "b/main"
	g.router.hosts.Store(previewHost, &preview)
}

// visitor is a browser that keeps cookies, each for the host that set it.
type visitor struct {
	g       *guarded
	cookies map[string]map[string]string
	scheme  string
	more    string // cookies besides
}

func (g *guarded) visitor() *visitor {
	return &visitor{g: g, cookies: map[string]map[string]string{}, scheme: "https"}
}

func (v *visitor) do(method, host, path, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, v.scheme+"://"+host+path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:1234"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range v.cookies[host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if v.more != "" {
		r.Header.Add("Cookie", v.more)
	}
	w := httptest.NewRecorder()
	v.g.handler.ServeHTTP(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		if v.cookies[host] == nil {
			v.cookies[host] = map[string]string{}
		}
		if v.cookies[host][c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.cookies[host], c.Name)
		}
	}
	return resp
}

func (v *visitor) get(host, path string, headers ...string) *http.Response {
	return v.do(http.MethodGet, host, path, "", headers...)
}

func (v *visitor) logIn(host, password, next string) *http.Response {
	return v.do(http.MethodPost, host, "/.fairway/login", url.Values{"password": {password}, "next": {next}}.Encode())
}

func bodyOf(r *http.Response) string {
	b := new(strings.Builder)
	_ = r.Write(b)
	_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
	return body
}

func wantStatus(t *testing.T, what string, r *http.Response, status int) {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("%s: status %d, want %d; Location %q", what, r.StatusCode, status, r.Header.Get("Location"))
	}
}

const navigating = "Sec-Fetch-Mode: navigate"

func locked(password string) hosting.Access {
	return hosting.Access{Mode: hosting.AccessPassword, Hash: hashOf(password)}
}

func TestAccess_APasswordOpensTheSite(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	v := g.visitor()
	r := v.get(siteHost, "/dir/?a=b&c", navigating)
	wantStatus(t, "a stranger", r, 303)
	login := r.Header.Get("Location")
	if login != "/.fairway/login?next=%2Fdir%2F%3Fa%3Db%26c" {
		t.Errorf("is sent to %q", login)
	}
	r = v.get(siteHost, login)
	wantStatus(t, "the form", r, 200)
	if page := bodyOf(r); !strings.Contains(page, `value="/dir/?a=b&amp;c"`) || !strings.Contains(page, `type="password"`) {
		t.Errorf("the form:\n%s", page)
	}
	r = v.logIn(siteHost, "open sesam", "/dir/?a=b&c")
	wantStatus(t, "another password", r, 401)
	if !strings.Contains(bodyOf(r), "not the password") || len(v.cookies[siteHost]) != 0 {
		t.Error("another password is not told of, or lets in")
	}
	r = v.logIn(siteHost, "open sesame", "/dir/?a=b&c")
	wantStatus(t, "the password", r, 303)
	if to := r.Header.Get("Location"); to != "/dir/?a=b&c" {
		t.Errorf("leads to %q", to)
	}
	set := r.Header.Get("Set-Cookie")
	for _, want := range []string{"__Host-fairway-site=", "Path=/", "Max-Age=43200", "HttpOnly", "Secure", "SameSite=Lax"} {
		if !strings.Contains(set, want) {
			t.Errorf("the cookie %q is without %s", set, want)
		}
	}
	r = v.get(siteHost, "/dir/")
	wantStatus(t, "with a session", r, 200)
	for name, want := range map[string]string{"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex", "Cross-Origin-Resource-Policy": "same-origin", "X-Fairway-Deployment": "dpl_one"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for what, r := range map[string]*http.Response{
		"fingerprinted": v.get(siteHost, "/assets/a.js"), "a range": v.get(siteHost, "/assets/a.js", "Range: bytes=0-3"),
		"gzip": v.get(siteHost, "/assets/a.js", "Accept-Encoding: gzip"), "a redirect": v.get(siteHost, "/dir"), "absent": v.get(siteHost, "/none.js"),
		"not modified": v.get(siteHost, "/assets/a.js", "If-None-Match: "+etagOf(strings.Repeat("script ", 500))),
	} {
		if got := r.Header.Get("Cache-Control"); got != "private, no-store" && got != "no-store" || r.StatusCode >= 500 || r.StatusCode == 401 {
			t.Errorf("%s: status %d, Cache-Control %q", what, r.StatusCode, got)
		}
	}
	wantStatus(t, "the preview, for everybody", g.visitor().get(previewHost, "/"), 200)
	wantStatus(t, "after logging out", v.do("POST", siteHost, "/.fairway/logout", ""), 303)
	wantStatus(t, "logged out", v.get(siteHost, "/"), 401)
}

// What a session is for, and what ends it. Each has the control that the session was good.
func TestAccess_ASessionIsForOneSiteAsItIs(t *testing.T) {
	for name, change := range map[string]func(g *guarded, v *visitor){
		"nothing changed (control)":  func(*guarded, *visitor) {},
		"another password":           func(g *guarded, _ *visitor) { g.shown.Site.Production = locked("open sesame") },
		"another change of the site": func(g *guarded, _ *visitor) { g.shown.Site.Seq++ },
		"another project":            func(g *guarded, _ *visitor) { g.shown.Site.Project += "a" },
		"members alone":              func(g *guarded, _ *visitor) { g.shown.Site.Production = hosting.Access{Mode: hosting.AccessTeam} },
		"twelve hours later":         func(g *guarded, _ *visitor) { g.now = g.now.Add(12*time.Hour + time.Second) },
		"two cookies": func(_ *guarded, v *visitor) {
			v.more = "__Host-fairway-site=" + v.cookies[siteHost]["__Host-fairway-site"]
		},
		"a clock that is behind (control)": func(g *guarded, _ *visitor) { g.now = g.now.Add(-30 * time.Second) },
		"a clock far behind":               func(g *guarded, _ *visitor) { g.now = g.now.Add(-32 * time.Second) },
		"a longer life": func(_ *guarded, v *visitor) {
			_, token, _ := strings.Cut(v.cookies[siteHost]["__Host-fairway-site"], ".")
			v.cookies[siteHost]["__Host-fairway-site"] = "1795683600." + token
		},
		"another end": func(_ *guarded, v *visitor) {
			v.cookies[siteHost]["__Host-fairway-site"] = "0" + v.cookies[siteHost]["__Host-fairway-site"]
		},
		"the preview's": func(_ *guarded, v *visitor) {
			wantStatus(v.g.t, "at the preview", v.logIn(previewHost, "open sesame", "/"), 303)
			v.cookies[siteHost] = v.cookies[previewHost]
		},
	} {
		t.Run(name, func(t *testing.T) {
			same := locked("open sesame")
			g := newGuarded(t, same, same)
			v := g.visitor()
			wantStatus(t, "the password", v.logIn(siteHost, "open sesame", "/"), 303)
			wantStatus(t, "at first", v.get(siteHost, "/"), 200)
			change(g, v)
			g.show()
			want := 401
			if strings.Contains(name, "control") {
				want = 200
			}
			wantStatus(t, "then", v.get(siteHost, "/"), want)
		})
	}
}

func TestAccess_TakesWhatTheKeyBeforeARotationSigned(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	v := g.visitor()
	v.logIn(siteHost, "open sesame", "/")
	for name, tc := range map[string]struct {
		keys []seal.Key
		want int
	}{"both": {[]seal.Key{newKey(t), g.key}, 200}, "another (control)": {[]seal.Key{newKey(t)}, 401}, "none": {nil, 403}} {
		after := newRig(t, func(c *edge.Config) {
			c.Gate.Keys, c.Now, c.Router, c.Manifests = tc.keys, func() time.Time { return g.now }, g.router, g.blobs
		})
		g.rig.handler = after.handler
		if got := v.get(siteHost, "/none.js").StatusCode; got != tc.want && (tc.want != 200 || got != 404) {
			t.Errorf("%s: status %d, want %d", name, got, tc.want)
		}
	}
}

// An outsider learns nothing: what is answered is the same, byte for byte, for what there is and
// what there is not. The control is the same site for everybody, where it is not.
func TestAccess_OutsidersLearnNothing(t *testing.T) {
	etag := etagOf(strings.Repeat("script ", 500))
	requests := []struct {
		method string
		header []string
	}{
		{"GET", nil}, {"HEAD", nil}, {"POST", nil}, {"PUT", nil}, {"DELETE", nil}, {"OPTIONS", nil}, {"TRACE", nil}, {"PROPFIND", nil},
		{"GET", []string{"Range: bytes=0-0"}}, {"GET", []string{"Range: bytes=99999-"}}, {"GET", []string{"Range: bytes=0-0,2-3"}},
		{"GET", []string{"If-None-Match: " + etag}}, {"GET", []string{"If-Match: " + etag}}, {"GET", []string{"If-Match: \"x\""}}, {"HEAD", []string{"If-None-Match: *"}},
		{"GET", []string{"Accept-Encoding: br"}}, {"GET", []string{"Accept-Encoding: gzip"}}, {"GET", []string{"Accept-Encoding: identity;q=0"}},
		{"GET", []string{"Sec-Fetch-Dest: script"}}, {"GET", []string{"Referer: https://site.localhost/"}}, {"GET", []string{"Accept: */*"}},
		{"GET", []string{"Fairway-Timing: 1"}}, {"GET", []string{"Cookie: __Host-fairway-site=1.x"}}, {"GET", []string{"Cookie: __Host-fairway-site=99999999999.aaaa"}},
		{"GET", []string{"Authorization: Bearer x"}}, {"GET", []string{"X-Forwarded-Proto: https"}}, {"GET", []string{"If-Range: " + etag, "Range: bytes=0-1"}},
		{"GET", []string{"If-Modified-Since: Thu, 26 Nov 2026 00:00:00 GMT"}}, {"GET", []string{"Upgrade: websocket", "Connection: Upgrade"}}, {"GET", []string{"Expect: 100-continue"}},
	}
	paths := []string{"/assets/a.js", "/assets/b.js", "/", "/dir", "/dir/", "/%2e%2e/x", "/a%2fb", "/\\", "/index.html", "/assets/a%00"}
	for name, access := range map[string]hosting.Access{
		"a password": locked("open sesame"), "members": {Mode: hosting.AccessTeam}, "an unknown mode": {Mode: "friends"}, "everybody (control)": {},
	} {
		g := newGuarded(t, access, hosting.Access{})
		different := 0
		for _, q := range requests {
			answers := map[string]bool{}
			for _, path := range paths {
				r := g.visitor().do(q.method, siteHost, path, "", q.header...)
				dump := new(strings.Builder)
				_ = r.Write(dump)
				answers[dump.String()] = true
				if !access.IsPublic() && (r.Header.Get("Etag") != "" || r.Header.Get("X-Fairway-Deployment") != "" || r.Header.Get("Server-Timing") != "" || r.StatusCode < 400) {
					t.Errorf("%s: %s %s %v is answered %d %v", name, q.method, path, q.header, r.StatusCode, r.Header)
				}
			}
			if len(answers) > 1 {
				different++
			}
		}
		if access.IsPublic() && different < 20 {
			t.Errorf("void: of a site for everybody only %d kinds of request tell what there is", different)
		} else if !access.IsPublic() && different > 0 {
			t.Errorf("%s: %d kinds of request tell what there is", name, different)
		}
	}
}

func TestAccess_NothingCrossesTheNetworkInTheClear(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	v := g.visitor()
	v.logIn(siteHost, "open sesame", "/")
	v.scheme = "http"
	r := v.get(siteHost, "/dir/?a=b")
	wantStatus(t, "a page", r, 308)
	if to := r.Header.Get("Location"); to != "https://site.localhost:8443/dir/?a=b" {
		t.Errorf("leads to %q", to)
	}
	wantStatus(t, "a password", v.logIn(siteHost, "open sesame", "/"), 403)
	if g.hashing.Load() != 1 {
		t.Error("a password that came in the clear was looked at")
	}
	wantStatus(t, "the preview, for everybody (control)", v.get(previewHost, "/"), 200)
}

// What a request line holds besides a path leads to no other host.
func TestAccess_LeadsToItsOwnHost(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	for line, want := range map[string]string{
		"/a?b": "/a?b", "x:@evil.example/": "/", "x:@evil.example/?a": "/?a", "http://evil.example/a": "/a", "*": "/", "//evil.example/": "//evil.example/",
	} {
		u, err := url.ParseRequestURI(line)
		if err != nil {
			t.Fatal(err)
		}
		for _, scheme := range []string{"http", "https"} {
			r := httptest.NewRequest(http.MethodGet, scheme+"://"+siteHost+"/", nil)
			r.URL, r.RequestURI = u, line
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			w := httptest.NewRecorder()
			g.handler.ServeHTTP(w, r)
			expect := "https://" + siteHost + ":8443" + want
			if scheme == "https" {
				expect = "/.fairway/login?next=" + url.QueryEscape(want)
			}
			if got := w.Header().Get("Location"); got != expect {
				t.Errorf("%s %q leads to %q, want %q", scheme, line, got, expect)
			}
		}
	}
}

func TestAccess_GuessesAreFew(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	v := g.visitor()
	answers := map[int]int{}
	for i := range 40 {
		answers[v.logIn(siteHost, fmt.Sprint("guess ", i), "/").StatusCode]++
	}
	if !maps.Equal(answers, map[int]int{401: 10, 429: 30}) || g.hashing.Load() != 10 {
		t.Errorf("40 guesses were answered %v, and %d were compared", answers, g.hashing.Load())
	}
	wantStatus(t, "the right one, now", v.logIn(siteHost, "open sesame", "/"), 429)
	for name, body := range map[string]string{"none": "next=/", "empty": "password=", "long": "password=" + strings.Repeat("x", 257)} {
		wantStatus(t, name, g.visitor().do("POST", siteHost, "/.fairway/login", body), 401)
	}
	for name, headers := range map[string][]string{"JSON": {"Content-Type: application/json"}, "no type": {"Content-Type: "}} {
		wantStatus(t, name, g.visitor().do("POST", siteHost, "/.fairway/login", "password=open+sesame", headers...), 400)
	}
	wantStatus(t, "too long", g.visitor().do("POST", siteHost, "/.fairway/login", "password="+strings.Repeat("x", 9<<10)), 400)
	if g.hashing.Load() != 10 {
		t.Error("what is no guess was compared")
	}
	for name, header := range map[string]string{"another site's page": "Sec-Fetch-Site: cross-site", "a sister's": "Sec-Fetch-Site: same-site"} {
		wantStatus(t, name, g.visitor().do("POST", siteHost, "/.fairway/login", "password=open+sesame", header), 403)
	}
}

// A flood of guesses from many addresses holds no more than one processor, and who waits too
// long is told to come again.
func TestAccess_GuessesWaitForTheirTurn(t *testing.T) {
	var running, most, compared atomic.Int64
	r := newRig(t)
	shown := shownBy(r.store("", upload{path: "index.html", text: "x"}))
	shown.Site.Production = locked("x")
	r.router.hosts.Store(siteHost, shown)
	synctest.Test(t, func(t *testing.T) {
		// The gate of a Server made here, since its channels must belong to this bubble.
		s := edge.New(edge.Config{Router: r.router, Manifests: r.blobs, Gate: edge.Gate{
			Keys: []seal.Key{newKey(t)}, Client: func(r *http.Request) string { return r.Header.Get("From") },
			Verify: func(context.Context, string, string) (bool, error) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				time.Sleep(time.Second)
				compared.Add(1)
				return false, nil
			},
		}})
		var mu sync.Mutex
		answers := map[int]int{}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				q := httptest.NewRequest("POST", "https://"+siteHost+"/.fairway/login", strings.NewReader("password=a+guess"))
				q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				q.Header.Set("Sec-Fetch-Site", "same-origin")
				q.Header.Set("From", fmt.Sprintf("2001:db8:0:%x::1", i))
				w := httptest.NewRecorder()
				s.ServeHTTP(w, q)
				mu.Lock()
				defer mu.Unlock()
				answers[w.Code]++
			})
		}
		all.Wait()
		if most.Load() != 1 || answers[401] != int(compared.Load()) || compared.Load() < 9 || compared.Load() > 11 || answers[429] != 200-answers[401] {
			t.Errorf("%d at once, %d compared, answers %v", most.Load(), compared.Load(), answers)
		}
	})
}

func TestAccess_MembersComeBackFromTheControlHostWithATicket(t *testing.T) {
	for name, forge := range map[string]func(g *guarded, v *visitor, ticket *string){
		"as it was given (control)": func(*guarded, *visitor, *string) {},
		"another browser":           func(_ *guarded, v *visitor, _ *string) { v.cookies[siteHost]["__Host-fairway-state"] = "0123" },
		"no state":                  func(_ *guarded, v *visitor, _ *string) { v.cookies[siteHost] = nil },
		"later":                     func(g *guarded, _ *visitor, _ *string) { g.now = g.now.Add(edge.TicketLife + 31*time.Second) },
		"a bit of it changed": func(_ *guarded, _ *visitor, ticket *string) {
			*ticket = (*ticket)[:len(*ticket)-1] + string((*ticket)[len(*ticket)-1]^1)
		},
		"the site changed": func(g *guarded, _ *visitor, _ *string) { g.shown.Site.Seq++; g.show() },
		"of another key": func(g *guarded, v *visitor, ticket *string) {
			*ticket = v.ticket(newKey(g.t), siteHost, edge.TicketLife)
		},
		"of the preview":        func(g *guarded, v *visitor, ticket *string) { *ticket = v.ticket(g.key, previewHost, edge.TicketLife) },
		"good for far too long": func(g *guarded, v *visitor, ticket *string) { *ticket = v.ticket(g.key, siteHost, time.Hour) },
		"nothing":               func(_ *guarded, _ *visitor, ticket *string) { *ticket = "" },
	} {
		t.Run(name, func(t *testing.T) {
			team := hosting.Access{Mode: hosting.AccessTeam}
			g := newGuarded(t, team, team)
			v := g.visitor()
			wantStatus(t, "a stranger", v.get(siteHost, "/dir/", navigating), 303)
			r := v.get(siteHost, "/.fairway/login?next=/dir/")
			wantStatus(t, "to the control host", r, 303)
			to, err := url.Parse(r.Header.Get("Location"))
			sum := sha256.Sum256([]byte(v.cookies[siteHost]["__Host-fairway-state"]))
			q := to.Query()
			if err != nil || to.Host != "fairway.localhost" || to.Path != "/visit" || q.Get("host") != siteHost || q.Get("next") != "/dir/" || q.Get("state") != hex.EncodeToString(sum[:]) {
				t.Fatalf("sent to %v", to)
			}
			ticket := v.ticket(g.key, siteHost, edge.TicketLife)
			forge(g, v, &ticket)
			r = v.get(siteHost, "/.fairway/login?"+url.Values{"ticket": {ticket}, "next": {"/dir/"}}.Encode())
			if strings.Contains(name, "control") {
				wantStatus(t, "the ticket", r, 303)
				wantStatus(t, "then", v.get(siteHost, "/dir/"), 200)
				wantStatus(t, "the ticket once more, without a session", func() *http.Response {
					delete(v.cookies[siteHost], "__Host-fairway-site")
					return v.get(siteHost, "/.fairway/login?"+url.Values{"ticket": {ticket}}.Encode())
				}(), 403)
				return
			}
			wantStatus(t, "the ticket", r, 403)
			wantStatus(t, "then", v.get(siteHost, "/dir/"), 401)
		})
	}
}

// A browser's tabs share the state, so that one does not spoil the other's way back.
func TestAccess_TwoTabsSignIn(t *testing.T) {
	g := newGuarded(t, hosting.Access{Mode: hosting.AccessTeam}, hosting.Access{})
	v := g.visitor()
	v.get(siteHost, "/.fairway/login?next=/dir/")
	first := v.ticket(g.key, siteHost, edge.TicketLife)
	v.get(siteHost, "/.fairway/login?next=/")
	wantStatus(t, "a bad ticket", v.get(siteHost, "/.fairway/login?ticket=1.x"), 403)
	wantStatus(t, "the first tab's ticket", v.get(siteHost, "/.fairway/login?ticket="+first), 303)
	if _, ok := v.cookies[siteHost]["__Host-fairway-state"]; ok {
		t.Error("the state outlives the visit")
	}
	v.cookies[siteHost] = map[string]string{"__Host-fairway-state": "of somebody else"}
	v.get(siteHost, "/.fairway/login")
	if got := v.cookies[siteHost]["__Host-fairway-state"]; len(got) != 32 {
		t.Errorf("the state is %q", got)
	}
}

// ticket is what the control plane would give for the visitor's state.
func (v *visitor) ticket(k seal.Key, host string, life time.Duration) string {
	r, _ := v.g.router.Lookup(host)
	sum := sha256.Sum256([]byte(v.cookies[siteHost]["__Host-fairway-state"]))
	return edge.Ticket(k, r, hex.EncodeToString(sum[:]), v.g.now.Add(life))
}

func TestAccess_ALoginLeadsNowhereElse(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	for next, want := range map[string]string{
		"/a/b?c=d&e": "/a/b?c=d&e", "/": "/", "": "/", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/": "/", "javascript:alert(1)": "/",
		"/\tevil": "/", "/a b": "/", "/.fairway/logout": "/", "/x/../.fairway/login": "/", "/./.fairway/login": "/", "/%2e.fairway/": "/%2e.fairway/", "/%2e/.fairway/login": "/", "/\r\nSet-Cookie: a=b": "/", "/" + strings.Repeat("a", 3000): "/", "a": "/", "/é": "/",
	} {
		g.now = g.now.Add(time.Minute)
		if got := g.visitor().logIn(siteHost, "open sesame", next).Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
		if got := g.visitor().get(previewHost, "/.fairway/login?"+url.Values{"next": {next}}.Encode()).Header.Get("Location"); got != want {
			t.Errorf("on a site for everybody %q leads to %q, want %q", next, got, want)
		}
	}
}

func TestAccess_ThePlatformsOwnPathsAreNoFiles(t *testing.T) {
	g := newGuarded(t, hosting.Access{}, locked("open sesame"))
	for _, path := range []string{"/.fairway/", "/.fairway/x", "/.fairway/logout", "//.fairway/login", "/x/../.fairway/login", "/.fairway/./login"} {
		if r := g.visitor().get(siteHost, path); r.StatusCode != 404 || strings.Contains(bodyOf(r), "a file of the site") {
			t.Errorf("%s: %d %s", path, r.StatusCode, bodyOf(r))
		}
	}
	for mode, allow := range map[hosting.AccessMode]string{hosting.AccessPassword: "GET, HEAD, POST", hosting.AccessTeam: "GET, HEAD"} {
		g.shown.Site.Previews.Mode = mode
		g.show()
		r := g.visitor().do("PUT", previewHost, "/.fairway/login", "")
		wantStatus(t, "another method", r, 405)
		if got := r.Header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow is %q, want %q", mode, got, allow)
		}
	}
}

func TestExplain_TellsOfTheGateAndGoesPastIt(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{Mode: hosting.AccessTeam})
	for host, want := range map[string]string{siteHost: "asks for a password", previewHost: "member of its team"} {
		e, err := g.handler.Explain(t.Context(), "https://"+host+"/dir/", "")
		if err != nil || e.Status != 200 || e.File != "dir/index.html" || !strings.Contains(strings.Join(e.Why, " "), want) || e.Caching != "private, no-store" {
			t.Errorf("%s: %+v, %v", host, e, err)
		}
	}
}

// A trail is as protected as what it followed.
func TestAccess_HoldsForFilesOfEarlierDeployments(t *testing.T) {
	g := newGuarded(t, locked("open sesame"), hosting.Access{})
	next := g.store("", upload{path: "index.html", text: "two"})
	b, err := manifest.BuildTrail(nil, g.openManifest(g.shown.Pointer.Manifest), g.openManifest(next), g.now)
	if err != nil {
		t.Fatal(err)
	}
	trail, err := g.blobs.PutManifest(t.Context(), project, b)
	if err != nil {
		t.Fatal(err)
	}
	g.shown.Pointer.Manifest, g.shown.Pointer.Trail = next, trail
	g.show()
	v := g.visitor()
	wantStatus(t, "a stranger", v.get(siteHost, "/assets/a.js"), 401)
	v.logIn(siteHost, "open sesame", "/")
	r := v.get(siteHost, "/assets/a.js")
	wantStatus(t, "with a session", r, 200)
	if got := r.Header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

func FuzzAccess_NoTextIsASession(f *testing.F) {
	for _, s := range []string{"", "1.a", "1795726800.aaaa", "99999999999999999999.x", "-1.x", "1795726800.", ".", strings.Repeat("9", 5000)} {
		f.Add(s, s)
	}
	g := edge.New(edge.Config{
		Router: oneHost{}, Now: func() time.Time { return time.Unix(1795700000, 0) }, Gate: edge.Gate{Keys: []seal.Key{newKey(f)}, SignIn: "https://c/visit"},
	})
	f.Fuzz(func(t *testing.T, cookie, ticket string) {
		for _, path := range []string{"/", "/.fairway/login?ticket=" + url.QueryEscape(ticket)} {
			r := httptest.NewRequest("GET", "https://"+siteHost+path, nil)
			r.Header.Set("Cookie", "__Host-fairway-site="+cookie+"; __Host-fairway-state="+cookie)
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code != 401 && w.Code != 403 {
				t.Errorf("cookie %q, ticket %q: %d", cookie, ticket, w.Code)
			}
		}
	})
}

type oneHost struct{}

func (oneHost) Lookup(host string) (*hosting.Resolved, bool) {
	r := production(hosting.DigestOf(nil), "dpl_one")
	r.Site.Production = hosting.Access{Mode: hosting.AccessTeam}
	return r, host == siteHost
}
