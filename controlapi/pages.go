package controlapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// visit is one request for a page. Caller is who is signed in by the cookie, or nobody.
type visit struct {
	w      http.ResponseWriter
	r      *http.Request
	caller hosting.Caller
}

func (v *visit) signedIn() bool { return v.caller.Via != "" }

// to sends the browser on, to be fetched by GET whatever this request was.
func (v *visit) to(address string) (*page, error) {
	http.Redirect(v.w, v.r, address, http.StatusSeeOther)
	return nil, nil //nolint:nilnil // the answer is given: there is no page to show
}

// pageFunc answers a visit with a page, or with none where it has sent the browser on.
type pageFunc func(v *visit) (*page, error)

// registerPages serves the pages of the control host. They are for people, so they are not in
// the OpenAPI document.
func (a *API) registerPages() {
	look, auth := rule{open: true}, rule{open: true, class: classAuth}
	a.page("GET /{$}", look, a.homePage)
	a.page("GET /signin", look, a.signInPage)
	a.page("POST /signin", auth, a.postSignIn)
	a.page("POST /signout", look, a.postSignOut)
	a.page("GET /signup", rule{open: true, setup: true}, a.signUpPage)
	a.page("POST /signup", rule{open: true, setup: true, class: classAuth}, a.postSignUp)
	a.page("GET /join", look, a.joinPage)
	a.page("POST /join", auth, a.postJoin)
	a.page("GET /forgot", look, a.forgotPage)
	a.page("POST /forgot", auth, a.postForgot)
	a.page("GET /reset", look, a.resetPage)
	a.page("POST /reset", auth, a.postReset)
	a.page("GET /confirm", look, a.confirmPage)
	a.page("POST /confirm", auth, a.postConfirm)
	a.page("GET /visit", look, a.visitPage)
	a.page("GET /cli", look, a.approvePage)
	a.page("POST /cli", rule{open: true, class: classSensitive}, a.postApprove)
	// The owner link works there, too; without it the first person is turned away by package account.
	external := rule{open: true, setup: true, class: classAuth}
	a.page("GET /auth/{provider}", external, a.startExternal)
	a.page("GET /auth/{provider}/callback", external, a.finishExternal)
}

// page registers a page.
func (a *API) page(pattern string, rule rule, fn pageFunc) {
	a.mux.rules[pattern] = rule
	a.mux.ServeMux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := a.visited(w, r, fn); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a *API) visited(w http.ResponseWriter, r *http.Request, fn pageFunc) error {
	if !a.overTLS(r) {
		return a.toTLS(w, r)
	}
	caller, err := a.visitor(r, "")
	if err != nil {
		return err
	}
	p, err := fn(&visit{w: w, r: r, caller: caller})
	if err != nil || p == nil {
		return err
	}
	return p.show(w)
}

// toTLS sends a reader to the address where the session's cookie works. What a form would have
// sent has crossed the network in the clear already; it is not taken.
func (a *API) toTLS(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return hosting.Errorf(hosting.CodeForbidden, "this page takes nothing over plain HTTP").WithHint("open %s", a.controlURL("/"))
	}
	http.Redirect(w, r, a.controlURL(r.URL.RequestURI()), http.StatusFound)
	return nil
}

// visitor returns who the cookie's session belongs to, in the team, and nobody where it is over.
func (a *API) visitor(r *http.Request, team string) (hosting.Caller, error) {
	secret, err := sessionSecret(r)
	if err != nil || secret == "" {
		return hosting.Caller{}, err
	}
	c, err := a.cfg.Account.BySession(r.Context(), secret, team, a.from(r))
	if hosting.Is(err, hosting.CodeUnauthenticated) {
		return hosting.Caller{}, nil
	}
	return c, err
}

// forBrowser reports whether a failure should be a page: of what is no route of the API, for
// who asks for HTML.
func forBrowser(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// maxNext bounds the address that a signing-in leads to.
const maxNext = 1024

// localNext returns the address of a page of this host that a signing-in may lead to, and "/"
// for everything else: whoever can choose where a person lands after their password can
// pretend to be the next page that asks for one.
func localNext(s string) string {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxNext || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	switch u.Path {
	case "/cli", "/join", "/visit":
		return (&url.URL{Path: u.Path, RawQuery: u.Query().Encode()}).String()
	}
	return "/"
}

// withQuery is a path with one parameter, or none where the value is empty.
func withQuery(path, name, value string) string {
	if value == "" {
		return path
	}
	return path + "?" + url.Values{name: {value}}.Encode()
}
