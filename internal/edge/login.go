package edge

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// serveOwn answers below ownPrefix of a protected site.
func (s *Server) serveOwn(x *exchange, a hosting.Access) {
	get := x.r.Method == http.MethodGet || x.r.Method == http.MethodHead
	post := x.r.Method == http.MethodPost
	if post && crossOrigin.Check(x.r) != nil {
		s.pages.foreign.serve(x.w, x.r)
		return
	}
	switch path := x.r.URL.Path; {
	case path == logoutPath && post:
		setCookie(x.w, sessionCookie, "", 0)
		x.seeOther("/")
	case path != loginPath:
		s.pages.notFound.serve(x.w, x.r)
	case get && s.gate.opened(x.r, x.resolved, a):
		x.seeOther(safeNext(x.r.URL.Query().Get("next")))
	case get && a.Mode == hosting.AccessTeam && x.r.URL.Query().Has("ticket"):
		s.endVisit(x, a)
	case get && a.Mode == hosting.AccessTeam:
		s.startVisit(x)
	case get:
		x.showLogin(http.StatusOK, "", x.r.URL.Query().Get("next"))
	case post && a.Mode == hosting.AccessPassword:
		s.takePassword(x, a)
	default:
		x.h["Allow"] = valueAllow
		if a.Mode == hosting.AccessPassword {
			x.h["Allow"] = valueAllowPost
		}
		s.pages.method.serve(x.w, x.r)
	}
}

// crossOrigin refuses what pages of other sites post, by the headers of the browser.
var crossOrigin = http.NewCrossOriginProtection()

const (
	maxForm         = 8 << 10
	triesPerMinute  = 10
	maxTriers       = 10_000
	wrongPassword   = "That is not the password."
	tooManyTries    = "There were too many tries. Wait a minute."
	tooManyVisitors = "Too many people are coming in at once. Try again in a moment."
)

// takePassword lets in who knows the password.
func (s *Server) takePassword(x *exchange, a hosting.Access) {
	values, err := readForm(x)
	if err != nil {
		s.pages.badRequest.serve(x.w, x.r)
		return
	}
	password, next := values.Get("password"), values.Get("next")
	if password == "" || len(password) > hosting.MaxSitePassword {
		x.showLogin(http.StatusUnauthorized, wrongPassword, next)
		return
	}
	if !s.gate.tries.take(s.gate.now(), s.gate.Client(x.r), x.resolved.Site.Project) {
		x.h["Retry-After"] = []string{"60"}
		x.showLogin(http.StatusTooManyRequests, tooManyTries, next)
		return
	}
	switch ok, err := s.gate.verify(x.r.Context(), a.Hash, password); {
	case errors.Is(err, errBusy):
		x.h["Retry-After"] = []string{"5"}
		x.showLogin(http.StatusTooManyRequests, tooManyVisitors, next)
	case err != nil:
		s.report(x, "a site's password cannot be checked", err)
		s.pages.unavailable.serve(x.w, x.r)
	case !ok:
		x.showLogin(http.StatusUnauthorized, wrongPassword, next)
	default:
		s.gate.setSession(x.w, x.resolved, a)
		x.seeOther(safeNext(next))
	}
}

// readForm reads a form of the browser's, which is short.
func readForm(x *exchange) (url.Values, error) {
	if kind, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";"); kind != "application/x-www-form-urlencoded" {
		return nil, errors.New("not a form")
	}
	b, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxForm))
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(b))
}

var errBusy = errors.New("too many wait")

// verify waits for its turn: a hash takes a processor for some tens of milliseconds, and a flood
// of guesses must not take all of them from those who read sites.
func (g *gate) verify(ctx context.Context, hash, password string) (bool, error) {
	select {
	case g.seats <- struct{}{}:
		defer func() { <-g.seats }()
	default:
		return false, errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, maxPatient)
	defer cancel()
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
		return g.Verify(ctx, hash, password)
	case <-ctx.Done():
		return false, errBusy
	}
}

// tries bounds how often one address guesses at one project's sites.
type tries struct {
	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

// take reports whether there may be one more.
func (t *tries) take(now time.Time, address string, project hosting.ProjectID) bool {
	key := network(address) + " " + string(project)
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.seen[key]
	if l == nil {
		if len(t.seen) >= maxTriers {
			clear(t.seen) // who floods has that many addresses, and the gate holds them up
		}
		if t.seen == nil {
			t.seen = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(triesPerMinute)/60, triesPerMinute)
		t.seen[key] = l
	}
	return l.AllowN(now, 1)
}

// network is an address, or of IPv6 the network that one subscriber has.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}

var valueLoginPolicy = fixed("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")

var loginTemplate = template.Must(template.New("login").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Password needed</title>
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem}
label{display:block}input,button{font:inherit;padding:.4rem .6rem;margin:.3rem .3rem .3rem 0;box-sizing:border-box}input{width:100%;max-width:22rem}
[role=alert]{color:light-dark(#b3261e,#f2b8b5)}</style>
<h1>Password needed</h1>
<p>Whoever runs this site shows it to those who know its password.</p>
<form method="post" action="` + loginPath + `">
<input type="hidden" name="next" value="{{.Next}}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus{{if .Wrong}} aria-invalid="true" aria-describedby="wrong"{{end}}>
{{- with .Wrong}}
<p id="wrong" role="alert">{{.}}</p>
{{- end}}
<p><button>Show the site</button></p>
</form>
`))

// showLogin answers with the form.
func (x *exchange) showLogin(status int, wrong, next string) {
	var b bytes.Buffer
	err := loginTemplate.Execute(&b, struct{ Wrong, Next string }{wrong, safeNext(next)})
	if err != nil {
		panic(err) // a constant template over strings, into memory
	}
	x.h["Content-Type"] = valueHTML
	x.h["Content-Length"] = []string{strconv.Itoa(b.Len())}
	x.h["Content-Security-Policy"] = valueLoginPolicy
	x.h["X-Content-Type-Options"] = valueNoSniff
	x.h["X-Robots-Tag"] = valueNoIndex
	x.h["Referrer-Policy"] = valueSameOrigin // no-referrer would hide where the form comes from
	x.h["Cache-Control"] = valuePrivate
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(b.Bytes()) // whoever asked has gone
	}
}
