package manifest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/manifest"
)

// resolveCase names what is shown: "path/of.html", "404 path/of.html", "404" or
// "-> /location".
type resolveCase struct{ path, want string }

func runResolve(t *testing.T, m *manifest.Manifest, cases []resolveCase) {
	t.Helper()
	for _, c := range cases {
		if got := describe(m.Resolve(manifest.Request{Path: c.path})); got != c.want {
			t.Errorf("%q: %q, want %q", c.path, got, c.want)
		}
		checkAnswer(t, m, c.path)
	}
}

func describe(a manifest.Answer) string {
	var s []string
	switch {
	case a.Status == http.StatusPermanentRedirect:
		s = append(s, "->", a.Location)
	case a.Status == http.StatusNotFound:
		s = append(s, "404")
	}
	if !a.File.IsZero() {
		s = append(s, a.File.Path())
	}
	if a.Fallback {
		s = append(s, "(fallback)")
	}
	return strings.Join(s, " ")
}

func TestResolve_FollowsTheCloudflareColumnOfTheTrailingSlashGuide(t *testing.T) {
	m := site(t, "", "file.html", "folder/index.html", "both.html", "both/index.html")
	runResolve(t, m, []resolveCase{
		{"/file", "file.html"},
		{"/file/", "-> /file"},
		{"/file.html", "-> /file"},
		{"/folder", "-> /folder/"},
		{"/folder/", "folder/index.html"},
		{"/folder/index.html", "-> /folder/"},
		{"/both", "both.html"},
		{"/both/", "both/index.html"},
	})
}

func TestResolve_GivesEveryPageOneAddress(t *testing.T) {
	m := site(t, "",
		"index.html", "about.html", "data", "data.html", "a/index.html", "a/b.html", "deep/x/index.html",
		"index/index.html", "two.html.html", ".html", "d/.html", "style.css", "weird name?.html", "50%.html", "ünï/index.html",
		"dir.html/x.txt", "#/index.html", "raw")
	runResolve(t, m, []resolveCase{
		{"/", "index.html"},
		{"", "index.html"},
		{"/index.html", "-> /"},
		{"/about", "about.html"},
		{"/about.html", "-> /about"},
		{"/about/index.html", "404"},
		{"/data", "data"},
		{"/data.html", "data.html"}, // the address without .html is another file's
		{"/data/", "-> /data"},
		{"/a", "-> /a/"},
		{"/a/index", "-> /a/"},
		{"/a/index.html", "-> /a/"},
		{"/a/index/", "-> /a/"},
		{"/a/b/", "-> /a/b"},
		{"/index", "-> /"},
		{"/index/", "index/index.html"},
		{"/index/index.html", "-> /index/"},
		{"/two.html.html", "-> /two.html"},
		{"/two.html", "two.html.html"},
		{"/.html", ".html"},
		{"/d/.html", "d/.html"},
		{"/d/", "404"},
		{"/style.css", "style.css"},
		{"/style", "404"},
		{"/style.css/", "404"},
		{"/weird name?.html", "-> /weird%20name%3F"},
		{"/50%.html", "-> /50%25"},
		{"/ünï", "-> /%C3%BCn%C3%AF/"},
		{"/#", "-> /%23/"},
		{"/dir.html", "404"},
		{"/raw/", "404"},
		{"/About", "404"}, // names are exact
		{"/deep", "404"},
		{"/deep/", "404"},
	})
}

func TestResolve_LooksUpTheCleanPath(t *testing.T) {
	m := site(t, "", "index.html", "a/b.txt", "evil.com/index.html")
	runResolve(t, m, []resolveCase{
		{"//a//b.txt", "a/b.txt"},
		{"/a/./b.txt", "a/b.txt"},
		{"/x/../a/b.txt", "a/b.txt"},
		{"/../../a/b.txt", "a/b.txt"},
		{"/../../../etc/passwd", "404"},
		{"//evil.com/index", "-> /evil.com/"},
		{"//evil.com", "-> /evil.com/"},
		{`/a\b.txt`, "404"},
		{"/a/b.txt\x00", "404"},
		{"a/b.txt", "a/b.txt"},
	})
}

func TestResolve_ShowsTheNearest404Upward(t *testing.T) {
	m := site(t, hosting.FallbackSPA, "index.html", "404.html", "docs/404.html", "docs/a.html")
	runResolve(t, m, []resolveCase{
		{"/nope", "404 404.html"},
		{"/docs/nope", "404 docs/404.html"},
		{"/docs/x/y/z/", "404 docs/404.html"},
		{"/docs/a/nope", "404 docs/404.html"},
		{"/docsx/nope", "404 404.html"},
		{"/404", "404.html"},
		{"/" + strings.Repeat("x/", 4000), "404 404.html"},
		{"/docs/" + strings.Repeat("x", 4000), "404 docs/404.html"},
	})
}

func TestResolve_FallsBackForRoutesOfASinglePageApplicationOnly(t *testing.T) {
	m := site(t, hosting.FallbackSPA, "index.html", "assets/app.js", "docs/404.html")
	runResolve(t, m, []resolveCase{
		{"/users/42", "index.html (fallback)"},
		{"/users/42/", "index.html (fallback)"},
		{"/page.html", "index.html (fallback)"},
		{"/v1./x", "index.html (fallback)"},
		{"/assets/app-old.js", "404"},
		{"/favicon.ico", "404"},
		{"/docs/nope", "404 docs/404.html"},
		{"/.env", "404"},
		{"/.well-known/acme-challenge/x", "404"},
		{"/a/.git/HEAD", "404"},
	})
	runResolve(t, site(t, hosting.FallbackSPA, "404.html", "index.html"), []resolveCase{{"/users", "404 404.html"}})
	runResolve(t, site(t, hosting.FallbackNone, "index.html"), []resolveCase{{"/users", "404"}})
	runResolve(t, site(t, hosting.FallbackSPA, "a.txt"), []resolveCase{{"/users", "404"}, {"/", "404"}})
	runResolve(t, site(t, hosting.FallbackSPA), []resolveCase{{"/", "404"}})
}

func TestResolve_OfAFileAllocatesNothing(t *testing.T) {
	m := site(t, hosting.FallbackSPA, "index.html", "a/b/c.html", "a/b/app.js")
	n := testing.AllocsPerRun(100, func() {
		for _, p := range [...]string{"/", "/a/b/c", "/a/b/app.js", "/nope"} {
			a := m.Resolve(manifest.Request{Path: p})
			if a.File.Path() == "" || a.File.Type() == "" || a.File.Digest().IsZero() {
				t.Error("no file")
			}
			if form, ok := a.File.Form(hosting.EncodingIdentity); !ok || form.Part(0).Size == 0 {
				t.Error("no part")
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkAnswer holds for every manifest and path.
func checkAnswer(t *testing.T, m *manifest.Manifest, path string) {
	t.Helper()
	a := m.Resolve(manifest.Request{Path: path})
	switch a.Status {
	case http.StatusOK:
		if f, ok := m.Find(a.File.Path()); a.File.IsZero() || !ok || f != a.File || a.Location != "" {
			t.Errorf("%q: 200 without a file of the site", path)
		}
	case http.StatusNotFound:
		if a.Location != "" || a.Fallback {
			t.Errorf("%q: 404 with %+v", path, a)
		}
	case http.StatusPermanentRedirect:
		follow(t, m, path, a)
	default:
		t.Errorf("%q: status %d", path, a.Status)
	}
}

// follow walks the redirects as a browser does: they stay on the host and end at a file.
func follow(t *testing.T, m *manifest.Manifest, path string, a manifest.Answer) {
	t.Helper()
	base := &url.URL{Scheme: "https", Host: "site.test", Path: "/"}
	for range 3 {
		if !strings.HasPrefix(a.Location, "/") || strings.HasPrefix(a.Location, "//") || !a.File.IsZero() || a.Fallback {
			t.Errorf("%q: redirect to %q", path, a.Location)
			return
		}
		for _, c := range []byte(a.Location) {
			if c <= ' ' || c >= 0x7f || c == '\\' || c == '?' || c == '#' || c == '"' {
				t.Errorf("%q: %q is not encoded", path, a.Location)
			}
		}
		u, err := base.Parse(a.Location)
		if err != nil || u.Host != "site.test" || u.RawQuery != "" {
			t.Errorf("%q: redirect to %q leads to %v %v", path, a.Location, u, err)
			return
		}
		if clean, ok := hosting.CleanPath(u.Path); !ok || clean != u.Path {
			t.Errorf("%q: %q is not clean", path, u.Path)
		}
		if a = m.Resolve(manifest.Request{Path: u.Path}); a.Status == http.StatusOK {
			return
		}
	}
	t.Errorf("%q: its redirects end with %d %q", path, a.Status, a.Location)
}

func FuzzResolve(f *testing.F) {
	sites := []*manifest.Manifest{
		site(f, hosting.FallbackSPA, "index.html", "a.html", "a/index.html", "b/index.html", "c", "c.html", "x/y/z.html", "evil.com/index.html", "t.html.html", "%2e.html", "\t/index.html"),
		site(f, hosting.FallbackNone, "404.html", "d/404.html", "d/e.html", ".html", "index", "index.html", "index/index.html", "@:/index.html"),
		site(f, hosting.FallbackSPA),
	}
	for _, s := range []string{
		"/", "", "//evil.com/index", "/%2Fevil.com/index/", "/../..", `/\evil.com`, "/a.html/", "/index/index", "/t.html.html/", "/d/e/../f",
		"/\t/evil.com/index", "/c0\xc0\xae", "/x/y/z/", "/@:/index", "/\t",
	} {
		f.Add(s, "p.html")
	}
	f.Fuzz(func(t *testing.T, path, name string) {
		for _, m := range sites {
			checkAnswer(t, m, path)
		}
		if hosting.CheckFilePath(name) != nil {
			return
		}
		m := site(t, hosting.FallbackSPA, name)
		for _, p := range []string{path, "/" + name, "/" + name + "/", "/" + strings.TrimSuffix(name, ".html"), "/" + strings.TrimSuffix(name, "index.html")} {
			checkAnswer(t, m, p)
		}
	})
}
