package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answers is a resolver that gives each name its answers in turn, the last for ever.
type answers struct {
	mu    sync.Mutex
	names map[string][][]string
	asked map[string]int
}

func resolver(names map[string][][]string) *answers {
	return &answers{names: names, asked: map[string]int{}}
}

func (r *answers) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	turns, ok := r.names[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	turn := turns[min(r.asked[host], len(turns)-1)]
	r.asked[host]++
	var addrs []netip.Addr
	for _, a := range turn {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

// recorder notes what is dialed, and connects to nothing.
type recorder struct {
	mu     sync.Mutex
	dialed []string
}

func (r *recorder) connect(_ context.Context, _, address string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialed = append(r.dialed, address)
	near, far := net.Pipe()
	_ = far.Close()
	return near, nil
}

func (r *recorder) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.dialed, " ")
}

func TestDialContext_DialsTheAddressThatWasJudged(t *testing.T) {
	names := resolver(map[string][][]string{"rebind.test": {{"8.8.8.8"}, {"127.0.0.1"}}})
	d, rec := NewDialer(Policy{}), &recorder{}
	d.Resolver, d.connect = names, rec.connect
	conn, err := d.DialContext(t.Context(), "tcp", "rebind.test:443")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if names.asked["rebind.test"] != 1 || rec.last() != "8.8.8.8:443" {
		t.Errorf("asked %d times, dialed %q", names.asked["rebind.test"], rec.last())
	}
	if _, err := d.DialContext(t.Context(), "tcp", "rebind.test:443"); !errors.Is(err, ErrRefused) {
		t.Errorf("the private answer: %v", err)
	}
	if rec.last() != "8.8.8.8:443" {
		t.Errorf("dialed %q", rec.last())
	}
}

func TestDialContext_RefusesANameWithOneBadAddress(t *testing.T) {
	for _, bad := range []string{"127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "64:ff9b::7f00:1", "0.0.0.0"} {
		for _, order := range [][]string{{bad, "8.8.8.8"}, {"8.8.8.8", "2606:4700::1111", bad}} {
			d, rec := NewDialer(Policy{}), &recorder{}
			d.Resolver, d.connect = resolver(map[string][][]string{"mixed.test": {order}}), rec.connect
			_, err := d.DialContext(t.Context(), "tcp", "mixed.test:443")
			if !errors.Is(err, ErrRefused) || rec.last() != "" {
				t.Errorf("%v: %v, dialed %q", order, err, rec.last())
			}
			if err != nil && strings.Contains(err.Error(), strings.TrimPrefix(bad, "::ffff:")+" ") {
				t.Errorf("the refusal tells an address of the inside: %v", err)
			}
		}
	}
}

func TestDialContext_JudgesAllAddressesOfALongAnswer(t *testing.T) {
	long := []string{"127.0.0.1"}
	for range 3 * maxAddresses {
		long = append([]string{"8.8.8.8"}, long...)
	}
	d, rec := NewDialer(Policy{}), &recorder{}
	d.Resolver, d.connect = resolver(map[string][][]string{"long.test": {long}}), rec.connect
	if _, err := d.DialContext(t.Context(), "tcp", "long.test:443"); !errors.Is(err, ErrRefused) || rec.last() != "" {
		t.Errorf("%v, dialed %q", err, rec.last())
	}
}

func TestDialContext_AdmitsExactlyWhatIsListed(t *testing.T) {
	names := resolver(map[string][][]string{"git.intranet": {{"10.0.0.5"}}, "evil.test": {{"10.0.0.5"}}})
	for address, want := range map[string]string{
		"git.intranet:8443": "10.0.0.5:8443",
		"GIT.Intranet:8443": "10.0.0.5:8443",
		"git.intranet:443":  "",
		"git.intranet:22":   "",
		"10.0.0.5:8443":     "",
		"10.0.0.9:3000":     "10.0.0.9:3000",
		"evil.test:8443":    "",
	} {
		d, rec := NewDialer(Policy{AllowPrivate: []string{"https://git.intranet:8443", "http://10.0.0.9:3000"}}), &recorder{}
		d.connect = rec.connect
		d.Resolver = resolver(map[string][][]string{
			"git.intranet": names.names["git.intranet"], "GIT.Intranet": names.names["git.intranet"], "evil.test": names.names["evil.test"],
		})
		conn, err := d.DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		if rec.last() != want || (err == nil) != (want != "") {
			t.Errorf("%s: dialed %q, %v; want %q", address, rec.last(), err, want)
		}
	}
}

func TestDialContext_RefusesWhatIsNoTCPAddress(t *testing.T) {
	for _, c := range [][2]string{
		{"udp", "8.8.8.8:53"}, {"unix", "/run/admin.sock"}, {"tcp", "8.8.8.8"}, {"tcp", "8.8.8.8:https"},
		{"tcp", ":443"}, {"tcp", "8.8.8.8:0"}, {"tcp", "[fe80::1%lo]:443"}, {"tcp", "a\x00b:443"}, {"tcp", "8.8.8.8:70000"},
	} {
		for _, policy := range []Policy{{}, {Open: true}} {
			d, rec := NewDialer(policy), &recorder{}
			d.connect = rec.connect
			if _, err := d.DialContext(t.Context(), c[0], c[1]); !errors.Is(err, ErrRefused) || rec.last() != "" {
				t.Errorf("%v with %+v: %v, dialed %q", c, policy, err, rec.last())
			}
		}
	}
}

func TestDialContext_TellsFailuresFromRefusals(t *testing.T) {
	d := NewDialer(Policy{})
	d.Resolver = resolver(map[string][][]string{"down.test": {{"8.8.8.8", "1.1.1.1"}}})
	broken := errors.New("no route")
	d.connect = func(context.Context, string, string) (net.Conn, error) { return nil, broken }
	if _, err := d.DialContext(t.Context(), "tcp", "down.test:443"); !errors.Is(err, broken) || errors.Is(err, ErrRefused) {
		t.Errorf("a host that is down: %v", err)
	}
	_, err := d.DialContext(t.Context(), "tcp", "absent.test:443")
	if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound || errors.Is(err, ErrRefused) {
		t.Errorf("a name that does not exist: %v", err)
	}
}

// closable notes that it was closed.
type closable struct {
	net.Conn
	closed atomic.Bool
}

func (c *closable) Close() error { c.closed.Store(true); return nil }

func TestDialContext_DoesNotWaitForAnAddressThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, slow := NewDialer(Policy{}), &closable{}
		d.Resolver = resolver(map[string][][]string{"two.test": {{"2606:4700::1111", "1.1.1.1"}}})
		d.connect = func(ctx context.Context, _, address string) (net.Conn, error) {
			if address == "1.1.1.1:443" {
				return &closable{}, nil
			}
			<-ctx.Done() // a connection that comes about just when nobody wants it any more
			return slow, nil
		}
		began := time.Now()
		if _, err := d.DialContext(t.Context(), "tcp", "two.test:443"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != dialStagger {
			t.Errorf("it took %v", took)
		}
		if !slow.closed.Load() {
			t.Error("the connection that came too late was not closed")
		}
	})
}

func TestDialContext_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewDialer(Policy{})
		d.Resolver = resolver(map[string][][]string{"two.test": {{"8.8.8.8", "1.1.1.1", "9.9.9.9"}}})
		d.connect = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.DialContext(ctx, "tcp", "two.test:443"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after its deadline: %v", err)
		}
	})
}

func TestDialContext_ServesAnHTTPTransportThatFollowsRedirects(t *testing.T) {
	var reached atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		_, _ = io.WriteString(w, "secret")
	}))
	defer inside.Close()
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/redirect" {
			http.Redirect(w, r, inside.URL, http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "hello")
	}))
	defer outside.Close()
	get := func(p Policy, url string) (string, error) {
		transport := &http.Transport{DialContext: NewDialer(p).DialContext}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get(url)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return string(body), err
	}
	listed := Policy{AllowPrivate: []string{outside.URL}}
	if body, err := get(listed, outside.URL); err != nil || body != "hello" {
		t.Errorf("the listed origin: %q, %v", body, err)
	}
	if _, err := get(listed, outside.URL+"/redirect"); !errors.Is(err, ErrRefused) || reached.Load() != 0 {
		t.Errorf("a redirect to the inside: %v, reached it %d times", err, reached.Load())
	}
	if body, err := get(Policy{Open: true}, outside.URL+"/redirect"); err != nil || body != "secret" {
		t.Errorf("the control, without the guard: %q, %v", body, err)
	}
}
