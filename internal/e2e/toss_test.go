package e2e

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
)

// tossPage is a tenant's page that sets whatever cookies it is told.
var tossPage = map[string]string{
	"index.html": "<!doctype html><title>evil</title><script src=/toss.js></script>",
	"toss.js": `
window.toss = text => { document.cookie = text };
window.store = async o => { try { await cookieStore.set(o) } catch { } };
window.fill = (n, size, attrs) => { for (let i = 0; i < n; i++) document.cookie = "filler" + i + "=" + "x".repeat(size) + attrs };
`,
}

// toss is one way to set a cookie for the control host from a site beside it.
type toss struct{ name, value, attrs string }

func (t toss) text() string { return t.name + "=" + t.value + t.attrs }

// tosses lists all ways for a cookie's name. The value is a session of the attacker's own:
// a control host that took it would act for them.
func tosses(name, value, domain string) (all []toss) {
	names := []string{
		name, strings.ToLower(name), strings.ToUpper(name), " " + name, name + " ", "\t" + name, "\u00a0" + name, "\u2003" + name, "\ufeff" + name,
		strings.Replace(name, "__Host-", "__HOST-", 1), strings.Replace(name, "__Host-", "__Secure-", 1), strings.TrimPrefix(name, "__Host-"),
		`"` + name + `"`, "$Version=1,$Path=/," + name, "[" + name + "]", strings.ReplaceAll(name, "_", "%5F"),
	}
	for _, n := range names {
		for _, attrs := range []string{
			"; Domain=" + domain, "; Domain=" + domain + "; Path=/", "; Domain=." + domain + "; Path=/api", "; Domain=" + domain + "; Path=/api/user",
			"; Domain=" + domain + "; Path=/api/user; Secure", "; Domain=control." + domain + "; Path=/", "; Path=/; Secure",
		} {
			all = append(all, toss{n, value, attrs})
		}
	}
	// Cookies without a name, whose value reads like another cookie.
	for _, text := range []string{name + "=" + value, " " + name + "=" + value, "=" + name + "=" + value} {
		all = append(all, toss{"", text, "; Domain=" + domain + "; Path=/api/user"})
	}
	return all
}

// claimToss is people.3: whatever cookies a tenant's page sets in a real browser, a page of
// the control host is answered as before. The domain is the worst: one that sites and the
// control host share.
func claimToss(c *C) {
	const domain = "fairway.test"
	s := NewServer(c, unlimited, "FAIRWAY_DOMAIN="+domain, "FAIRWAY_CONTROL_HOST=control."+domain,
		"FAIRWAY_ALLOW_SHARED_DOMAIN=on", "FAIRWAY_SIGNUP=open", "FAIRWAY_UNSANDBOXED_BUILDS=on")
	ann := s.Owner()
	mallory := s.SignUp("Mallory")
	mallory.Deploy("evil", tossPage)

	b := openBrowser(c, domain)
	v := &victimTab{C: c, control: b.Tab(), base: s.Control(), ann: ann, cookie: sessionCookie}
	v.evil = map[string]*page{"https": b.Tab(), "http": b.Tab()}
	v.evil["https"].Open(fmt.Sprintf("https://evil.%s:%d/", domain, s.HTTPS))
	v.evil["http"].Open(fmt.Sprintf("http://evil.%s:%d/", domain, s.HTTP))
	v.control.Open(v.base + "/")
	v.signIn()

	variants := tosses(sessionCookie, mallory.Secret(), domain)
	kept := 0
	for range c.Size {
		kept += v.tossAll(variants)
	}
	v.allAtOnce(variants)
	c.Figure("%d cookies tossed in %d ways, %d kept by the browser: 0 changed the answer", 2*c.Size*len(variants), 2*len(variants), kept)
	v.fillers(60, 1)
	v.fillers(200, 1)
	v.fillers(1000, 1)
	v.fillers(60, 3900)
	c.naiveServerIsFooled(b, v.evil["https"], domain)
}

// victimTab is a page of the control host, where Ann is signed in, and the tenant's pages.
type victimTab struct {
	*C
	control *page
	evil    map[string]*page
	base    string
	ann     *Person
	cookie  string
	want    seen
}

// seen is what GET /api/user answers to a page.
type seen struct {
	Status int
	Body   string
}

// lastSeen is when a session was used last, which the question itself changes.
var lastSeen = regexp.MustCompile(`"lastSeenAt":"[^"]*",?`)

func (v *victimTab) signIn() {
	v.Helper()
	var status int
	v.control.Eval(&status, `fetch("/api/user/login", {method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({email: %s, password: %s})}).then(r => r.status)`, v.ann.Email, v.ann.Password)
	if status/100 != 2 {
		v.Fatalf("the page of the control host cannot sign in: %d", status)
	}
	v.want = v.ask()
	if v.want.Status != 200 || !strings.Contains(v.want.Body, v.ann.Email) {
		v.Fatalf("the page of the control host is answered %+v", v.want)
	}
}

func (v *victimTab) ask() (a seen) {
	v.Helper()
	v.control.Eval(&a, `fetch("/api/user", {credentials: "include", cache: "no-store"}).then(
		async r => ({status: r.status, body: await r.text()}), e => ({status: 0, body: String(e)}))`)
	a.Body = lastSeen.ReplaceAllString(a.Body, "")
	return a
}

func (v *victimTab) same(when string) {
	v.Helper()
	if got := v.ask(); got != v.want {
		v.Fatalf("%s GET /api/user answers %d %s, and before it was %s", when, got.Status, got.Body, v.want.Body)
	}
}

// tossAll tosses one cookie after the other, each alone, by both schemes, and returns how
// many of them the browser kept.
func (v *victimTab) tossAll(variants []toss) (kept int) {
	v.Helper()
	for _, i := range v.Rand.Perm(len(variants)) {
		for scheme, evil := range v.evil {
			v.same("before a toss")
			before := len(evil.b.Cookies())
			evil.Eval(nil, "toss(%s)", variants[i].text())
			if variants[i].name != "" && strings.Contains(variants[i].attrs, "Domain=fairway") {
				evil.Eval(nil, "store({name: %s, value: %s, domain: 'fairway.test', path: '/api'})", variants[i].name, variants[i].value)
			}
			kept += len(evil.b.Cookies()) - before
			v.same(fmt.Sprintf("after %s set the cookie %q", scheme, variants[i].text()))
			v.forget()
		}
	}
	return kept
}

// forget leaves the browser the session's cookie alone.
func (v *victimTab) forget() {
	v.Helper()
	v.control.Keep(func(k cookie) bool {
		return k.Name == v.cookie && strings.HasPrefix(k.Domain, "control.") && k.HTTPOnly
	})
}

// allAtOnce tosses every cookie and forgets none.
func (v *victimTab) allAtOnce(variants []toss) {
	v.Helper()
	for _, t := range variants {
		v.evil["http"].Eval(nil, "toss(%s)", t.text())
		v.evil["https"].Eval(nil, "toss(%s)", t.text())
	}
	v.same("after all of them together")
	v.forget()
}

// fillers crowd the browser's store, which keeps so many cookies of a site: they may sign Ann
// out, which is told, but never in as somebody else.
func (v *victimTab) fillers(n, size int) {
	v.Helper()
	for _, attrs := range []string{"; Domain=fairway.test; Path=/", "; Domain=fairway.test; Path=/; Secure"} {
		v.evil["https"].Eval(nil, "fill(%s, %s, %s)", n, size, attrs)
	}
	got := v.ask()
	switch kept := len(v.control.b.Cookies()) - 1; {
	case got == v.want:
		v.Figure("%d fillers of %d bytes, of which the browser kept %d: the same", n, size, kept)
	case got.Status == http.StatusUnauthorized && !v.holdsSession():
		v.Figure("%d fillers of %d bytes: signed out by eviction, %d kept", n, size, kept)
	case got.Status == http.StatusRequestHeaderFieldsTooLarge || got.Status == http.StatusBadRequest || got.Status == 0:
		v.Figure("%d fillers of %d bytes: refused for the size of its header (%d), %d kept", n, size, got.Status, kept)
	default:
		v.Errorf("with %d fillers of %d bytes GET /api/user answers %d %s", n, size, got.Status, got.Body)
	}
	v.forget()
	if !v.holdsSession() {
		v.signIn()
	}
	v.same("without the fillers")
}

func (v *victimTab) holdsSession() bool {
	for _, k := range v.control.b.Cookies() {
		if k.Name == v.cookie {
			return true
		}
	}
	return false
}

// naiveServerIsFooled is the control: on the same host, a server whose cookie has a plain name
// must be changed by the same tosses, or the browser and the tosses prove nothing.
func (c *C) naiveServerIsFooled(b *browser, evil *page, domain string) {
	c.Helper()
	who := map[string]string{"ann's": "Ann", "mallory's": "Mallory"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/user/login", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "ann's", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	})
	mux.HandleFunc("GET /api/user", func(w http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if k, err := r.Cookie("session"); err == nil {
			name = who[k.Value]
		}
		_, _ = fmt.Fprint(w, html.EscapeString(name))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "<!doctype html><title>naive</title>")
	})
	srv := httptest.NewTLSServer(mux)
	defer srv.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "https://"), ":")
	tab := b.Tab()
	tab.Open("https://control." + domain + ":" + port + "/")
	tab.Eval(nil, `fetch("/api/user/login", {method: "POST", credentials: "include"}).then(r => r.status)`)
	naive := &victimTab{C: c, control: tab, evil: map[string]*page{"https": evil}, cookie: "session"}
	if naive.want = naive.ask(); naive.want.Body != "Ann" {
		c.Fatalf("the control's own session is not known: %+v", naive.want)
	}
	fooled := 0
	for _, t := range tosses("session", "mallory's", domain) {
		evil.Eval(nil, "toss(%s)", t.text())
		if got := naive.ask(); got != naive.want {
			fooled++
		}
		naive.forget()
	}
	if fooled == 0 {
		c.Fatal("the tosses did not change what a naive server answers: nothing that they say counts")
	}
	c.Figure("a naive server was fooled by %d of the same tosses", fooled)
}
