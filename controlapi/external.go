package controlapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/account/oidc"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// Provider is another place that vouches for people. Its methods may be called concurrently.
type Provider interface {
	// Name stands in the addresses of its two pages: lower-case letters and digits.
	Name() string
	// Title is how people call it.
	Title() string
	// Start returns the address that begins a signing-in, which ends at redirect, and what
	// Finish has to know of it. It may have to ask the place how (CodeUnavailable).
	Start(ctx context.Context, redirect string) (string, oidc.Flow, error)
	// Finish returns who came back with the query of the redirect.
	Finish(ctx context.Context, flow oidc.Flow, query url.Values) (account.External, error)
}

// The flow is kept by the browser, sealed, for as long as a signing-in may take. Its cookie is
// Lax: the browser comes back with it from another site.
const (
	flowCookie  = "__Host-fairway-flow"
	flowTime    = 10 * time.Minute
	flowPurpose = "sign-in flow"
)

// flow is a signing-in that is under way elsewhere.
type flow struct {
	Provider string    `json:"provider"`
	Flow     oidc.Flow `json:"flow"`
	Next     string    `json:"next"`
	Link     string    `json:"link,omitempty"` // of the invitation that it may make an account with
	Until    time.Time `json:"until"`
}

func (a *API) provider(name string) (Provider, error) {
	for _, p := range a.cfg.Providers {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, hosting.Errorf(hosting.CodeNotFound, "nobody signs in that way here").WithHint("go back to the sign-in page")
}

// startExternal sends the browser to the other place.
func (a *API) startExternal(v *visit) (*page, error) {
	p, err := a.provider(v.r.PathValue("provider"))
	if err != nil {
		return nil, err
	}
	q := v.r.URL.Query()
	link := q.Get("link")
	if len(link) > maxLink {
		return nil, hosting.Errorf(hosting.CodeInvalid, "the link is none of Fairway's")
	}
	to, state, err := p.Start(v.r.Context(), a.controlURL("/auth/"+p.Name()+"/callback"))
	if err != nil {
		return nil, err
	}
	f := flow{Provider: p.Name(), Flow: state, Next: localNext(q.Get("next")), Link: link, Until: a.now().Add(flowTime)}
	sealed, err := a.sealFlow(f)
	if err != nil {
		return nil, err
	}
	http.SetCookie(v.w, flowCookieOf(sealed, int(flowTime.Seconds())))
	return v.to(to)
}

// maxLink bounds the secret of a link, as the API's own input does.
const maxLink = 200

// finishExternal begins the session of who came back. It changes something by a GET, as the
// protocol wants it: only the browser that began can come back, and the provider's code works once.
func (a *API) finishExternal(v *visit) (*page, error) {
	p, err := a.provider(v.r.PathValue("provider"))
	if err != nil {
		return nil, err
	}
	f, err := a.openFlow(v.r, p.Name())
	if err != nil {
		return nil, err
	}
	http.SetCookie(v.w, flowCookieOf("", -1))
	who, err := p.Finish(v.r.Context(), f.Flow, v.r.URL.Query())
	if err != nil {
		return nil, err
	}
	s, err := a.cfg.Account.Enter(v.r.Context(), who, f.Link, a.from(v.r))
	if err != nil {
		return nil, err
	}
	setSession(v.w, s)
	return v.to(f.Next)
}

func flowCookieOf(content string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: flowCookie, Value: content, Path: "/", MaxAge: seconds, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func (a *API) sealFlow(f flow) (string, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(a.cfg.Ring.Seal(flowPurpose, f.Provider, b)), nil
}

// openFlow returns the flow of the request's cookie, if it is of this provider and not too old.
func (a *API) openFlow(r *http.Request, provider string) (flow, error) {
	over := hosting.Errorf(hosting.CodeUnauthenticated, "this signing-in was not begun here, or is over").WithHint("begin again on the sign-in page")
	cookies := r.CookiesNamed(flowCookie)
	if len(cookies) != 1 {
		return flow{}, over
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookies[0].Value)
	if err != nil {
		return flow{}, over
	}
	b, err := a.cfg.Ring.Open(flowPurpose, provider, sealed)
	if err != nil {
		return flow{}, over
	}
	var f flow
	if err := json.Unmarshal(b, &f); err != nil {
		return flow{}, err
	}
	if f.Provider != provider || !a.now().Before(f.Until) {
		return flow{}, over
	}
	return f, nil
}
