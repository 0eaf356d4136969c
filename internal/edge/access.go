package edge

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/argon"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// Gate says how protected sites are opened. One without keys opens none.
type Gate struct {
	// Keys sign sessions and tickets: the first one does, and what the others signed, as
	// before a rotation, is still good.
	Keys []seal.Key
	// Verify compares a password with the PHC string of its hash. It is slow by design; nil
	// does it in this process.
	Verify func(ctx context.Context, hash, password string) (bool, error)
	// SignIn is the page of the control host that lets in members of a team; "" where it is
	// not known.
	SignIn string
	// HTTPSPort is where sites are reached over TLS; 443 when 0.
	HTTPSPort int
	// Client is the visitor's address; nil takes the connection's.
	Client func(*http.Request) string
}

// gate is a Gate at work.
type gate struct {
	Gate
	now   func() time.Time
	slots chan struct{} // holds one for the hash that runs
	seats chan struct{} // and one for each visitor who waits for it
	tries tries
}

const (
	maxWaiting = 50
	maxPatient = 10 * time.Second
)

func newGate(c Gate, now func() time.Time) *gate {
	if c.Verify == nil {
		c.Verify = verifyHere
	}
	if c.Client == nil {
		c.Client = func(r *http.Request) string {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			return host
		}
	}
	return &gate{Gate: c, now: now, slots: make(chan struct{}, 1), seats: make(chan struct{}, 1+maxWaiting)}
}

func verifyHere(_ context.Context, hash, password string) (bool, error) {
	h, err := argon.Parse(hash)
	if err != nil {
		return false, err
	}
	return h.Is(argon.Key(password, h.Salt, h.Params)), nil
}

// ownPrefix is where a site answers for the platform. No file of a deployment is ever there.
const (
	ownPrefix  = "/.fairway/"
	loginPath  = ownPrefix + "login"
	logoutPath = ownPrefix + "logout"
)

// enter decides whether the visitor may see the site, and answers who may not. Nothing of what
// it answers depends on whether there is anything at the path that was asked for.
func (s *Server) enter(x *exchange) bool {
	a := x.resolved.Site.AccessOf(x.resolved.Production)
	own := strings.HasPrefix(x.r.URL.Path, ownPrefix)
	if a.IsPublic() && !own {
		return true
	}
	x.private = !a.IsPublic()
	if x.private && x.trace != nil { // who asks is a member of the team, and not here
		x.trace.say(asksFor(a.Mode))
		return true
	}
	if len(x.r.TransferEncoding) > 0 { // nobody reads the body to its end
		x.h["Connection"] = valueClose
	}
	switch {
	case !x.private:
		s.ownOfPublic(x)
	case len(s.gate.Keys) == 0 || a.Mode != hosting.AccessPassword && a.Mode != hosting.AccessTeam:
		s.pages.closed.serve(x.w, x.r)
	case x.r.TLS == nil:
		s.toTLS(x)
	case own:
		s.serveOwn(x, a)
	case s.gate.opened(x.r, x.resolved, a):
		return true
	case navigation(x.r):
		x.seeOther(loginPath + "?next=" + escapeNext(target(x.r.URL)))
	default:
		s.pages.signIn.serve(x.w, x.r)
	}
	return false
}

func asksFor(m hosting.AccessMode) string {
	switch m {
	case hosting.AccessPassword:
		return "The site asks for a password."
	case hosting.AccessTeam:
		return "The site asks who is a member of its team."
	}
	return "The site is closed: nobody knows who may see it."
}

// navigation reports whether a person goes to a page, who can be shown another one.
func navigation(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// toTLS sends a reader to where a password and a session may be asked for. What else came has
// crossed the network in the clear already.
func (s *Server) toTLS(x *exchange) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		s.pages.plain.serve(x.w, x.r)
		return
	}
	host := x.resolved.Host
	if p := s.gate.HTTPSPort; p != 0 && p != 443 {
		host = net.JoinHostPort(host, strconv.Itoa(p))
	}
	x.leads("https://"+host+target(x.r.URL), http.StatusPermanentRedirect)
}

// target is the path and query that were asked for. It begins with "/", as RequestURI of a
// request line such as "GET x:@evil.example/" does not.
func target(u *url.URL) string {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return path
}

// seeOther leads on, to be fetched by GET.
func (x *exchange) seeOther(location string) { x.leads(location, http.StatusSeeOther) }

func (x *exchange) leads(location string, status int) {
	x.h["Location"] = []string{location}
	x.h["Cache-Control"] = valuePrivate
	x.h["Content-Length"] = valueZero
	x.w.WriteHeader(status)
}

// ownOfPublic answers below ownPrefix of a site that is for everybody.
func (s *Server) ownOfPublic(x *exchange) {
	if x.r.URL.Path == loginPath && (x.r.Method == http.MethodGet || x.r.Method == http.MethodHead) {
		x.seeOther(safeNext(x.r.URL.Query().Get("next")))
		return
	}
	s.pages.notFound.serve(x.w, x.r)
}

// setCacheControl says who may keep the answer: of a protected site nobody.
func (x *exchange) setCacheControl(v []string) {
	if x.private {
		v = valuePrivate
	}
	x.h["Cache-Control"] = v
}
