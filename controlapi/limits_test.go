package controlapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// get asks for a path as a caller, with further headers.
func (w *victimWorld) get(t *testing.T, caller, path string, headers ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost"
	w.v.authorize(r, caller)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	resp, _ := w.send(t, r)
	return resp
}

// clocked is a world whose limits count by a clock of the test's own.
func clocked(t *testing.T, l controlapi.Limits) (*victimWorld, *time.Time) {
	t.Helper()
	now := time.Now()
	w := newVictims(t).open(t, func(c *controlapi.Config) { c.Limits, c.Now = l, func() time.Time { return now } })
	t.Cleanup(w.close)
	return w, &now
}

func TestLimits_CountPeopleByThemselvesAndStrangersByAddress(t *testing.T) {
	w, now := clocked(t, controlapi.Limits{API: 3})
	last := func(caller string, n int) (resp *http.Response) {
		for range n {
			resp = w.get(t, caller, "/api/user")
		}
		return resp
	}
	if resp := last("owner", 3); resp.StatusCode != 200 || resp.Header.Get("RateLimit-Policy") != `"api";q=3;w=60` || resp.Header.Get("RateLimit") != `"api";r=0;t=60` {
		t.Errorf("the third of three: %d %v", resp.StatusCode, resp.Header)
	}
	resp := last("owner", 1)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "60" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("the fourth of three: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := last("admin", 1); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("her token is the same person's, and was answered %d", resp.StatusCode)
	}
	if resp := last("viewer", 1); resp.StatusCode != 200 {
		t.Errorf("another person pays for it: %d", resp.StatusCode)
	}
	*now = now.Add(time.Minute)
	if resp := last("owner", 1); resp.StatusCode != 200 {
		t.Errorf("after a minute: %d", resp.StatusCode)
	}
}

func TestLimits_AreNotShakenOffByForgedAddresses(t *testing.T) {
	w, _ := clocked(t, controlapi.Limits{API: -1, Auth: 5})
	refused := 0
	for i := range 40 {
		addr := fmt.Sprintf("203.0.113.%d", i)
		resp := w.get(t, "", "/api/user", "Authorization", "Bearer guess"+strconv.Itoa(i),
			"X-Forwarded-For", addr, "X-Real-IP", addr, "Forwarded", "for="+addr, "CF-Connecting-IP", addr, "True-Client-IP", addr)
		if resp.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != 35 {
		t.Errorf("%d of 40 guesses were refused, want 35", refused)
	}
	if resp := w.get(t, "owner", "/api/user"); resp.StatusCode != 200 {
		t.Errorf("control: who needs no guess was answered %d", resp.StatusCode)
	}
}

func TestLimits_HoldEachClassOnItsOwn(t *testing.T) {
	w, _ := clocked(t, controlapi.Limits{API: -1, Auth: -1, Logs: 2, Sensitive: -1, Deploys: -1})
	log := "/api/deployments/" + string(w.v.ids.deployment) + "/logs?team=victims"
	for want, n := range map[int]int{200: 2} {
		for range n {
			if resp := w.get(t, "owner", log); resp.StatusCode != want {
				t.Errorf("a log within the limit: %d", resp.StatusCode)
			}
		}
	}
	if resp := w.get(t, "owner", log); resp.StatusCode != http.StatusTooManyRequests || !strings.Contains(resp.Header.Get("RateLimit"), `"logs";r=0`) {
		t.Errorf("the third log of two: %d %v", resp.StatusCode, resp.Header)
	}
	if resp := w.get(t, "owner", "/api/user"); resp.StatusCode != 200 {
		t.Errorf("control: another kind of request: %d", resp.StatusCode)
	}
}

func TestSetup_NothingButTheOwnerLinkAnswersBefore(t *testing.T) {
	var p parts
	w := newWorld(t, func(c *controlapi.Config) {
		p = openParts(t, t.TempDir(), nil)
		c.Account, c.DB, c.Ring = p.people(nil), p.db, p.ring
	})
	for path, methods := range document(t, w).Paths {
		for method := range methods {
			pattern := strings.ToUpper(method) + " " + path
			want := map[string]bool{"GET /api/health": true, "POST /api/user/signup": true, "GET /api/auth/options": true}[pattern] || strings.Contains(path, "/jobs/")
			resp := w.ask(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path), "")
			var problem controlapi.Problem
			_ = json.NewDecoder(resp.Body).Decode(&problem) // a body that is none has no code
			if held := problem.Code == hosting.CodeSetup && resp.StatusCode == http.StatusForbidden; held == want {
				t.Errorf("%s with the operator's token was answered %d %s before there is an owner", pattern, resp.StatusCode, problem.Code)
			}
		}
	}
	for _, page := range []string{"/", "/signin", "/cli"} {
		if resp := w.ask("GET", page, ""); resp.StatusCode == http.StatusOK {
			t.Errorf("%s is shown before there is an owner", page)
		}
	}
}
