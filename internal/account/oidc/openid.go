package oidc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
)

// New returns an OpenID Connect provider. It asks nothing of the issuer: that happens at the
// first use, and again at a later one as long as it fails, so that an issuer that is down keeps
// nobody from starting Fairway. CodeInvalid for a configuration that cannot work.
func New(c Config) (*Provider, error) {
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	return &Provider{c, &openID{cfg: c}}, nil
}

// openID is an OpenID Connect issuer.
type openID struct {
	cfg Config

	mu     sync.Mutex // guards what follows, and makes one caller ask for all
	found  *found
	failed error
	asked  time.Time
}

// found is what the issuer says of itself.
type found struct {
	provider *oidc.Provider
	client   *oauth2.Config
	saysWho  bool // its redirects carry the issuer, always
}

// pause is how long after a failure the issuer is not asked again.
const pause = 5 * time.Second

// discover returns what the issuer says of itself, once it did.
func (o *openID) discover(ctx context.Context) (*found, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.found != nil {
		return o.found, nil
	}
	if o.failed != nil && o.cfg.Now().Sub(o.asked) < pause {
		return nil, o.failed
	}
	f, err := o.ask(ctx)
	if ctx.Err() != nil {
		return nil, o.cfg.unreachable(ctx.Err()) // whoever asked has left: that says nothing of the issuer
	}
	if err != nil {
		err = o.cfg.unreachable(err)
	}
	o.found, o.failed, o.asked = f, err, o.cfg.Now()
	return f, err
}

func (o *openID) ask(ctx context.Context) (*found, error) {
	p, err := oidc.NewProvider(through(ctx, o.cfg), o.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		SaysWho  bool   `json:"authorization_response_iss_parameter_supported"`
		UserInfo string `json:"userinfo_endpoint"`
		Keys     string `json:"jwks_uri"`
		// Where it is absent, the client's name and secret go into a header.
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, err
	}
	e := p.Endpoint()
	e.AuthStyle = oauth2.AuthStyleInHeader // not found out by trying: a code works once
	if o.cfg.ClientSecret == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		e.AuthStyle = oauth2.AuthStyleInParams
	}
	for _, address := range []string{e.AuthURL, e.TokenURL, more.Keys} {
		if !secure(withoutQuery(address)) {
			return nil, errors.New("the issuer names an address without HTTPS, or none")
		}
	}
	if more.UserInfo != "" && !secure(more.UserInfo) {
		return nil, errors.New("the issuer names an address without HTTPS")
	}
	return &found{
		provider: p, saysWho: more.SaysWho,
		client: &oauth2.Config{
			ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, Endpoint: e,
			Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
		},
	}, nil
}

func (o *openID) client(ctx context.Context) (*oauth2.Config, error) {
	f, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	return f.client, nil
}

func (o *openID) cameFrom(issuer []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(issuer) == 0 && !o.found.saysWho || slices.Equal(issuer, []string{o.cfg.Issuer}) {
		return nil
	}
	return errors.New("it came back from somewhere else")
}

func (o *openID) identify(ctx context.Context, token *oauth2.Token, flow Flow) (account.External, error) {
	f, err := o.discover(ctx)
	if err != nil {
		return account.External{}, err
	}
	ctx = through(ctx, o.cfg)
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return account.External{}, o.cfg.untrusted(errors.New("there is no ID token"))
	}
	id, err := f.provider.Verifier(&oidc.Config{ClientID: o.cfg.ClientID, Now: o.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return account.External{}, o.cfg.untrusted(err)
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return account.External{}, o.cfg.untrusted(err)
	}
	switch {
	case !seal.Equal(id.Nonce, flow.Nonce):
		return account.External{}, o.cfg.untrusted(errors.New("the ID token is of another flow"))
	case c.Party != "" && c.Party != o.cfg.ClientID || c.Party == "" && len(id.Audience) > 1:
		return account.External{}, o.cfg.untrusted(errors.New("the ID token is for another client"))
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return account.External{}, o.cfg.untrusted(errors.New("the access token is not the ID token's"))
	}
	if c.Email == "" {
		if c, err = o.userInfo(ctx, f, token, id.Subject); err != nil {
			return account.External{}, err
		}
	}
	return account.External{Subject: id.Subject, Email: c.Email, Name: c.name(), Verified: bool(c.Verified) && c.Email != ""}, nil
}

// userInfo asks for what the ID token does not hold. The answer is not signed: it counts only
// for the subject that the token is about.
func (o *openID) userInfo(ctx context.Context, f *found, token *oauth2.Token, subject string) (c claims, err error) {
	if f.provider.UserInfoEndpoint() == "" {
		return c, hosting.Errorf(hosting.CodeForbidden, "%s does not tell your address", o.cfg.Title).WithHint("tell the operator: Fairway needs the scope email there")
	}
	info, err := f.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return c, o.cfg.unreachable(err)
	}
	if info.Subject != subject {
		return c, o.cfg.untrusted(errors.New("the user info is about somebody else"))
	}
	if err := info.Claims(&c); err != nil {
		return c, o.cfg.untrusted(err)
	}
	return c, nil
}
