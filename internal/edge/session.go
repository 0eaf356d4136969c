package edge

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

const (
	// sessionCookie and stateCookie are of the prefix that browsers take from the host itself
	// alone, over TLS (RFC 6265bis, section 4.1.3.2).
	sessionCookie = "__Host-fairway-site"
	stateCookie   = "__Host-fairway-state"

	sessionLife = 12 * time.Hour
	stateLife   = 10 * time.Minute
	// TicketLife is how long a ticket is good.
	TicketLife = time.Minute
	// clockSkew is how far the clocks of two processes may differ.
	clockSkew = 30 * time.Second
)

// sessionToken is what a session's cookie holds besides its end. It is of one site as it is
// now, for production or for previews: a change of the Site record ends it.
func sessionToken(k seal.Key, r *hosting.Resolved, a hosting.Access, end string) string {
	return k.Token("site session", string(r.Site.Project), scope(r), strconv.FormatUint(r.Site.Seq, 10), string(a.Mode), a.Hash, end)
}

func scope(r *hosting.Resolved) string {
	if r.Production {
		return "production"
	}
	return "previews"
}

// opened reports whether the request comes with a session of the site. Two cookies are none:
// one of them is not ours.
func (g *gate) opened(r *http.Request, res *hosting.Resolved, a hosting.Access) bool {
	cookies := r.CookiesNamed(sessionCookie)
	if len(cookies) != 1 {
		return false
	}
	// Another edge, whose clock is ahead, may have made it; over is over by the clock here.
	return g.signed(cookies[0].Value, 0, sessionLife+clockSkew, func(k seal.Key, end string) string { return sessionToken(k, res, a, end) })
}

// signed reports whether a text is an end that came no longer than late ago, and is no further
// than life from now, and the token that one of the keys makes for it.
func (g *gate) signed(text string, late, life time.Duration, token func(k seal.Key, end string) string) bool {
	end, got, ok := strings.Cut(text, ".")
	unix, err := strconv.ParseInt(end, 10, 64)
	if !ok || err != nil || strconv.FormatInt(unix, 10) != end {
		return false
	}
	now := g.now()
	if at := time.Unix(unix, 0); now.After(at.Add(late)) || at.After(now.Add(life)) {
		return false
	}
	for _, k := range g.Keys {
		if seal.Equal(got, token(k, end)) {
			return true
		}
	}
	return false
}

func (g *gate) setSession(w http.ResponseWriter, res *hosting.Resolved, a hosting.Access) {
	end := strconv.FormatInt(g.now().Add(sessionLife).Unix(), 10)
	setCookie(w, sessionCookie, end+"."+sessionToken(g.Keys[0], res, a, end), sessionLife)
}

func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	age := int(life / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// Ticket lets the browser that has a state, which is the hex SHA-256 of its cookie, into the
// site that a host shows. The control plane gives it to members of the site's team, to hand
// it to the edge until the time that it expires: at most TicketLife from now.
func Ticket(k seal.Key, r *hosting.Resolved, state string, expires time.Time) string {
	end := strconv.FormatInt(expires.Unix(), 10)
	return end + "." + ticketToken(k, r, state, end)
}

func ticketToken(k seal.Key, r *hosting.Resolved, state, end string) string {
	return k.Token("site ticket", r.Host, string(r.Site.Project), scope(r), strconv.FormatUint(r.Site.Seq, 10), state, end)
}

// startVisit sends a visitor to the control host, which knows who they are.
func (s *Server) startVisit(x *exchange) {
	if s.gate.SignIn == "" {
		s.pages.closed.serve(x.w, x.r)
		return
	}
	secret, ok := stateSecret(x.r)
	if !ok {
		var b [stateBytes]byte
		_, _ = rand.Read(b[:]) // never fails
		secret = hex.EncodeToString(b[:])
	}
	setCookie(x.w, stateCookie, secret, stateLife)
	x.seeOther(s.gate.SignIn + "?" + url.Values{
		"host": {x.resolved.Host}, "state": {stateOf(secret)}, "next": {safeNext(x.r.URL.Query().Get("next"))},
	}.Encode())
}

const stateBytes = 16

// stateSecret is the state that the browser has, which its tabs share: each of them may be on
// its way to the control host.
func stateSecret(r *http.Request) (secret string, ok bool) {
	cookies := r.CookiesNamed(stateCookie)
	if len(cookies) != 1 {
		return "", false
	}
	b, err := hex.DecodeString(cookies[0].Value)
	return cookies[0].Value, err == nil && len(b) == stateBytes
}

func stateOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// endVisit lets in who comes back with a ticket.
func (s *Server) endVisit(x *exchange, a hosting.Access) {
	q := x.r.URL.Query()
	secret, ok := stateSecret(x.r)
	ok = ok && s.gate.signed(q.Get("ticket"), clockSkew, TicketLife+clockSkew, func(k seal.Key, end string) string {
		return ticketToken(k, x.resolved, stateOf(secret), end)
	})
	if !ok {
		s.pages.ticket.serve(x.w, x.r) // not back to the control host: that could go on for ever
		return
	}
	setCookie(x.w, stateCookie, "", 0)
	s.gate.setSession(x.w, x.resolved, a)
	x.seeOther(safeNext(q.Get("next")))
}

// maxNext bounds the address that a login leads to, in bytes.
const maxNext = 2048

// safeNext is the path of this host that a login may lead to, and "/" for everything else: what
// a browser might take for another host's address, and the login itself.
func safeNext(next string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsRune(next, '\\') {
		return "/"
	}
	for _, c := range []byte(next) {
		if c <= ' ' || c >= 0x7f {
			return "/"
		}
	}
	u, err := url.ParseRequestURI(next)
	if err != nil || u.Host != "" || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	if path, ok := hosting.CleanPath(u.Path); !ok || strings.HasPrefix(path, ownPrefix) {
		return "/"
	}
	return next
}

func escapeNext(uri string) string {
	if len(uri) > maxNext {
		uri = "/"
	}
	return url.QueryEscape(uri)
}
