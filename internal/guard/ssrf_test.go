package guard

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// canary is a listener on loopback that counts who comes.
type canary struct {
	port  string
	count atomic.Int32
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c := &canary{port: port}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.count.Add(1)
			serving.Go(func() {
				defer conn.Close()
				_, _ = http.ReadRequest(bufio.NewReader(conn))
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret"))
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return c
}

// guarded returns a dialer whose resolver is as generous as the worst of them, and which
// connects to port 443 at the canary's: so that it is the address that refuses, not the port.
func (c *canary) guarded(p Policy) *Dialer {
	local := [][]string{{"127.0.0.1"}}
	d := NewDialer(p)
	d.Resolver = resolver(map[string][][]string{
		"localhost": local, "LOCALHOST": local, "a.localhost": local, "localhost.": local, "localhost.localdomain": local,
		"127.1": local, "127.0.1": local, "2130706433": local, "0x7f000001": local, "0x7f.0.0.1": local,
		"0177.0.0.1": local, "017700000001": local, "127.0.0.1.": local, "0": {{"0.0.0.0"}},
		"127.0.0.1.nip.test": local, "v6.test": {{"::1"}}, "mapped.test": {{"::ffff:127.0.0.1"}},
		"mixed.test": {{"127.0.0.1", "8.8.8.8"}}, "rebound.test": {{"127.0.0.1"}, {"8.8.8.8"}},
		"any.test": {{"0.0.0.0"}}, "any6.test": {{"::"}}, "loop.test": {{"127.66.66.66"}},
	})
	real := d.connect
	d.connect = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, _ := net.SplitHostPort(address)
		if port == "443" || port == "80" {
			port = c.port
		}
		return real(ctx, network, net.JoinHostPort(host, port))
	}
	return d
}

var insideHosts = []string{
	"127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
	"[0:0:0:0:0:ffff:127.0.0.1]", "localhost", "LOCALHOST", "a.localhost", "localhost.", "localhost.localdomain",
	"127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "0",
	"127.0.0.1.nip.test", "v6.test", "mapped.test", "mixed.test", "rebound.test", "any.test", "any6.test", "loop.test",
}

// doors are the ways in which something asks for a host.
var doors = map[string]func(t *testing.T, c *canary, p Policy, host string){
	"dialer": func(t *testing.T, c *canary, p Policy, host string) {
		conn, err := c.guarded(p).DialContext(t.Context(), "tcp", host+":"+c.port)
		if err == nil {
			_ = conn.Close()
		}
	},
	"transport": func(t *testing.T, c *canary, p Policy, host string) {
		transport := &http.Transport{DialContext: c.guarded(p).DialContext, DisableKeepAlives: true}
		send(t, transport, http.MethodGet, "http://"+host+":"+c.port+"/")
	},
	"tunnel": func(t *testing.T, c *canary, p Policy, host string) {
		proxy := startProxy(t, c.guarded(p))
		conn, _ := proxy.connect(t, host+":443")
		_ = conn.Close()
	},
	"forward": func(t *testing.T, c *canary, p Policy, host string) {
		proxy := startProxy(t, c.guarded(p))
		transport := &http.Transport{Proxy: http.ProxyURL(proxy.url), DisableKeepAlives: true}
		send(t, transport, http.MethodGet, "http://"+host+"/")
	},
}

func send(t *testing.T, transport http.RoundTripper, method, url string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := transport.RoundTrip(request); err == nil {
		_ = answer.Body.Close()
	}
}

func TestGuard_LetsNothingThroughToTheInside(t *testing.T) {
	for door, ask := range doors {
		for _, host := range insideHosts {
			t.Run(door+"/"+host, func(t *testing.T) {
				if needs6(host) && !has6() {
					t.Skip("the control needs ::1, which this machine does not have")
				}
				c := newCanary(t)
				ask(t, c, Policy{}, host)
				if n := c.count.Load(); n != 0 {
					t.Errorf("%d connections reached the inside", n)
				}
				// The control: what the guard does not stop does arrive.
				ask(t, c, Policy{Open: true}, host)
				wait(t, func() bool { return c.count.Load() > 0 })
			})
		}
	}
}

func needs6(host string) bool {
	return host == "[::1]" || host == "[::]" || host == "v6.test" || host == "any6.test"
}

func has6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err == nil {
		_ = l.Close()
	}
	return err == nil
}

// wait asks until is is true: the canary counts a little after the connection is made.
func wait(t *testing.T, is func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	timeout := time.After(10 * time.Second)
	for !is() {
		select {
		case <-again.C:
		case <-timeout:
			t.Fatal("the control did not arrive: this test proves nothing")
		}
	}
}

// testProxy is a running proxy.
type testProxy struct {
	*Proxy
	url *url.URL
}

func startProxy(t *testing.T, d *Dialer) testProxy {
	t.Helper()
	p := NewProxy(d)
	s, err := p.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return testProxy{p, u}
}

// connect sends a CONNECT with the credential, and returns the answer with the connection.
func (p testProxy) connect(t *testing.T, target string) (net.Conn, *http.Response) {
	t.Helper()
	return p.connectAs(t, target, credential(p.url.User))
}

func (p testProxy) connectAs(t *testing.T, target, who string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", p.url.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: %s\r\n\r\n", target, target, who)
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatalf("CONNECT %s: %v", target, err)
	}
	return conn, answer
}
