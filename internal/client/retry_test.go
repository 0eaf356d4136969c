package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// answers is a transport that gives one answer after another, without a network, so that
// waits take no time in a synctest bubble.
type answers struct {
	mu     sync.Mutex
	codes  []int
	after  string
	asked  int
	err    error
	shared []string // idempotency keys
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	code := a.codes[min(a.asked, len(a.codes)-1)]
	a.asked++
	a.shared = append(a.shared, r.Header.Get("Idempotency-Key"))
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{}
	if a.after != "" {
		h.Set("Retry-After", a.after)
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(`{"items":[]}`)), Request: r}, nil
}

func limited(t *testing.T, a *answers) (*Client, *[]time.Duration) {
	t.Helper()
	var waits []time.Duration
	c := newClient(t, Options{Base: "https://fairway.test/api", Waiting: func(d time.Duration) { waits = append(waits, d) }})
	c.http = withoutRedirects(a)
	return c, &waits
}

func TestClient_WaitsOutALimitWhereItReads(t *testing.T) {
	for name, tc := range map[string]struct {
		codes []int
		after string
		asked int
		code  hosting.Code
	}{
		"once":                {[]int{429, 200}, "7", 2, ""},
		"three times":         {[]int{429, 429, 429, 200}, "60", 4, ""},
		"not a fourth time":   {[]int{429, 429, 429, 429, 200}, "1", 4, hosting.CodeLimited},
		"not for so long":     {[]int{429, 200}, "61", 1, hosting.CodeLimited},
		"not for a past":      {[]int{429, 200}, "-1", 1, hosting.CodeLimited},
		"not for who knows":   {[]int{429, 200}, "", 1, hosting.CodeLimited},
		"not what is down":    {[]int{503, 200}, "1", 1, hosting.CodeUnavailable},
		"at once where asked": {[]int{429, 200}, "0", 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{codes: tc.codes, after: tc.after}
				c, waits := limited(t, a)
				began := time.Now()
				_, err := c.ListProjects(t.Context(), Page{})
				if hosting.CodeOf(err) != tc.code || a.asked != tc.asked {
					t.Errorf("asked %d times: %v; want %d, %q", a.asked, err, tc.asked, tc.code)
				}
				told := time.Duration(0)
				for _, d := range *waits {
					told += d
				}
				if spent := time.Since(began); spent != told || len(*waits) != tc.asked-1 {
					t.Errorf("waited %v, told %v", spent, *waits)
				}
			})
		})
	}
}

func TestClient_WaitsForNoLimitOfAWriteButAVariables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{codes: []int{429, 200}, after: "1"}
		c, _ := limited(t, a)
		if _, err := c.CreateTeam(t.Context(), NewTeam{Name: "a"}); !hosting.Is(err, hosting.CodeLimited) || a.asked != 1 {
			t.Errorf("asked %d times: %v", a.asked, err)
		}
		a.asked = 0
		if _, err := c.SetVariable(t.Context(), "p", "A", SetVariable{}); err != nil || a.asked != 2 {
			t.Errorf("a variable was asked for %d times: %v", a.asked, err)
		}
	})
}

func TestClient_EndsAWaitWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{codes: []int{429}, after: "60"}
		c, _ := limited(t, a)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Identity(ctx); !errors.Is(err, context.DeadlineExceeded) || a.asked != 1 {
			t.Errorf("asked %d times: %v", a.asked, err)
		}
	})
}

// cutOff breaks the first connections after it has read each request, and notes them.
func cutOff(t *testing.T, breaks int) (*Client, func() (asked []string)) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		asked = append(asked, r.Method+" "+r.Header.Get("Idempotency-Key")+" "+string(body))
		n := len(asked)
		mu.Unlock()
		if n <= breaks {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	t.Cleanup(s.Close)
	return newClient(t, Options{Base: s.URL}), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(asked)
	}
}

func TestClient_AsksOnceMoreWhereTheConnectionWasLost(t *testing.T) {
	c, asked := cutOff(t, 1)
	if _, err := c.CreateTeam(t.Context(), NewTeam{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	got := asked()
	if len(got) != 2 || got[0] != got[1] {
		t.Fatalf("asked %q", got)
	}
	_, rest, _ := strings.Cut(got[0], " ")
	if key, body, _ := strings.Cut(rest, " "); len(key) < 26 || body != `{"name":"a"}` {
		t.Errorf("the key is %q, the body %q", key, body)
	}
	if _, err := c.CreateTeam(t.Context(), NewTeam{Name: "a"}); err != nil || asked()[2] == got[0] {
		t.Errorf("another call shares the key: %q, %v", asked(), err)
	}
}

func TestClient_DoesNotAskAThirdTime(t *testing.T) {
	c, asked := cutOff(t, 100)
	if _, err := c.CreateTeam(t.Context(), NewTeam{Name: "a"}); !hosting.Is(err, hosting.CodeUnavailable) || len(asked()) != 2 {
		t.Errorf("asked %d times: %v", len(asked()), err)
	}
}

func TestClient_RepeatsNoUploadNoJobAndNoLogin(t *testing.T) {
	for name, do := range map[string]func(c *Client) error{
		"source": func(c *Client) error {
			_, err := c.PutSource(t.Context(), "dpl_a", strings.NewReader("x"), 1)
			return err
		},
		"heartbeat": func(c *Client) error { return c.Job("dpl_a", "t").Heartbeat(t.Context(), hosting.Heartbeat{}) },
		"blob": func(c *Client) error {
			return c.Job("dpl_a", "t").PutBlob(t.Context(), hosting.BlobUpload{}, []byte("x"))
		},
		"exchange": func(c *Client) error { _, err := c.Exchange(t.Context(), "c", "v"); return err },
	} {
		c, asked := cutOff(t, 1)
		err := do(c)
		if got := asked(); !hosting.Is(err, hosting.CodeUnavailable) || len(got) != 1 || !strings.Contains(got[0], "  ") && name != "source" && name != "blob" {
			t.Errorf("%s: asked %q: %v", name, got, err)
		}
	}
}

func TestClient_AsksOnceWhereAskingAgainIsNoBetter(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"control: broken": {io.ErrUnexpectedEOF, 2},
		"control: reset":  {&net.OpError{Op: "read", Err: errors.New("reset")}, 2},
		"refused":         {&net.OpError{Op: "dial", Err: errors.New("refused")}, 1},
		"silent":          {&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, 1},
		"not trusted":     {&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, 1},
	} {
		a := &answers{codes: []int{200}, err: tc.err}
		c, _ := limited(t, a)
		if _, err := c.Identity(t.Context()); err == nil || a.asked != tc.want {
			t.Errorf("%s: asked %d times, want %d: %v", name, a.asked, tc.want, err)
		}
	}
}

func TestClient_AddsItsTeamToNobodyElsesQuery(t *testing.T) {
	c, _ := asked(t, Options{Team: "mine"})
	q := url.Values{"a": {"b"}}
	if got := c.queryOf(call{path: []string{"user"}, query: q}).Encode(); got != "a=b&team=mine" || len(q) != 1 {
		t.Errorf("the query is %s, and what it was made from %v", got, q)
	}
}
