package controlapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/controlapi"
)

func TestHeaders_EveryAnswerIsInert(t *testing.T) {
	w := newVictims(t).open(t, func(c *controlapi.Config) {
		c.Hosts, c.Domain = []string{"fairway.example.net", "localhost"}, "example.com"
	})
	t.Cleanup(w.close)
	paths := []string{"/", "/signin", "/signup", "/forgot", "/reset?link=x", "/confirm?link=x", "/join?link=x", "/cli", "/none"}
	for _, pattern := range w.api.Patterns() {
		if path, ok := strings.CutPrefix(pattern, "GET "); ok {
			paths = append(paths, strings.NewReplacer("{", "", "}", "").Replace(path))
		}
	}
	for _, path := range paths {
		resp := w.get(t, "owner", path, "Accept", "text/html")
		h := resp.Header
		referrer := "no-referrer"
		if resp.StatusCode != http.StatusSeeOther && strings.HasPrefix(h.Get("Content-Type"), "text/html") && !strings.HasPrefix(path, "/api/") {
			referrer = "same-origin" // or a form would be sent as if another site's page did
		}
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": referrer, "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Strict-Transport-Security": "max-age=31536000; includeSubDomains", "Access-Control-Allow-Origin": "",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action "} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "script-src") {
			t.Errorf("%s: the policy %q lets something run", path, policy)
		}
	}
}

func TestCookie_IsTheHostsOwnAndOnlyOne(t *testing.T) {
	w := newVictims(t).open(t)
	t.Cleanup(w.close)
	r := w.request(t, "nobody", "POST /api/user/login")
	r.Body, r.ContentLength = body(`{"email":"vera@example.com","password":"` + goodPassword + `"}`)
	resp, _ := w.send(t, r)
	cookies := resp.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("signing in sets %v", resp.Header["Set-Cookie"])
	}
	c := cookies[0]
	if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 32 {
		t.Errorf("the cookie is %+v", c)
	}
	good := c.Name + "=" + c.Value
	for name, tc := range map[string]struct {
		header string
		status int
	}{
		"control: the cookie":       {good, 200},
		"beside others":             {"a=b; " + good + "; c=d", 200},
		"none":                      {"a=b", 401},
		"two of its name":           {good + "; " + c.Name + "=tossed", 400},
		"the same one twice":        {good + "; " + good, 400},
		"in another case":           {strings.ToUpper(c.Name) + "=" + c.Value, 401},
		"without the prefix":        {"fairway=" + c.Value, 401},
		"a cookie of another value": {c.Name + "=" + strings.Repeat("a", len(c.Value)), 401},
	} {
		if resp := w.get(t, "nobody", "/api/user", "Cookie", tc.header); resp.StatusCode != tc.status {
			t.Errorf("%s: answered %d, want %d", name, resp.StatusCode, tc.status)
		}
	}
}

func TestCORS_IsForListedOriginsAndWithoutCredentials(t *testing.T) {
	const dash = "https://dash.example.net"
	w := newVictims(t).open(t, func(c *controlapi.Config) { c.AllowedOrigins = []string{dash} })
	t.Cleanup(w.close)
	for _, pattern := range w.api.Patterns() {
		path, ok := strings.CutPrefix(pattern, "GET ")
		if !ok {
			continue
		}
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		for origin, want := range map[string]string{
			dash: dash, "https://evil.example": "", "null": "", dash + ".evil.example": "", "http://dash.example.net": "", "https://DASH.example.net": "",
		} {
			h := w.get(t, "admin", path, "Origin", origin).Header
			if h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(strings.Join(h["Vary"], ","), "Origin") {
				t.Errorf("%s from %s: %v", path, origin, h)
			}
		}
	}
	if resp := w.get(t, "owner", "/api/user", "Origin", dash); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie counts from another origin: %d", resp.StatusCode)
	}
	if resp := w.get(t, "admin", "/api/user", "Origin", dash); resp.StatusCode != 200 {
		t.Errorf("control: a bearer token from the listed origin: %d", resp.StatusCode)
	}
	for origin, want := range map[string]int{dash: http.StatusNoContent, "https://evil.example": http.StatusMethodNotAllowed} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.server.URL+"/api/deploy", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "localhost"
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		if resp, _ := w.send(t, r); resp.StatusCode != want || (resp.Header.Get("Access-Control-Allow-Origin") == origin) != (want == http.StatusNoContent) {
			t.Errorf("a preflight from %s: %d %v", origin, resp.StatusCode, resp.Header)
		}
	}
}
