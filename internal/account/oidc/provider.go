package oidc

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"golang.org/x/oauth2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// Config says which place is asked, and as whom. Name, ClientID and HTTP are needed, and for
// OpenID Connect Issuer.
type Config struct {
	Name  string // in addresses, and in the identities that are stored: lower-case letters and digits
	Title string // for people; default: Name
	// Issuer is the OpenID Connect issuer, as its tokens have it. Of GitHub it is the base of a
	// GitHub Enterprise Server; empty means github.com.
	Issuer       string
	ClientID     string
	ClientSecret string
	HTTP         *http.Client // all calls go through it; redirects are not followed
	Now          func() time.Time
}

// Provider is a place that says who people are. All methods may be called concurrently.
type Provider struct {
	cfg   Config
	place place
}

// place is what differs between OpenID Connect and GitHub.
type place interface {
	// client returns the client that is registered there.
	client(ctx context.Context) (*oauth2.Config, error)
	// cameFrom checks the issuer that the browser came back from (RFC 9207).
	cameFrom(issuer []string) error
	// identify returns whom the token is for.
	identify(ctx context.Context, token *oauth2.Token, flow Flow) (account.External, error)
}

// Name stands in addresses and in what is stored of an identity.
func (p *Provider) Name() string { return p.cfg.Name }

// Title is how people call the place.
func (p *Provider) Title() string { return p.cfg.Title }

// Start begins a signing-in that comes back to the redirect address, and returns where the
// browser has to go. CodeUnavailable where the place cannot be asked how.
func (p *Provider) Start(ctx context.Context, redirect string) (string, Flow, error) {
	client, err := p.place.client(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	f := Flow{State: seal.NewToken(), Nonce: seal.NewToken(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect}
	c := *client
	c.RedirectURL = redirect
	return c.AuthCodeURL(f.State, oauth2.S256ChallengeOption(f.Verifier), oauth2.SetAuthURLParam("nonce", f.Nonce)), f, nil
}

// maxCode is the longest authorization code that is passed on, in bytes.
const maxCode = 4096

// Finish returns who came back with the query of the redirect, by the code that it holds, which
// works once. CodeUnauthenticated if it does not belong to the flow or the place does not stand
// by it, CodeForbidden if the person or the place refused, CodeUnavailable if the place does
// not answer.
func (p *Provider) Finish(ctx context.Context, flow Flow, query url.Values) (account.External, error) {
	if flow.State == "" || len(query["state"]) != 1 || !seal.Equal(flow.State, query.Get("state")) {
		return account.External{}, p.over("it was begun in another browser")
	}
	client, err := p.place.client(ctx)
	if err != nil {
		return account.External{}, err
	}
	if err := p.place.cameFrom(query["iss"]); err != nil {
		return account.External{}, p.over(err.Error())
	}
	if query.Has("error") {
		return account.External{}, p.refused(query.Get("error"))
	}
	code := query.Get("code")
	if len(query["code"]) != 1 || code == "" || len(code) > maxCode {
		return account.External{}, p.over("it came back without a code")
	}
	c := *client
	c.RedirectURL = flow.Redirect
	token, err := c.Exchange(through(ctx, p.cfg), code, oauth2.VerifierOption(flow.Verifier))
	if err != nil {
		return account.External{}, p.notExchanged(err)
	}
	who, err := p.place.identify(ctx, token, flow)
	if err != nil {
		return account.External{}, err
	}
	who.Provider = p.cfg.Name
	return who, nil
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)

// normal fills the defaults in and says what is missing.
func (c Config) normal() (Config, error) {
	if c.Title == "" {
		c.Title = c.Name
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case !nameForm.MatchString(c.Name):
		return c, hosting.Errorf(hosting.CodeInvalid, "%q cannot be the name of a sign-in provider", c.Name).WithHint("use up to 32 lower-case letters and digits")
	case c.ClientID == "":
		return c, hosting.Errorf(hosting.CodeInvalid, "the sign-in provider %s needs a client id", c.Name).WithHint("register Fairway there")
	case c.HTTP == nil:
		return c, hosting.Errorf(hosting.CodeInvalid, "the sign-in provider %s has no HTTP client", c.Name)
	case !secure(c.Issuer):
		return c, hosting.Errorf(hosting.CodeInvalid, "the issuer %q of the sign-in provider %s cannot be used", c.Issuer, c.Name).
			WithHint("give its address, which begins with https://")
	}
	return c, nil
}

// secure reports whether an address is one of HTTPS, or of this machine.
func secure(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && hosting.IsLoopback(u.Hostname())
}
