package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// browser is a Chromium that the test drives over the Chrome DevTools protocol.
type browser struct {
	t   testing.TB
	ctx context.Context
	ws  *websocket.Conn
	mu  sync.Mutex // one command after the other
	id  int
}

// chromium returns the path of the browser.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no browser: make check-tools installs one")
	return ""
}

// chromiumFlags keep it to this machine and to a profile of its own.
func chromiumFlags(profile string, more ...string) []string {
	return append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + profile,
	}, more...)
}

// openBrowser starts Chromium, for which the domain and every host below it is this machine.
func openBrowser(t testing.TB, domain string) *browser {
	t.Helper()
	profile := t.TempDir()
	cmd := exec.Command(chromium(t), chromiumFlags(profile, "--remote-debugging-port=0", "--ignore-certificate-errors",
		"--host-resolver-rules=MAP "+domain+" 127.0.0.1, MAP *."+domain+" 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t}
	var cancel context.CancelFunc
	b.ctx, cancel = context.WithTimeout(context.Background(), 30*time.Minute)
	t.Cleanup(func() {
		cancel()
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	ws, _, err := websocket.Dial(b.ctx, devTools(t, profile), nil)
	if err != nil {
		t.Fatalf("the browser's DevTools: %v", err)
	}
	ws.SetReadLimit(64 << 20)
	b.ws = ws
	return b
}

// devTools waits until the browser has written where it listens.
func devTools(t testing.TB, profile string) string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
		if port, path, ok := strings.Cut(strings.TrimSpace(string(b)), "\n"); err == nil && ok {
			return "ws://127.0.0.1:" + port + path
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the browser did not start within 30 s")
		}
	}
}

// message is one of the protocol: a command, its answer, or an event.
type message struct {
	ID        int             `json:"id,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// call sends a command and decodes its answer into out, unless that is nil. With event it
// also waits for the event of that name in the same session.
func (b *browser) call(session, method string, params any, event string, out any) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.id++
	if err := wsjson.Write(b.ctx, b.ws, message{ID: b.id, SessionID: session, Method: method, Params: params}); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	answered, happened := false, event == ""
	for !answered || !happened {
		ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
		var m message
		err := wsjson.Read(ctx, b.ws, &m)
		cancel()
		switch {
		case err != nil:
			b.t.Fatalf("%s: %v", method, err)
		case m.ID == b.id && m.Error != nil:
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		case m.ID == b.id:
			answered = true
			if out != nil {
				if err := json.Unmarshal(m.Result, out); err != nil {
					b.t.Fatalf("%s: %v", method, err)
				}
			}
		case m.Method == event && m.SessionID == session:
			happened = true
		}
	}
}

// page is a tab.
type page struct {
	b       *browser
	session string
}

// Tab opens a tab. Scripts that the test runs in it are not held to the page's content
// security policy; cookies and origins are as they are for the page's own.
func (b *browser) Tab() *page {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}, "", &target)
	var attached struct{ SessionID string }
	b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, "", &attached)
	p := &page{b: b, session: attached.SessionID}
	b.call(p.session, "Page.enable", nil, "", nil)
	b.call(p.session, "Page.setBypassCSP", map[string]any{"enabled": true}, "", nil)
	return p
}

// Open goes to an address and waits until the page is loaded.
func (p *page) Open(url string) {
	p.b.t.Helper()
	var nav struct{ ErrorText string }
	p.b.call(p.session, "Page.navigate", map[string]any{"url": url}, "Page.loadEventFired", &nav)
	if nav.ErrorText != "" {
		p.b.t.Fatalf("the browser opens %s: %s", url, nav.ErrorText)
	}
}

// Eval runs a script, awaits the promise that it makes, and decodes its JSON value into out.
func (p *page) Eval(out any, script string, args ...any) {
	p.b.t.Helper()
	for i, a := range args {
		j, err := json.Marshal(a)
		if err != nil {
			p.b.t.Fatal(err)
		}
		args[i] = string(j)
	}
	script = fmt.Sprintf(script, args...)
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	p.b.call(p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true}, "", &r)
	if r.ExceptionDetails != nil {
		p.b.t.Fatalf("%s: %s %s", script, r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	}
	if out == nil || len(r.Result.Value) == 0 {
		return
	}
	if err := json.Unmarshal(r.Result.Value, out); err != nil {
		p.b.t.Fatalf("%s: %v", script, err)
	}
}

// cookie is one that the browser keeps.
type cookie struct {
	Name, Value, Domain, Path string
	Secure, HTTPOnly          bool
}

// Cookies lists all that the browser keeps, of whatever site.
func (b *browser) Cookies() []cookie {
	b.t.Helper()
	var r struct{ Cookies []cookie }
	b.call("", "Storage.getCookies", nil, "", &r)
	return r.Cookies
}

// Keep forgets all cookies but these.
func (p *page) Keep(keep func(cookie) bool) {
	p.b.t.Helper()
	for _, c := range p.b.Cookies() {
		if !keep(c) {
			p.b.call(p.session, "Network.deleteCookies", map[string]any{"name": c.Name, "domain": c.Domain, "path": c.Path}, "", nil)
		}
	}
}
