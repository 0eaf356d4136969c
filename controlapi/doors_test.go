package controlapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// problemOf reads a problem, which has to be whole.
func problemOf(t *testing.T, resp *http.Response) controlapi.Problem {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	var p controlapi.Problem
	if err != nil || json.Unmarshal(b, &p) != nil {
		t.Fatalf("no problem, but %d %q, %v", resp.StatusCode, b, err)
	}
	if resp.Header.Get("Content-Type") != "application/problem+json" || p.Status != resp.StatusCode ||
		p.Type != "urn:fairway:problem:"+string(p.Code) || p.Title == "" || p.Detail == "" {
		t.Errorf("%d %s is not whole: %s", resp.StatusCode, resp.Header.Get("Content-Type"), b)
	}
	return p
}

const aProject = `{"name":"x"}`

func TestPublic_AdmitsTheOwnerAlone(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		headers []string
		status  int
	}{
		"control: the token":        {nil, 201},
		"any case of bearer":        {[]string{"Authorization", "bEARER " + ownerToken}, 201},
		"no token":                  {[]string{"Authorization", ""}, 401},
		"a wrong token":             {[]string{"Authorization", "Bearer wrong"}, 401},
		"a prefix of it":            {[]string{"Authorization", "Bearer " + ownerToken[:5]}, 401},
		"an empty token":            {[]string{"Authorization", "Bearer "}, 401},
		"another scheme":            {[]string{"Authorization", "Basic " + ownerToken}, 401},
		"a cookie instead":          {[]string{"Authorization", "", "Cookie", "token=" + ownerToken}, 401},
		"another configured host":   {[]string{"Host", "Fairway.Example:8443"}, 201},
		"a host of somebody else's": {[]string{"Host", "evil.example"}, 421},
		"a site's host":             {[]string{"Host", "site.localhost"}, 421},
		"an address":                {[]string{"Host", "127.0.0.1"}, 421},
		"control: the same origin":  {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "https://localhost"}, 201},
		"a page of another site":    {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a page of a deployed site": {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"another origin":            {[]string{"Origin", "https://evil.example"}, 403},
		"a sandboxed page":          {[]string{"Origin", "null"}, 403},
		"a form's text":             {[]string{"Content-Type", "text/plain"}, 415},
		"a form":                    {[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
	} {
		t.Run(name, func(t *testing.T) {
			resp := w.ask("POST", "/api/projects", aProject, tc.headers...)
			if resp.StatusCode != tc.status {
				t.Fatalf("answered %d, want %d", resp.StatusCode, tc.status)
			}
			if tc.status == 201 {
				return
			}
			p := problemOf(t, resp)
			if tc.status == 401 && (resp.Header.Get("WWW-Authenticate") == "" || p.Hint == "") {
				t.Errorf("401 does not say how: %v, hint %q", resp.Header, p.Hint)
			}
		})
	}
}

func TestPublic_AdmitsNobodyWhereThereIsNoToken(t *testing.T) {
	w := newWorld(t, func(c *controlapi.Config) { c.Token = "" })
	for _, auth := range []string{"", "Bearer ", "Bearer x"} {
		if resp := w.ask("GET", "/api/projects", "", "Authorization", auth); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: answered %d", auth, resp.StatusCode)
		}
	}
}

func TestPublic_KeepsEveryRouteButTheOpenOnes(t *testing.T) {
	w := newWorld(t)
	n := 0
	for path, methods := range document(t, w).Paths {
		path = strings.NewReplacer("{team}", "default", "{user}", "usr_aaaa", "{token}", "tok_aaaa", "{session}", "ses_aaaa", "{invitation}", "inv_aaaa", "{name}", "X", "{id}", "dpl_aaaaaaaa", "{project}", "x", "{digest}", strings.Repeat("a", 64)).Replace(path)
		for method := range methods {
			n++
			want := http.StatusUnauthorized
			switch path {
			case "/api/health", "/api/openapi.json", "/api/docs", "/api/auth/options":
				want = http.StatusOK
			case "/api/user/signup", "/api/user/login", "/api/user/forgot", "/api/user/reset", "/api/user/confirm", "/api/cli/token":
				want = http.StatusBadRequest // open, and without a body
			}
			if resp := w.ask(strings.ToUpper(method), path, "", "Authorization", ""); resp.StatusCode != want {
				t.Errorf("%s %s without a token answered %d, want %d", method, path, resp.StatusCode, want)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d routes were asked", n)
	}
}

func TestPublic_TakesNoJobsTokenForTheOwners(t *testing.T) {
	w := newWorld(t)
	w.project("one")
	w.project("two")
	deployment := func(project string) (hosting.DeploymentID, string) {
		a := must[client.DeployAnswer](t)(w.owner().Deploy(t.Context(), hosting.NewDeployment{Project: project, Source: hosting.SourceFiles}))
		return a.ID, a.Upload.Token
	}
	one, token := deployment("one")
	two, _ := deployment("two")
	for path, want := range map[string]int{
		"/api/jobs/" + string(one): http.StatusOK, // control
		"/api/jobs/" + string(two): http.StatusUnauthorized,
		"/api/jobs/dpl_aaaaaaaa":   http.StatusUnauthorized,
		"/api/projects":            http.StatusUnauthorized,
	} {
		if resp := w.ask("GET", path, "", "Authorization", "Bearer "+token); resp.StatusCode != want {
			t.Errorf("%s answered %d, want %d", path, resp.StatusCode, want)
		}
	}
	if resp := w.ask("GET", "/api/jobs/"+string(one), ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the owner's token answered %d on a job", resp.StatusCode)
	}
}

// strict is the content policy of what is no page.
const strict = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func TestAnswers_AreInertInABrowser(t *testing.T) {
	w := newWorld(t)
	for path, policy := range map[string]string{
		"/api/health": strict, "/api/projects": strict, "/api/none": strict, "/": strict,
	} {
		h := w.ask("GET", path, "", "Origin", "https://localhost").Header
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": policy, "Access-Control-Allow-Origin": "", "Set-Cookie": "",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h.Get(name), want)
			}
		}
	}
}

func TestRoutes_ThatAreNoneAreProblems(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/none", 404, ""},
		{"GET", "/api/", 404, ""},
		{"GET", "/elsewhere", 404, ""},
		{"GET", "/api/projects/", 404, ""},
		{"GET", "/api//projects", 404, ""},
		{"GET", "/api/x/../projects", 404, ""},
		{"GET", "/api/jobs/../projects", 404, ""},
		{"PUT", "/api/projects", 405, "GET, HEAD, POST"},
		{"OPTIONS", "/api/deploy", 405, "POST"},
		{"GET", "/api/deployments/dpl_aaaaaaaa/source", 405, "PUT"},
	} {
		resp := w.ask(tc.method, tc.path, "")
		p := problemOf(t, resp)
		if resp.StatusCode != tc.status || resp.Header.Get("Allow") != tc.allow || (tc.status == 404) != (p.Code == hosting.CodeNotFound) {
			t.Errorf("%s %s answered %d %s, Allow %q", tc.method, tc.path, resp.StatusCode, p.Code, resp.Header.Get("Allow"))
		}
	}
}

func TestInput_IsCheckedAgainstTheDocument(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 101)
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
		location           string
	}{
		"an unknown field":        {"POST", "/api/projects", `{"name":"x","team":"other"}`, 422, "body.team"},
		"a setting too long":      {"POST", "/api/projects", `{"name":"x","nodeVersion":"` + long + `"}`, 422, "body.nodeVersion"},
		"a missing field":         {"POST", "/api/projects", `{}`, 422, "body"},
		"a field too long":        {"POST", "/api/projects", `{"name":"` + long + `"}`, 422, "body.name"},
		"a field of another type": {"POST", "/api/projects", `{"name":1}`, 422, "body.name"},
		"a value out of its list": {"POST", "/api/deploy", `{"project":"x","target":"staging"}`, 422, "body.target"},
		"no JSON":                 {"POST", "/api/projects", `{"name`, 400, "body"},
		"two values":              {"POST", "/api/projects", aProject + aProject, 400, "body"},
		"no body":                 {"POST", "/api/projects", "", 400, ""},
		"a parameter of its own":  {"GET", "/api/projects?sort=name", "", 422, "query.sort"},
		"a limit over its own":    {"GET", "/api/projects?limit=1000", "", 422, "query.limit"},
		"a log's limit":           {"GET", "/api/deployments/dpl_aaaaaaaa/logs?limit=1001", "", 422, "query.limit"},
		"a log's line":            {"GET", "/api/deployments/dpl_aaaaaaaa/logs?after=-1", "", 422, "query.after"},
		"a log's parameter":       {"GET", "/api/deployments/dpl_aaaaaaaa/logs?tail=1", "", 422, "query.tail"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := w.ask(tc.method, tc.path, tc.body)
			p := problemOf(t, resp)
			if resp.StatusCode != tc.status || p.Code != hosting.CodeInvalid {
				t.Errorf("answered %d %s, want %d invalid", resp.StatusCode, p.Code, tc.status)
			}
			if tc.location != "" && (len(p.Errors) != 1 || p.Errors[0].Location != tc.location || p.Errors[0].Message == "") {
				t.Errorf("names %+v, want one error at %s", p.Errors, tc.location)
			}
		})
	}
}

func TestInput_OfJobsHasNoUnknownFields(t *testing.T) {
	w := newWorld(t)
	w.project("web")
	a := must[client.DeployAnswer](t)(w.owner().Deploy(t.Context(), hosting.NewDeployment{Project: "web", Source: hosting.SourceFiles}))
	for body, want := range map[string]int{`{"blobs":[]}`: 200, `{"blobs":[],"x":1}`: 422, `{"blobs":[{"digest":"zz","size":1}]}`: 422, `[`: 422} {
		resp := w.ask("POST", "/api/jobs/"+string(a.ID)+"/missing", body, "Authorization", "Bearer "+a.Upload.Token)
		if resp.StatusCode != want {
			t.Errorf("%s answered %d, want %d", body, resp.StatusCode, want)
		}
	}
}

func TestProblems_EchoNoInput(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{`{"name":"x","canary":"canary"}`, `{"name":{"a":"canary"}}`, `canary`, `{"name":"x","slug":["canary"]}`} {
		b, _ := io.ReadAll(w.ask("POST", "/api/projects", body).Body)
		if s := strings.ReplaceAll(string(b), "body.canary", ""); strings.Contains(s, "canary") {
			t.Errorf("%s came back in %s", body, b)
		}
	}
}

func TestBodies_AreBounded(t *testing.T) {
	w := newWorld(t)
	w.project("web")
	a := must[client.DeployAnswer](t)(w.owner().Deploy(t.Context(), hosting.NewDeployment{Project: "web", Source: hosting.SourceFiles}))
	job := []string{"Authorization", "Bearer " + a.Upload.Token}
	for name, tc := range map[string]struct {
		path    string
		size    int
		headers []string
		over    bool
	}{
		"control: nearly 1 MiB":     {"/api/projects", 1<<20 - 100, nil, false},
		"1 MiB":                     {"/api/projects", 1<<20 + 1, nil, true},
		"control: nearly 2 MiB log": {"/api/jobs/" + string(a.ID) + "/logs", 2<<20 - 100, job, false},
		"2 MiB log":                 {"/api/jobs/" + string(a.ID) + "/logs", 2<<20 + 1, job, true},
		"control: 3 MiB inventory":  {"/api/jobs/" + string(a.ID) + "/finish", 3 << 20, job, false},
		"64 MiB inventory":          {"/api/jobs/" + string(a.ID) + "/finish", 64<<20 + 1, job, true},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"x":"` + strings.Repeat("x", tc.size-8) + `"}`
			headers := append([]string{"Expect", "100-continue"}, tc.headers...)
			resp := w.ask("POST", tc.path, body, headers...)
			if p := problemOf(t, resp); (p.Code == hosting.CodeTooLarge) != tc.over || (resp.StatusCode == 413) != tc.over {
				t.Errorf("answered %d %s", resp.StatusCode, p.Code)
			}
		})
	}
}

func TestBodies_AreBoundedWithoutALength(t *testing.T) {
	w := newWorld(t)
	for size, want := range map[int]int{1000: http.StatusUnprocessableEntity, 1<<20 + 1: http.StatusRequestEntityTooLarge} {
		body := io.MultiReader(strings.NewReader(`{"x":"` + strings.Repeat("x", size) + `"}`)) // hides its length
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "POST", w.public.URL+"/api/projects", body))
		r.Host = "localhost"
		r.Header.Set("Authorization", "Bearer "+ownerToken)
		resp := must[*http.Response](t)(http.DefaultTransport.RoundTrip(r))
		if problemOf(t, resp); resp.StatusCode != want {
			t.Errorf("%d bytes: answered %d, want %d", size, resp.StatusCode, want)
		}
		_ = resp.Body.Close()
	}
}

func TestBodies_OfStrangersAreNotRead(t *testing.T) {
	w := newWorld(t)
	addr := w.public.Listener.Addr().String()
	for _, tc := range []struct{ path, token, want string }{
		{"/api/jobs/dpl_aaaaaaaa/finish", "wrong", "HTTP/1.1 401"},
		{"/api/jobs/dpl_aaaaaaaa/missing", "wrong", "HTTP/1.1 401"},
		{"/api/deploy", "wrong", "HTTP/1.1 401"},
		{"/api/deploy", ownerToken, "HTTP/1.1 413"}, // nor the owner's, where it is too long
	} {
		conn := must[net.Conn](t)(net.Dial("tcp", addr))
		// The body is announced and never sent: only who does not wait for it can answer.
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n\r\n", tc.path, tc.token)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 12)
		if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != tc.want {
			t.Errorf("%s: %q, %v; want %s", tc.path, buf, err, tc.want)
		}
		_ = conn.Close()
	}
}

func TestUploads_SayHowLongTheyAre(t *testing.T) {
	w := newWorld(t)
	w.project("web")
	a := must[client.DeployAnswer](t)(w.owner().Deploy(t.Context(), hosting.NewDeployment{Project: "web", Source: hosting.SourceArchive}))
	source := "/api/deployments/" + string(a.ID) + "/source"
	send := func(body io.Reader, size int64) *http.Response {
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "PUT", w.public.URL+source, body))
		r.Host, r.ContentLength = "localhost", size
		r.Header.Set("Authorization", "Bearer "+ownerToken)
		resp := must[*http.Response](t)(http.DefaultTransport.RoundTrip(r))
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	if resp := send(io.MultiReader(strings.NewReader("chunked")), -1); resp.StatusCode != http.StatusLengthRequired {
		t.Errorf("without a length it answered %d", resp.StatusCode)
	} else {
		problemOf(t, resp)
	}
	if resp := send(strings.NewReader(strings.Repeat("x", 4<<20+1)), 4<<20+1); resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("over the limit it answered %d", resp.StatusCode)
	}
	_, err := w.owner().PutSource(t.Context(), a.ID, strings.NewReader(strings.Repeat("x", 8<<20)), 8<<20)
	isCode(t, err, hosting.CodeTooLarge)
	if resp := send(strings.NewReader("whole"), 5); resp.StatusCode != http.StatusOK {
		t.Errorf("control: it answered %d", resp.StatusCode)
	}
}

func TestUploads_OutliveTheServersReadTimeout(t *testing.T) {
	w := newWorld(t)
	w.project("web")
	a := must[client.DeployAnswer](t)(w.owner().Deploy(t.Context(), hosting.NewDeployment{Project: "web", Source: hosting.SourceArchive}))
	// Caddy's admin server has one of 10 s, for headers and body together.
	const timeout = 100 * 1000 * 1000
	l := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	s := &http.Server{Handler: w.api.Trusted(), ReadTimeout: timeout}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	defer func() { _ = s.Close(); <-done }()
	slow := &slowly{first: 32 << 10, rest: 32 << 10, pause: 3 * timeout}
	d, err := w.client(client.Options{Base: "http://" + l.Addr().String() + "/api"}).PutSource(t.Context(), a.ID, slow, 64<<10)
	if err != nil || d.Status != hosting.StatusQueued {
		t.Errorf("became %s, %v", d.Status, err)
	}
	if !slow.paused {
		t.Error("the upload did not pause")
	}
}
