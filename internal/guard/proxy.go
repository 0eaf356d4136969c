package guard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// RefusedHeader is on the answers with which a Proxy refuses by its policy.
const RefusedHeader = "X-Fairway-Refused"

// Limits of one proxy. It serves one build, whose own deadline ends everything.
const (
	proxyHeaderTimeout = 10 * time.Second
	proxyAnswerTimeout = 2 * time.Minute // a Git server counts objects before it answers
	proxyIdleTimeout   = 5 * time.Minute // of a connection on which nothing moves
	proxyMaxConns      = 128
	proxyMaxHeader     = 64 << 10
	proxyMaxReasons    = 20
)

// Proxy is an HTTP proxy on loopback for programs that dial by themselves. CONNECT opens a
// tunnel to port 443 (to any port where the policy is open or lists the host and port); a
// request for an absolute http URL is forwarded where the policy admits that URL. Whoever
// uses it has to show the credential of its URL, which other users of the machine do not
// know.
type Proxy struct {
	dialer  *Dialer
	forward *httputil.ReverseProxy
	secret  string // what Proxy-Authorization has to say
	idle    time.Duration
	server  *http.Server
	cancel  context.CancelFunc

	// mu guards closed and reasons, and the step from not closed to running.Add.
	mu      sync.Mutex
	closed  bool
	reasons []string
	running sync.WaitGroup
}

// NewProxy returns a proxy that reaches what d admits.
func NewProxy(d *Dialer) *Proxy {
	p := &Proxy{dialer: d, idle: proxyIdleTimeout}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Header.Del("Connection")
			r.Out.Header.Del("Upgrade") // no second kind of tunnel
		},
		Transport: &http.Transport{
			Proxy: nil, // never another proxy, which would resolve and dial for us
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return p.dial(ctx, network, address)
			},
			DisableCompression:     true,
			ResponseHeaderTimeout:  proxyAnswerTimeout,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 1 << 20,
		},
		FlushInterval: -1, // Git shows progress while it waits
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, err error) { p.fail(w, err) },
		ErrorLog:      log.New(io.Discard, "", 0), // the client is told
	}
	return p
}

// Start serves on a free port of 127.0.0.1 and returns the proxy's URL, credential
// included. It is called once. When ctx ends so does everything under way; Close has to be
// called all the same.
func (p *Proxy) Start(ctx context.Context) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("start the outbound proxy: %w", err)
	}
	user := url.UserPassword("fairway", rand.Text())
	p.secret = credential(user)
	ctx, p.cancel = context.WithCancel(ctx)
	p.server = &http.Server{
		Handler:           p,
		ReadHeaderTimeout: proxyHeaderTimeout,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    proxyMaxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	p.running.Go(func() { _ = p.server.Serve(limitConns(listener, proxyMaxConns, p.idle)) })
	return (&url.URL{Scheme: "http", User: user, Host: listener.Addr().String()}).String(), nil
}

// Close ends the listener, all requests and all tunnels, and waits for them. It may be
// repeated.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	if p.server == nil {
		return
	}
	p.cancel()
	_ = p.server.Close()
	p.running.Wait()
	p.forward.Transport.(*http.Transport).CloseIdleConnections()
}

// Refused returns the reasons of the first refusals, each once: a program that was refused
// seldom shows them itself.
func (p *Proxy) Refused() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.reasons)
}

// ServeHTTP answers one request to the proxy.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.enter() {
		http.Error(w, "the proxy is closed", http.StatusServiceUnavailable)
		return
	}
	defer p.running.Done()
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Proxy-Authorization")), []byte(p.secret)) != 1 {
		w.Header().Set("Proxy-Authenticate", `Basic realm="fairway"`)
		http.Error(w, "the proxy wants its credential", http.StatusProxyAuthRequired)
		return
	}
	if r.Method == http.MethodConnect {
		p.tunnel(w, r)
		return
	}
	if r.URL.Scheme != "http" {
		p.fail(w, refuse("the proxy forwards http:// only, and tunnels the rest").with("use https:// through CONNECT"))
		return
	}
	if err := CheckURL(p.dialer.policy, r.URL.String()); err != nil {
		p.fail(w, err)
		return
	}
	p.forward.ServeHTTP(w, r)
}

// enter counts a request in, unless the proxy is closed: Close waits for all that entered.
func (p *Proxy) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.running.Add(1)
	}
	return !p.closed
}

// fail answers with the reason. What the network said stays out of it: it could name
// addresses of the inside.
func (p *Proxy) fail(w http.ResponseWriter, err error) {
	no, refused := errors.AsType[refusal](err)
	if !refused {
		http.Error(w, "the host cannot be reached", http.StatusBadGateway)
		return
	}
	p.mu.Lock()
	if len(p.reasons) < proxyMaxReasons && !slices.Contains(p.reasons, no.Error()) {
		p.reasons = append(p.reasons, no.Error())
	}
	p.mu.Unlock()
	w.Header().Set(RefusedHeader, "1")
	http.Error(w, no.Error(), http.StatusForbidden)
}

// dial connects through the policy to a connection that ends when nothing moves on it.
func (p *Proxy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := p.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return watch(conn, p.idle), nil
}

func credential(u *url.Userinfo) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.String()))
}
