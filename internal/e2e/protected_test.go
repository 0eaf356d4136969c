package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Submit runs a script that leaves the page, and waits until the next one is loaded.
func (p *page) Submit(script string) {
	p.b.t.Helper()
	p.b.call(p.session, "Runtime.evaluate", map[string]any{"expression": script}, "Page.loadEventFired", nil)
}

// shows waits until the page has a text: one page may lead to another by itself.
func (p *page) shows(s *Server, text string) {
	p.b.t.Helper()
	var body string
	defer func() {
		if !strings.Contains(body, text) {
			p.b.t.Logf("the browser is at %s", body)
		}
	}()
	s.eventually(20*time.Second, "the browser shows "+text, func() bool {
		p.Eval(&body, `document.readyState === "complete" && document.body ? location.href + "\n" + document.body.innerText : ""`)
		return strings.Contains(body, text)
	})
}

// TestStory_AProtectedSite is a person with a browser: the site's previews are for the team, so
// they sign in at the control host and come back; then the whole site is for a password.
func TestStory_AProtectedSite(t *testing.T) {
	s := NewFastServer(t, unlimited)
	ann := s.Owner()
	ann.Do("POST", "/projects", map[string]any{"name": "Intranet", "slug": "intranet"}).OK()
	ann.Deploy("intranet", map[string]string{"index.html": "<!doctype html><title>Intranet</title><h1>What only we know</h1>", "plan.html": "<h1>The plan</h1>"})
	access := func(u hosting.AccessUpdate) { ann.Do("PUT", "/projects/intranet/access", u).OK() }
	site := s.Secure("intranet")
	s.Get(site+"/").Is(200, "What only we know")

	access(hosting.AccessUpdate{Production: &hosting.AccessChange{Mode: hosting.AccessTeam}})
	s.Get(site+"/plan").Is(401, "Not for everybody")
	tab := openBrowser(t, "localhost").Tab()
	tab.Open(site + "/plan")
	tab.shows(s, "Sign in")
	tab.Submit(`document.querySelector("#email").value = ` + quoted(ann.Email) + `; document.querySelector("#password").value = ` + quoted(ann.Password) + `; document.querySelector("form button").click()`)
	tab.shows(s, "The plan")
	var private string
	tab.Eval(&private, `fetch("/").then((r) => r.headers.get("cache-control"))`)
	if private != "private, no-store" {
		t.Errorf("Cache-Control is %q", private)
	}

	access(hosting.AccessUpdate{Production: &hosting.AccessChange{Mode: hosting.AccessPassword, Password: "open sesame"}})
	tab.Open(site + "/plan") // the session was of the site as it was
	tab.shows(s, "Password needed")
	enter := func(password string) {
		tab.Submit(`document.querySelector("#password").value = ` + quoted(password) + `; document.querySelector("form button").click()`)
	}
	enter("open barley")
	tab.shows(s, "That is not the password.")
	enter("open sesame")
	tab.shows(s, "The plan")
	s.Get(site+"/plan").Is(401, "Not for everybody")
	access(hosting.AccessUpdate{Production: &hosting.AccessChange{Mode: hosting.AccessPublic}})
	s.Get(site+"/plan").Is(200, "The plan")
}

func quoted(s string) string { return "'" + s + "'" }
