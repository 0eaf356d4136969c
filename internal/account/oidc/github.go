package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/scale-mesh/fairway/internal/account"
)

// GitHub returns GitHub as a provider, which speaks OAuth 2 and tells of people in its REST
// API. Config.Issuer is for a GitHub Enterprise Server. CodeInvalid for a configuration that
// cannot work.
func GitHub(c Config) (*Provider, error) {
	site, api := strings.TrimSuffix(c.Issuer, "/"), strings.TrimSuffix(c.Issuer, "/")+"/api/v3"
	if c.Issuer == "" {
		site, api = "https://github.com", "https://api.github.com"
	}
	c.Issuer = site
	c, err := c.normal()
	if err != nil {
		return nil, err
	}
	return &Provider{c, &gitHub{cfg: c, api: api, oauth: oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, Scopes: []string{"read:user", "user:email"},
		Endpoint: oauth2.Endpoint{
			AuthURL: site + "/login/oauth/authorize", TokenURL: site + "/login/oauth/access_token", AuthStyle: oauth2.AuthStyleInParams,
		},
	}}}, nil
}

// gitHub is github.com, or a server of its kind.
type gitHub struct {
	cfg   Config
	api   string
	oauth oauth2.Config
}

func (g *gitHub) client(context.Context) (*oauth2.Config, error) { return &g.oauth, nil }

// cameFrom takes any: GitHub documents no issuer, and its callback has an address of its own.
func (g *gitHub) cameFrom([]string) error { return nil }

// identify asks who the token is of. A person is known by the number, since a login may be
// changed, and then be taken by somebody else.
func (g *gitHub) identify(ctx context.Context, token *oauth2.Token, _ Flow) (account.External, error) {
	var user struct {
		ID    int64  `json:"id"`
		Login string `json:"login"`
		Name  string `json:"name"`
	}
	if err := g.get(ctx, token, "/user", &user); err != nil {
		return account.External{}, g.cfg.unreachable(err)
	}
	if user.ID <= 0 {
		return account.External{}, g.cfg.untrusted(errors.New("the user has no number"))
	}
	var emails []struct {
		Email    string `json:"email"`
		Primary  bool   `json:"primary"`
		Verified bool   `json:"verified"`
	}
	if err := g.get(ctx, token, "/user/emails?per_page=100", &emails); err != nil {
		return account.External{}, g.cfg.unreachable(err)
	}
	who := account.External{Subject: strconv.FormatInt(user.ID, 10), Name: user.Name}
	if who.Name == "" {
		who.Name = user.Login
	}
	for _, e := range emails {
		if e.Primary {
			who.Email, who.Verified = e.Email, e.Verified
		}
	}
	return who, nil
}

// get calls the REST API.
func (g *gitHub) get(ctx context.Context, token *oauth2.Token, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.api+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	r.Header.Set("User-Agent", "Fairway") // GitHub refuses calls without one
	resp, err := oauth2.NewClient(through(ctx, g.cfg), oauth2.StaticTokenSource(token)).Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %d", path, resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}
