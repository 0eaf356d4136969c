package edge_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/edge"
	"github.com/scale-mesh/fairway/internal/hosting"
)

const revalidate = "Cache-Control: public, max-age=0, must-revalidate"

func TestServer_ServesEveryURLOfTheCloudflareColumn(t *testing.T) {
	r := newRig(t)
	r.publish("", texts("file.html", "file", "folder/index.html", "folder", "both.html", "both file", "both/index.html", "both folder")...)
	for _, c := range []struct{ path, location, body string }{
		{"/file", "", "file"},
		{"/file/", "/file", ""},
		{"/file.html", "/file", ""},
		{"/folder", "/folder/", ""},
		{"/folder/", "", "folder"},
		{"/folder/index.html", "/folder/", ""},
		{"/both", "", "both file"},
		{"/both/", "", "both folder"},
		{"/file.html?a=1&b=%2F", "/file?a=1&b=%2F", ""},
	} {
		a := r.get(c.path)
		status := http.StatusOK
		if c.location != "" {
			status = http.StatusPermanentRedirect
		}
		a.is(t, c.path, status, c.body)
		a.has(t, c.path, "Location: "+c.location, revalidate, "X-Fairway-Deployment: dpl_one")
	}
}

func TestServer_AFileHasItsHeaders(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"index.html", "<h1>hello</h1>", true}, upload{"raw.png", "png", false})
	a := r.get("/")
	a.is(t, "page", 200, "<h1>hello</h1>")
	a.has(t, "page", "Content-Type: text/html; charset=utf-8", "Etag: "+etagOf("<h1>hello</h1>"), revalidate, "Vary: Accept-Encoding",
		"X-Content-Type-Options: nosniff", "X-Fairway-Deployment: dpl_one", "Accept-Ranges: bytes", "Content-Encoding:", "X-Robots-Tag:",
		"Last-Modified:", "Content-Length: 14")
	a = r.get("/raw.png", "Accept-Encoding: br")
	a.is(t, "image", 200, "png")
	a.has(t, "image", "Content-Type: image/png", "Vary:", "Content-Encoding:", "Etag: "+etagOf("png"))
}

func TestServer_AFileWhoseNameChangesWithItsContentIsKeptForEver(t *testing.T) {
	r := newRig(t)
	b, err := r.blobs.GetManifest(t.Context(), project, r.store("", texts("app.js", "js")...))
	if err != nil {
		t.Fatal(err)
	}
	b[32+12] = 1 // the flag of the first record, which no Build sets yet
	d, err := r.blobs.PutManifest(t.Context(), project, b)
	if err != nil {
		t.Fatal(err)
	}
	r.router.hosts.Store(siteHost, production(d, "dpl_one"))
	for status, header := range map[int]string{200: "Accept: */*", 304: "If-None-Match: *", 206: "Range: bytes=0-0"} {
		a := r.get("/app.js", header)
		if a.StatusCode != status {
			t.Errorf("%s: %d", header, a.StatusCode)
		}
		a.has(t, header, "Cache-Control: public, max-age=31536000, immutable")
	}
}

func TestServer_KeepsPreviewsOutOfSearch(t *testing.T) {
	r := newRig(t)
	preview := production(r.store("", texts("index.html", "hi")...), "dpl_one")
	preview.Production = false
	r.router.hosts.Store("b--site.localhost", preview)
	for _, path := range []string{"/", "/nope", "/index.html"} {
		r.do("GET", "b--site.localhost", path).has(t, path, "X-Robots-Tag: noindex", "X-Fairway-Deployment: dpl_one")
	}
}

func TestServer_FindsTheSiteByEverySpellingOfItsHost(t *testing.T) {
	r := newRig(t)
	r.publish("", texts("index.html", "our home")...)
	for _, host := range []string{"site.localhost", "SITE.LocalHost", "site.localhost.", "site.localhost:8080", "Site.localhost.:80"} {
		r.do("GET", host, "/").is(t, host, 200, "our home")
	}
	for _, host := range []string{"other.localhost", "localhost", "site.localhost.evil.test", "127.0.0.1", "[::1]:80", "site_x.localhost", "-site.localhost"} {
		a := r.do("GET", host, "/", "X-Forwarded-Host: site.localhost")
		if a.StatusCode != 404 || strings.Contains(a.body, "our home") {
			t.Errorf("%s: %d %s", host, a.StatusCode, a.body)
		}
		a.has(t, host, "Cache-Control: no-store", "X-Fairway-Deployment:")
	}
}

func TestServer_ShowsTheSites404WithoutConditions(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"404.html", "gone missing", true}, upload{"docs/404.html", "docs miss", false})
	for path, body := range map[string]string{"/nope": "gone missing", "/docs/x/y": "docs miss", "/a%2fb": ""} {
		a := r.get(path, "If-None-Match: *", "Range: bytes=0-1")
		if body == "" { // refused before the site is asked
			body = a.body
		}
		a.is(t, path, 404, body)
		a.has(t, path, "Etag:", "Accept-Ranges:", "X-Fairway-Deployment: dpl_one")
	}
	a := r.get("/nope", "Accept-Encoding: br")
	a.is(t, "compressed", 404, string(compress("gone missing")))
	a.has(t, "compressed", "Content-Encoding: br", "Vary: Accept-Encoding", revalidate, "Content-Type: text/html; charset=utf-8")
}

func TestServer_FallsBackToTheApplication(t *testing.T) {
	r := newRig(t)
	r.publish(hosting.FallbackSPA, texts("index.html", "app", "app.js", "js")...)
	a := r.get("/users/42")
	a.is(t, "route", 200, "app")
	a.has(t, "route", "Etag: "+etagOf("app"))
	r.get("/users/42", "If-None-Match: "+etagOf("app")).is(t, "again", 304, "")
	if a := r.get("/app-old.js"); a.StatusCode != 404 || a.body == "app" {
		t.Errorf("a script that is gone: %d %q", a.StatusCode, a.body)
	}
}

func TestServer_RefusesMethodsThatWrite(t *testing.T) {
	r := newRig(t)
	r.publish("", texts("index.html", "hi")...)
	for _, m := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"} {
		a := r.do(m, siteHost, "/", "Content-Length: 0")
		if a.StatusCode != 405 || strings.Contains(a.body, "hi<") {
			t.Errorf("%s: %d", m, a.StatusCode)
		}
		a.has(t, m, "Allow: GET, HEAD", "Cache-Control: no-store", "X-Fairway-Deployment: dpl_one")
	}
}

func TestServer_ClosesRatherThanReadsABodyThatIsTooLong(t *testing.T) {
	r := newRig(t)
	r.publish("", texts("index.html", "hi")...)
	a := r.do("GET", siteHost, "/", "Content-Length: 5", "X: y\r\n\r\nhello")
	a.is(t, "a short body", 200, "hi")
	if a.Close {
		t.Error("a short body closes the connection")
	}
	// The body never comes: waiting for it would hang the test.
	a = r.do("GET", siteHost, "/", "Content-Length: 1000000000")
	a.is(t, "a long body", 200, "hi")
	if !a.Close {
		t.Error("a long body keeps the connection")
	}
	chunk := "10000\r\n" + strings.Repeat("x", 0x10000) + "\r\n"
	a = r.do("POST", siteHost, "/", "Transfer-Encoding: chunked\r\n", chunk+chunk)
	if a.StatusCode != 405 || !a.Close {
		t.Errorf("a long body of unknown length: %d, closed %v", a.StatusCode, a.Close)
	}
	a = r.do("POST", siteHost, "/.fairway/login", "Transfer-Encoding: chunked\r\n", chunk+chunk)
	if a.StatusCode != 404 || !a.Close {
		t.Errorf("one below the platform's own paths: %d, closed %v", a.StatusCode, a.Close)
	}
}

func TestServer_HeadHasTheHeadersOfGetAndReadsNothing(t *testing.T) {
	r := newRig(t)
	r.publish("", upload{"index.html", "<h1>hello</h1>", true}, upload{"404.html", "miss", false})
	for _, path := range []string{"/", "/nope", "/404.html"} {
		get := r.get(path, "Accept-Encoding: br")
		before := r.faults.reads.Load()
		head := r.do("HEAD", siteHost, path, "Accept-Encoding: br", "Range: bytes=0-1")
		if head.body != "" || r.faults.reads.Load() != before {
			t.Errorf("%s: HEAD read %d blobs, body %q", path, r.faults.reads.Load()-before, head.body)
		}
		get.Header.Del("Date")
		head.Header.Del("Date")
		for k := range get.Header {
			if head.Header.Get(k) != get.Header.Get(k) {
				t.Errorf("%s: %s is %q, of GET %q", path, k, head.Header.Get(k), get.Header.Get(k))
			}
		}
		if head.StatusCode != get.StatusCode {
			t.Errorf("%s: %d, of GET %d", path, head.StatusCode, get.StatusCode)
		}
	}
}

func TestServer_NoSpellingOfAPathLeavesTheSite(t *testing.T) {
	r := newRig(t)
	r.publish("", texts("index.html", "home", "a/b.txt", "b", "evil.com/index.html", "evil", "%2e.txt", "percent")...)
	for _, c := range []struct {
		path   string
		status int
		detail string // body of a 200, location of a 308
	}{
		{"/a/b.txt", 200, "b"},
		{"//a//b.txt", 200, "b"},
		{"/a/%62.txt", 200, "b"},
		{"/x/../a/b.txt", 200, "b"},
		{"/%2e%2e/a/b.txt", 200, "b"},
		{"/%2E%2e/%2e%2E/a/./b.txt", 200, "b"},
		{"/%252e.txt", 200, "percent"}, // decoded once, not twice
		{"/%2e.txt", 404, ""},
		{"/..%2fa/b.txt", 404, ""},
		{"/a%2Fb.txt", 404, ""},
		{"/%2Fevil.com/index/", 404, ""},
		{"/%2e%2e%2fetc%2fpasswd", 404, ""},
		{"/../../../../etc/passwd", 404, ""},
		{"/%2e%2e/%2e%2e/etc/passwd", 404, ""},
		{"/a%5cb.txt", 400, ""},
		{`/a\b.txt`, 400, ""},
		{"/..%5C..%5cetc", 400, ""},
		{"/a/b.txt%00", 400, ""},
		{"/%00", 400, ""},
		{"/%c0%ae%c0%ae/%c0%afetc", 400, ""}, // overlong "." and "/"
		{"/%ff", 400, ""},
		{"//evil.com/index", 308, "/evil.com/"},
		{"//evil.com", 308, "/evil.com/"},
		{"///evil.com/index.html", 308, "/evil.com/"},
		{"/.//evil.com", 308, "/evil.com/"},
	} {
		a := r.get(c.path)
		got := a.body
		if c.status == 308 {
			got = a.Header.Get("Location")
		} else if c.status != 200 {
			got = ""
		}
		if a.StatusCode != c.status || got != c.detail {
			t.Errorf("%s: %d %q, want %d %q", c.path, a.StatusCode, got, c.status, c.detail)
		}
		a.has(t, c.path, "X-Fairway-Deployment: dpl_one")
	}
}

func TestServer_ShowsNothingOfASiteThatIsNotActive(t *testing.T) {
	r := newRig(t)
	active := production(r.store("", texts("index.html", "secret")...), "dpl_one")
	show := func(fn func(*hosting.Resolved)) answer {
		res := *active
		fn(&res)
		r.router.hosts.Store(siteHost, &res)
		return r.get("/index.html")
	}
	a := show(func(res *hosting.Resolved) { res.Site.State = hosting.SiteSuspended })
	if a.StatusCode != 503 || !strings.Contains(a.body, "This site is paused.") {
		t.Errorf("suspended: %d %s", a.StatusCode, a.body)
	}
	a.has(t, "suspended", "Cache-Control: no-store", "Retry-After:", "Location:", "X-Fairway-Deployment:")
	for name, fn := range map[string]func(*hosting.Resolved){
		"deleted":          func(res *hosting.Resolved) { res.Site.State = hosting.SiteDeleted },
		"of unknown state": func(res *hosting.Resolved) { res.Site.State = "" },
		"never published":  func(res *hosting.Resolved) { res.Pointer = hosting.Pointer{Project: project} },
	} {
		a := show(fn)
		if a.StatusCode != 404 || strings.Contains(a.body, "secret") {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
		a.has(t, name, "Cache-Control: no-store", "Location:", "X-Fairway-Deployment:")
	}
}

func TestServer_PagesAreSmallPlainAndEscaped(t *testing.T) {
	r := newRig(t, func(c *edge.Config) {
		c.Pages = edge.Pages{ControlURL: `javascript:alert("x")`, SitePattern: "<name>.localhost:8080", Hint: true}
	})
	r.publish("", texts("index.html", "hi")...)
	for name, a := range map[string]answer{
		"unknown": r.do("GET", "unknown.localhost", "/<script>"), "bare": r.do("GET", "127.0.0.1", "/"),
		"not found": r.get("/nope"), "bad request": r.get("/%00"), "method": r.do("POST", siteHost, "/"),
	} {
		if len(a.body) > 2048 || strings.Contains(a.body, "<script") || strings.Contains(a.body, "<name>") || strings.Contains(a.body, `href="javascript:`) {
			t.Errorf("%s: %s", name, a.body)
		}
		if !strings.Contains(a.body, "color-scheme:light dark") {
			t.Errorf("%s: no color scheme", name)
		}
		hinted := strings.Contains(a.body, "fairway deploy DIR") && strings.Contains(a.body, "&lt;name&gt;.localhost:8080")
		if want := name == "unknown" || name == "bare"; hinted != want {
			t.Errorf("%s: shows the next step: %v, want %v", name, hinted, want)
		}
		a.has(t, name, "Cache-Control: no-store", "Content-Type: text/html; charset=utf-8")
	}
	quiet := newRig(t, func(c *edge.Config) { c.Pages.ControlURL = "https://control.test" })
	if a := quiet.do("GET", "unknown.localhost", "/"); strings.Contains(a.body, "deploy") || strings.Contains(a.body, "control.test") {
		t.Errorf("a public server tells about itself: %s", a.body)
	}
}

func TestServer_TellsOfEachAnswerOnce(t *testing.T) {
	var told []string
	r := newRig(t, func(c *edge.Config) {
		c.Count = func(project hosting.ProjectID, bytes int64, failed bool) {
			told = append(told, fmt.Sprintf("%q %d %v", project, bytes, failed))
		}
	})
	r.publish("", texts("index.html", "<h1>hello</h1>")...)
	site := fmt.Sprintf("%q", project)
	for _, c := range []struct {
		method, host, path string
		read               func(string, []byte) ([]byte, error)
		status             int
		project            string
		failed             bool
	}{
		{"GET", siteHost, "/", nil, 200, site, false},
		{"HEAD", siteHost, "/", nil, 200, site, false},
		{"GET", siteHost, "/none", nil, 404, site, false},
		{"POST", siteHost, "/", nil, 405, site, false},
		{"GET", "none.localhost", "/", nil, 404, `""`, false},
		{"GET", siteHost, "/", down, 503, site, true},
	} {
		told = nil
		if c.read != nil {
			r.faults.set(c.read)
		}
		w := httptest.NewRecorder()
		r.handler.ServeHTTP(w, httptest.NewRequest(c.method, "http://"+c.host+c.path, nil))
		want := fmt.Sprintf("%s %d %v", c.project, w.Body.Len(), c.failed)
		if w.Code != c.status || len(told) != 1 || told[0] != want {
			t.Errorf("%s %s%s: %d, told %q, want %q", c.method, c.host, c.path, w.Code, told, want)
		}
	}
	told = nil
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/.fairway/health", nil))
	if w.Code != 200 || told != nil {
		t.Errorf("health: %d, told %q", w.Code, told)
	}
}
