package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// Options say where the API is and who asks.
type Options struct {
	// Socket is the path of a Unix socket to dial; Base is then a path alone: "/fairway" on
	// the admin socket, "/api" on the one of jobs.
	Socket string
	// Base is the API's URL, such as "https://localhost:8443/api".
	Base string
	// Token is sent as bearer token. The admin socket needs none.
	Token string
	// Team, by id or slug, is the team to act in; empty is the caller's own.
	Team string
	// RootCA is the path of a PEM file with further certificates to trust, such as the root
	// of Caddy's internal issuer.
	RootCA string
	// Insecure trusts whatever certificate the server shows.
	Insecure bool
	// Waiting is told how long a call waits that the API has limited. It may be nil.
	Waiting func(time.Duration)
}

// ParseAddress reads the one-string form of an address, as runner.Spec.API has it:
// "unix:///run/job.sock" is a socket with the API at "/api", and
// "unix:///run/admin.sock#/fairway" one with another base; everything else is a URL, whose
// path is "/api" where it has none.
func ParseAddress(s string) (Options, error) {
	rest, ok := strings.CutPrefix(s, "unix://")
	if !ok {
		if u, err := url.Parse(s); err == nil && (u.Path == "" || u.Path == "/") && u.Host != "" {
			s = u.JoinPath("/api").String()
		}
		return Options{Base: s}, nil
	}
	path, base, _ := strings.Cut(rest, "#")
	if !strings.HasPrefix(path, "/") {
		return Options{}, hosting.Errorf(hosting.CodeInvalid, "%q names no socket", s).WithHint("write it as unix:///path/of/the.sock")
	}
	if base == "" {
		base = "/api"
	}
	return Options{Socket: path, Base: base}, nil
}

// Client calls the API. Its methods may be called concurrently.
type Client struct {
	http  *http.Client
	store *http.Client // for presigned URLs, which are not the API's
	base  *url.URL
	token string
	team  string
	at    string // how people know the place

	waiting func(time.Duration)
}

// New returns a client of the API that the options name. It dials nothing yet.
func New(o Options) (*Client, error) {
	base, err := parseBase(o)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	c := &Client{base: base, token: o.Token, team: o.Team, at: base.String(), waiting: o.Waiting}
	if o.Socket != "" {
		c.at = o.Socket
	}
	store, err := newTransport(Options{})
	if err != nil {
		return nil, err
	}
	store.ResponseHeaderTimeout = storeTimeout
	// Each upload has a connection of HTTP/1.1 to itself, and so its own share of the line, which
	// is kept: the handshakes of as many connections take longer than small blobs.
	store.ForceAttemptHTTP2, store.MaxIdleConnsPerHost = false, storeConns
	c.http, c.store = withoutRedirects(transport), withoutRedirects(store)
	return c, nil
}

// In returns a client of the same connections that acts in another team.
func (c *Client) In(team string) *Client {
	in := *c
	in.team = team
	return &in
}

// Close drops the connections that idle. The client may still be used.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.store.CloseIdleConnections()
}

// withoutRedirects follows none: the API never redirects, and a token must not follow
// whoever does.
func withoutRedirects(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func parseBase(o Options) (*url.URL, error) {
	s := strings.TrimSuffix(o.Base, "/")
	if o.Socket != "" {
		// The name is never resolved; a server that looks at Host sees its own.
		return &url.URL{Scheme: "http", Host: "localhost", Path: s}, nil
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("read the address of the API: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%q is not the address of an API", s).WithHint("write it as https://localhost:8443/api")
	}
	return u, nil
}
