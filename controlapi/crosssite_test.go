package controlapi_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// sent is what a browser says of the page that sent a request.
type sent map[string]string

var (
	// fromElsewhere are the ways in which a page of another site, or who can only put a cookie
	// into a request, would send it.
	fromElsewhere = map[string]sent{
		"same-site":                      {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.localhost"},
		"same-site without an origin":    {"Sec-Fetch-Site": "same-site"},
		"cross-site":                     {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"cross-site without an origin":   {"Sec-Fetch-Site": "cross-site"},
		"from no page":                   {"Sec-Fetch-Site": "none"},
		"null origin":                    {"Origin": "null"},
		"null origin, cross-site":        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
		"forged origin":                  {"Origin": "https://evil.example"},
		"forged origin, said to be same": {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
		"the host over plain HTTP":       {"Origin": "http://localhost"},
		"another port":                   {"Origin": "https://localhost:8444"},
		"a host that begins alike":       {"Origin": "https://localhost.evil.example"},
		"nothing said":                   {},
	}
	fromHere = map[string]sent{
		"same-origin":                    {"Sec-Fetch-Site": "same-origin", "Origin": "https://localhost"},
		"by Sec-Fetch-Site alone":        {"Sec-Fetch-Site": "same-origin"},
		"by Origin alone, as older ones": {"Origin": "https://localhost"},
	}
)

// whoMay is a session that is let in, so that only the page that sends can be what is refused.
func whoMay(pattern string) string {
	if strings.Contains(pattern, "/api/operator/") {
		return "root"
	}
	return "owner"
}

// browse is a request as a browser sends it, with the session's cookie.
func (w *victimWorld) browse(t *testing.T, pattern string, says sent) (*http.Response, []byte) {
	t.Helper()
	r := w.request(t, whoMay(pattern), pattern)
	if form, ok := forms[pattern]; ok {
		body := form.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, v := range says {
		r.Header.Set(name, v)
	}
	return w.send(t, r)
}

// forms are what the pages' forms send.
var forms = map[string]url.Values{
	"POST /signin":  {"email": {"vera@example.com"}, "password": {goodPassword}},
	"POST /signup":  {"email": {"eve@example.com"}, "name": {"Eve"}, "password": {goodPassword}},
	"POST /signout": {},
	"POST /join":    {"link": {"none"}},
	"POST /forgot":  {"email": {"vera@example.com"}},
	"POST /reset":   {"link": {"none"}, "password": {goodPassword}},
	"POST /confirm": {"link": {"none"}},
	"POST /cli": {
		"challenge": {strings.Repeat("c", 43)}, "state": {"s"}, "port": {"40000"}, "name": {"laptop"}, "team": {"victims"}, "scope": {"read"}, "days": {"7"},
	},
}

func writes(w *victimWorld) (all []string) {
	for _, pattern := range append(w.api.Patterns(), w.api.Pages()...) {
		if !strings.HasPrefix(pattern, "GET ") {
			all = append(all, pattern)
		}
	}
	return all
}

func TestCrossSite_EachWriteIsRefused(t *testing.T) {
	v := newVictims(t)
	w := v.open(t)
	before := w.digest(t, "")
	asked := 0
	for _, pattern := range writes(w) {
		own := strings.Contains(pattern, "/api/jobs/") || pattern == "POST /api/edges/report" // by a token alone: a cookie is nothing there
		for name, says := range fromElsewhere {
			asked++
			resp, body := w.browse(t, pattern, says)
			if resp.StatusCode != http.StatusForbidden && (!own || resp.StatusCode != http.StatusUnauthorized) {
				t.Errorf("%s, %s: answered %d %.200s", pattern, name, resp.StatusCode, body)
			}
			if resp.Header.Get("Set-Cookie") != "" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s: answered with %v", pattern, name, resp.Header)
			}
		}
		if w.digest(t, "") != before {
			t.Fatalf("%s: a refused request changed what is stored", pattern)
		}
	}
	if asked < 500 {
		t.Errorf("only %d requests were sent", asked)
	}
	t.Logf("figure: %d writes x %d ways of other sites = %d requests, each refused, the store unchanged", len(writes(w)), len(fromElsewhere), asked)
}

// TestCrossSite_AWriteOfItsOwnPageIsTaken is the control.
func TestCrossSite_AWriteOfItsOwnPageIsTaken(t *testing.T) {
	table, v := readAccess(t), newVictims(t)
	for _, pattern := range writes(v.open(t)) {
		for name, says := range fromHere {
			t.Run(pattern+", "+name, func(t *testing.T) {
				t.Parallel()
				w := v.open(t)
				defer w.close()
				resp, body := w.browse(t, pattern, says)
				want := table.rows[pattern]["owner"]
				switch {
				case whoMay(pattern) == "root":
					want = table.rows[pattern]["operator"]
				case strings.HasPrefix(pattern, "DELETE /api/user") || pattern == "PUT /api/user/password":
					want = "" // it is let in, and its password is wrong
				}
				if want != "" && !answers(resp.StatusCode, want) {
					t.Errorf("answered %d, want %s: %.200s", resp.StatusCode, want, body)
				}
				if strings.Contains(string(body), "page of another site") || strings.Contains(string(body), "which page sent it") {
					t.Errorf("was taken for another site's: %.200s", body)
				}
			})
		}
	}
}

func TestGet_ReplayedLeavesTheStoreUnchanged(t *testing.T) {
	v := newVictims(t)
	w := v.open(t)
	before, asked := w.digest(t, ""), 0
	for _, pattern := range append(w.api.Patterns(), w.api.Pages()...) {
		if !strings.HasPrefix(pattern, "GET ") {
			continue
		}
		for _, says := range append([]sent{{}}, fromElsewhere["cross-site"], fromHere["same-origin"]) {
			for range 2 {
				asked++
				resp, body := w.browse(t, pattern, says)
				if resp.StatusCode >= 500 {
					t.Errorf("%s answered %d %.200s", pattern, resp.StatusCode, body)
				}
			}
		}
		if w.digest(t, "") != before {
			t.Fatalf("%s changed what is stored", pattern)
		}
	}
	t.Logf("figure: %d GETs, each route and page six times over, the store unchanged", asked)
	if resp, _ := w.browse(t, "POST /api/teams", fromHere["same-origin"]); resp.StatusCode != http.StatusCreated || w.digest(t, "") == before {
		t.Errorf("void: a write answered %d, and the digest does not see it", resp.StatusCode)
	}
}

// TestCrossSite_BearerTokensDoNotNeedAPage holds that programs are not browsers.
func TestCrossSite_BearerTokensDoNotNeedAPage(t *testing.T) {
	v := newVictims(t)
	w := v.open(t)
	r := w.request(t, "admin", "POST /api/projects")
	if resp, body := w.send(t, r); resp.StatusCode != http.StatusCreated {
		t.Errorf("answered %d %.200s", resp.StatusCode, body)
	}
}
