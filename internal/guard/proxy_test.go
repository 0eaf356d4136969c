package guard

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// echo is a server that sends back what it gets, and ends when its peer does.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return l.Addr().String()
}

func TestProxy_WantsItsCredential(t *testing.T) {
	p := startProxy(t, NewDialer(Policy{Open: true}))
	target := echo(t)
	other := credential(url.UserPassword("fairway", "wrong"))
	for _, who := range []string{"", "Basic", other, "Bearer x", p.secret + "x", p.secret[:len(p.secret)-1]} {
		_, answer := p.connectAs(t, target, who)
		if answer.StatusCode != http.StatusProxyAuthRequired || answer.Header.Get("Proxy-Authenticate") == "" {
			t.Errorf("with the credential %q it answers %s", who, answer.Status)
		}
	}
	if _, answer := p.connect(t, target); answer.StatusCode != http.StatusOK {
		t.Errorf("with its credential it answers %s", answer.Status)
	}
}

func TestProxy_HasAnotherCredentialEachTimeAndOnlyOnLoopback(t *testing.T) {
	one, two := startProxy(t, NewDialer(Policy{})), startProxy(t, NewDialer(Policy{}))
	if one.secret == two.secret || len(one.secret) < 40 {
		t.Errorf("the credentials are %q and %q", one.secret, two.secret)
	}
	if one.url.Hostname() != "127.0.0.1" {
		t.Errorf("it listens on %s", one.url.Host)
	}
}

func TestProxy_TunnelsBothWaysAndEndsWithTheClient(t *testing.T) {
	p := startProxy(t, NewDialer(Policy{Open: true}))
	conn, answer := p.connect(t, echo(t))
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	want := strings.Repeat("0123456789", 200_000)
	go func() {
		_, _ = io.WriteString(conn, want)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != want {
		t.Errorf("got %d of %d bytes back, %v", len(got), len(want), err)
	}
}

func TestProxy_TunnelsWhatCameRightBehindTheRequest(t *testing.T) {
	p := startProxy(t, NewDialer(Policy{Open: true}))
	target := echo(t)
	conn, err := net.Dial("tcp", p.url.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\nearly", target, p.secret)
	const want = "HTTP/1.1 200 Connection established\r\n\r\nearly"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestProxy_RefusesWithTheReasonAndRemembersIt(t *testing.T) {
	p := startProxy(t, NewDialer(Policy{}))
	for target, reason := range map[string]string{
		"127.0.0.1:443":         "loopback",
		"169.254.169.254:443":   "link-local",
		"example.com:22":        "port 22",
		"8.8.8.8:25":            "port 25",
		"localhost:443":         "this machine",
		"[::ffff:10.0.0.1]:443": "private network",
	} {
		_, answer := p.connect(t, target)
		body, _ := io.ReadAll(io.LimitReader(answer.Body, answer.ContentLength))
		if answer.StatusCode != http.StatusForbidden || answer.Header.Get(RefusedHeader) != "1" || !strings.Contains(string(body), reason) {
			t.Errorf("CONNECT %s: %s, %q; want %q", target, answer.Status, body, reason)
		}
		if !slices.ContainsFunc(p.Refused(), func(s string) bool { return strings.Contains(s, reason) }) {
			t.Errorf("%s is not among %q", reason, p.Refused())
		}
	}
	for port := range 3 * proxyMaxReasons {
		p.connect(t, fmt.Sprintf("example.com:%d", port+1000))
		p.connect(t, "127.0.0.1:443")
	}
	if n := len(p.Refused()); n != proxyMaxReasons {
		t.Errorf("it remembers %d reasons", n)
	}
}

func TestProxy_ForwardsHTTPOnlyWhereThePolicyAdmitsTheOrigin(t *testing.T) {
	var seen http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		_, _ = io.WriteString(w, r.Host+r.URL.String())
	}))
	defer server.Close()
	for _, c := range []struct {
		policy Policy
		want   int
	}{
		{Policy{}, http.StatusForbidden},
		{Policy{AllowPrivate: []string{"https://" + server.Listener.Addr().String()}}, http.StatusForbidden},
		{Policy{AllowPrivate: []string{"http://127.0.0.1:1"}}, http.StatusForbidden},
		{Policy{AllowPrivate: []string{server.URL}}, http.StatusOK},
		{Policy{Open: true}, http.StatusOK},
	} {
		p := startProxy(t, NewDialer(c.policy))
		transport := &http.Transport{Proxy: http.ProxyURL(p.url), DisableKeepAlives: true}
		request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/a?b=c", nil)
		request.Header.Set("X-Mine", "1")
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != c.want || (answer.Header.Get(RefusedHeader) == "1") != (c.want == http.StatusForbidden) {
			t.Errorf("with %+v it answers %s: %s", c.policy, answer.Status, body)
		}
		if c.want != http.StatusOK {
			continue
		}
		if string(body) != server.Listener.Addr().String()+"/a?b=c" || seen.Get("X-Mine") != "1" {
			t.Errorf("the server saw %q, %v", body, seen)
		}
		if seen.Get("Proxy-Authorization") != "" || seen.Get("X-Forwarded-For") != "" || seen.Get("Via") != "" {
			t.Errorf("the server was told what is the proxy's: %v", seen)
		}
	}
}

func TestProxy_RefusesHTTPSWithoutATunnelAndItself(t *testing.T) {
	p := startProxy(t, NewDialer(Policy{Open: true}))
	for _, line := range []string{"GET https://example.com/ HTTP/1.1", "GET ftp://example.com/ HTTP/1.1", "GET / HTTP/1.1"} {
		conn, err := net.Dial("tcp", p.url.Host)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "%s\r\nHost: example.com\r\nProxy-Authorization: %s\r\nConnection: close\r\n\r\n", line, p.secret)
		all, _ := io.ReadAll(conn)
		_ = conn.Close()
		if !strings.HasPrefix(string(all), "HTTP/1.1 403 ") {
			t.Errorf("%s: %q", line, all)
		}
	}
}

func TestProxy_SaysThatAHostIsDownWithoutItsAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	p := startProxy(t, NewDialer(Policy{Open: true}))
	_, answer := p.connect(t, address)
	body, _ := io.ReadAll(io.LimitReader(answer.Body, answer.ContentLength))
	if answer.StatusCode != http.StatusBadGateway || strings.Contains(string(body), "127.0.0.1") || len(p.Refused()) != 0 {
		t.Errorf("%s: %q, refused %q", answer.Status, body, p.Refused())
	}
}

func TestProxy_CloseEndsTunnelsAndRequestsAndWaits(t *testing.T) {
	asked := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done() // until the proxy gives up
	}))
	defer silent.Close()
	p := startProxy(t, NewDialer(Policy{Open: true}))
	tunnel, _ := p.connect(t, echo(t))
	forwarded := make(chan error, 1)
	go func() {
		transport := &http.Transport{Proxy: http.ProxyURL(p.url), DisableKeepAlives: true}
		answer, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, silent.URL, nil))
		if err == nil {
			_ = answer.Body.Close()
		}
		forwarded <- err
	}()
	<-asked
	p.Close()
	if n, err := tunnel.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the tunnel is open after Close")
	}
	<-forwarded
	if _, err := net.Dial("tcp", p.url.Host); err == nil {
		t.Error("the proxy listens after Close")
	}
	p.Close()
}

func TestProxy_EndsWhatIsUnderWayWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := NewProxy(NewDialer(Policy{Open: true}))
	s, err := p.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	u, _ := url.Parse(s)
	tunnel, _ := testProxy{p, u}.connect(t, echo(t))
	cancel()
	if n, err := tunnel.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("the tunnel outlived the context")
	}
}

func TestProxy_AcceptsNoMoreThanItsConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := limitConns(l, 1, time.Minute)
	for range 2 {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
	}
	first, err := limited.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan net.Conn)
	go func() {
		conn, _ := limited.Accept()
		second <- conn
	}()
	select {
	case <-second:
		t.Fatal("a second connection was accepted beside the first")
	default:
	}
	_ = first.Close()
	_ = first.Close() // gives back one slot, not two
	conn := <-second
	if n := len(limited.(*limitedListener).slots); n != 1 {
		t.Errorf("%d slots are taken", n)
	}
	waiting := make(chan error)
	go func() {
		_, err := limited.Accept()
		waiting <- err
	}()
	_ = limited.Close()
	if err := <-waiting; err == nil {
		t.Error("Accept of a closed listener succeeded")
	}
	_ = conn.Close()
}

func TestWatch_ClosesWhatDoesNotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		w := watch(near, time.Minute)
		for range 3 { // movement keeps it open
			time.Sleep(50 * time.Second)
			go func() { _, _ = far.Write([]byte("x")) }()
			if _, err := w.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		if _, err := w.Read(make([]byte, 1)); err == nil {
			t.Error("a connection on which nothing moves stays open")
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("it was closed after %v", took)
		}
	})
}
