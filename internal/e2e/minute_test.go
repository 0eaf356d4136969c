package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// claimFirstMinute is main.1: what the README says, on a fresh data folder: make run, then
// three deployments, each answering over HTTP and over HTTPS.
func claimFirstMinute(c *C) {
	s := &Server{t: c, bin: binary(c, "fairway", "make fairway"), Data: c.TempDir(), HTTP: freePort(c), HTTPS: freePort(c)}
	c.Cleanup(s.end)
	mk := exec.Command("make", "run")
	mk.Dir = root(c)
	started := time.Now()
	s.launch(mk, "GOFLAGS="+os.Getenv("GOFLAGS"), "GOPROXY="+os.Getenv("GOPROXY"))
	s.Healthy()
	c.Figure("make run to a healthy API, binary built: %.1f s", time.Since(started).Seconds())
	for _, want := range []string{"Fairway is running", s.Data, fmt.Sprintf("<site>.localhost:%d", s.HTTP), "fairway deploy"} {
		if !strings.Contains(s.out.String(), want) {
			c.Errorf("the start does not say %q:\n%s", want, s.out)
		}
	}

	started = time.Now()
	url := s.Deploy(root(c), "examples/sites/static")
	c.Figure("static folder to URL: %.2f s", time.Since(started).Seconds())
	s.answers(c, url, "static", "<title>")

	started = time.Now()
	url = s.Deploy(root(c), "examples/sites/vite-react")
	c.Figure("Vite + React with npm ci to URL: %.1f s", time.Since(started).Seconds())
	s.answers(c, url, "vite-react", `<div id="root">`)
	s.keepsScripts(c, url)
	if dom := browse(c, url); !strings.Contains(dom, "<h1>Tides</h1>") {
		c.Errorf("the browser did not render the React site:\n%.800s", dom)
	}

	forge := NewForge(c)
	repo, _ := forge.Push("hello", buildingSite("hello from git", 3))
	started = time.Now()
	url = s.Deploy(c.TempDir(), "--git", repo)
	c.Figure("Git repository with a build to URL: %.1f s", time.Since(started).Seconds())
	s.answers(c, url, "hello", "hello from git")
}

// answers checks a site over HTTP at the URL that the CLI printed, and over HTTPS with the
// internal root.
func (s *Server) answers(c *C, url, site, text string) {
	c.Helper()
	if !strings.HasPrefix(url, "http") {
		c.Fatalf("the last line of deploy is %q, not a URL", url)
	}
	s.Get(url).Is(200, text)
	if url != s.Site(site) {
		c.Errorf("deploy printed %s, want %s", url, s.Site(site))
	}
	s.Get(s.Secure(site)).Is(200, text)
}

var scriptOf = regexp.MustCompile(`src="(/assets/[^"]+\.js)"`)

// keepsScripts checks that browsers may keep what is named by its content, and nothing else.
func (s *Server) keepsScripts(c *C, url string) {
	c.Helper()
	page := s.Get(url).Is(200, "")
	script := scriptOf.FindStringSubmatch(page.Body)
	if script == nil {
		c.Fatalf("the page names no script: %.500s", page.Body)
	}
	for path, want := range map[string]string{"": "public, max-age=0, must-revalidate", script[1]: "public, max-age=31536000, immutable"} {
		if got := s.Get(strings.TrimSuffix(url, "/")+path).Is(200, "").Header("Cache-Control"); got != want {
			c.Errorf("%q: Cache-Control is %q, want %q", path, got, want)
		}
	}
}

// buildingSite is a project whose build script needs nothing but node and prints lines.
func buildingSite(text string, lines int) map[string]string {
	pkg, _ := json.Marshal(map[string]any{
		"name": "site", "private": true, "version": "1.0.0",
		"scripts": map[string]string{"build": "node build.js"},
	})
	return map[string]string{
		"package.json": string(pkg),
		"build.js": fmt.Sprintf(`const fs = require("fs");
let n = 0;
function step() {
  for (let i = 0; i < 10 && n < %[2]d; i++) console.log("line " + ++n + " of %[2]d");
  if (n < %[2]d) return setTimeout(step, 5);
  fs.mkdirSync("dist", { recursive: true });
  fs.writeFileSync("dist/index.html", "<!doctype html><title>site</title><p>%[1]s</p>");
}
step();
`, text, lines),
	}
}

// browse returns the page as a real browser has it after its scripts ran.
func browse(t testing.TB, url string) string {
	t.Helper()
	cmd := exec.Command(chromium(t), chromiumFlags(t.TempDir(), "--virtual-time-budget=5000", "--dump-dom", url)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	return string(out)
}

// claimCurl is main.2: project and deployment made with curl through Caddy's admin socket.
func claimCurl(c *C) {
	s := NewServer(c)
	forge := NewForge(c)
	repo, commit := forge.Push("curled", buildingSite("hello from curl", 3))
	call := func(method, path, body string) map[string]any {
		c.Helper()
		args := []string{"-sS", "--unix-socket", filepath.Join(s.Data, "admin.sock"), "-X", method, "http://localhost/fairway" + path}
		if body != "" {
			args = append(args, "-H", "Content-Type: application/json", "-d", body)
		}
		out, err := exec.Command("curl", args...).Output()
		if err != nil {
			c.Fatalf("curl %s %s: %v", method, path, err)
		}
		var answer map[string]any
		if err := json.Unmarshal(out, &answer); err != nil {
			c.Fatalf("curl %s %s answered %q", method, path, out)
		}
		return answer
	}
	p := call("POST", "/projects", `{"name": "Curled site", "slug": "curled", "gitURL": "`+repo+`"}`)
	d := call("POST", "/deploy", `{"project": "`+p["id"].(string)+`"}`)
	if d["status"] != "QUEUED" || d["id"] == nil || d["url"] == nil {
		c.Fatalf("POST /deploy answered %v", d)
	}
	s.eventually(60*time.Second, "the deployment is READY", func() bool {
		d = call("GET", "/deployments/"+d["id"].(string), "")
		if d["status"] == "FAIL" {
			c.Fatalf("the deployment failed: %v", d)
		}
		return d["status"] == "READY"
	})
	if got := d["source"].(map[string]any)["commit"]; got != commit {
		c.Errorf("built commit %v, want %s", got, commit)
	}
	s.Get(s.Site("curled")).Is(200, "hello from curl")
	log := call("GET", "/deployments/"+d["id"].(string)+"/logs", "")
	if n := len(log["lines"].([]any)); n < 3 {
		c.Errorf("the log has %d lines", n)
	}
	c.Figure("%d lines of log", len(log["lines"].([]any)))
}
