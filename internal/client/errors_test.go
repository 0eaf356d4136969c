package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestProblemError_GivesBackWhatWasSent(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		body   string
		want   hosting.Error
	}{
		"a problem":              {409, `{"code":"incomplete","detail":"a is absent","hint":"upload it"}`, hosting.Error{Code: hosting.CodeIncomplete, Message: "a is absent", Hint: "upload it"}},
		"its list":               {422, `{"code":"invalid","detail":"wrong","errors":[{"message":"too long","location":"body.name"}]}`, hosting.Error{Code: hosting.CodeInvalid, Message: "wrong; body.name too long"}},
		"a long list":            {422, `{"code":"invalid","detail":"w","errors":[{"message":"1"},{"message":"2"},{"message":"3"},{"message":"4"},{"message":"5"},{"message":"6"},{"message":"7"}]}`, hosting.Error{Code: hosting.CodeInvalid, Message: "w; 1; 2; 3; 4; 5; and 2 more"}},
		"a code of later days":   {507, `{"code":"later","detail":"full"}`, hosting.Error{Code: hosting.CodeStorageFull, Message: "full"}},
		"a limit":                {429, `{"code":"rate_limited","detail":"too many requests"}`, hosting.Error{Code: hosting.CodeLimited, Message: "too many requests"}},
		"a proxy's limit":        {429, ``, hosting.Error{Code: hosting.CodeLimited, Message: "the API answered 429 Too Many Requests"}},
		"a quota":                {403, `{"code":"quota","detail":"no more"}`, hosting.Error{Code: hosting.CodeQuota, Message: "no more"}},
		"no owner yet":           {403, `{"code":"setup_needed","detail":"nobody"}`, hosting.Error{Code: hosting.CodeSetup, Message: "nobody"}},
		"a proxy's page":         {502, `<html>Bad Gateway</html>`, hosting.Error{Code: hosting.CodeUnavailable, Message: "the API answered 502 Bad Gateway"}},
		"nothing":                {401, ``, hosting.Error{Code: hosting.CodeUnauthenticated, Message: "the API answered 401 Unauthorized"}},
		"a title alone":          {404, `{"title":"There is no such thing"}`, hosting.Error{Code: hosting.CodeNotFound, Message: "There is no such thing"}},
		"JSON of another shape":  {500, `{"detail":[1]}`, hosting.Error{Code: hosting.CodeInternal, Message: "the API answered 500 Internal Server Error"}},
		"a redirect":             {302, ``, hosting.Error{Code: hosting.CodeInternal, Message: "the API answered 302 Found"}},
		"an unknown client side": {418, ``, hosting.Error{Code: hosting.CodeInvalid, Message: "the API answered 418 I'm a teapot"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := problemError(tc.status, []byte(tc.body)); *got != tc.want {
				t.Errorf("got %+v, want %+v", *got, tc.want)
			}
		})
	}
}

func FuzzProblemError(f *testing.F) {
	f.Add(409, []byte(`{"code":"incomplete","detail":"a is absent","hint":"upload it","errors":[{"message":"m","location":"l"}]}`))
	f.Add(500, []byte(`null`))
	f.Add(-1, []byte(`{"errors":[null,{}]}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := problemError(status, body)
		if e.Message == "" || knownCode(string(e.Code), 0) != e.Code {
			t.Errorf("an error without a message or a known code: %+v", e)
		}
		var p problem
		if json.Unmarshal(body, &p) == nil && p.Detail != "" && !strings.HasPrefix(e.Message, p.Detail) {
			t.Errorf("the detail %q was lost: %q", p.Detail, e.Message)
		}
	})
}

func TestClient_SaysHowToStartWhatItCannotReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	stale := filepath.Join(t.TempDir(), "stale.sock")
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	u.SetUnlinkOnClose(false) // as a process leaves it that was killed
	_ = u.Close()
	for name, o := range map[string]Options{
		"no socket":      {Socket: filepath.Join(t.TempDir(), "none.sock"), Base: "/fairway"},
		"a stale socket": {Socket: stale, Base: "/fairway"},
		"a closed port":  {Base: closed},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, o).Health(t.Context())
			e, ok := errors.AsType[*hosting.Error](err)
			if !ok || e.Code != hosting.CodeUnavailable || !strings.HasPrefix(e.Message, "cannot reach Fairway at ") || !strings.Contains(e.Hint, "fairway run") {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestClient_CallsABrokenConnectionUnavailable(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	_, err := newClient(t, Options{Base: s.URL}).Health(t.Context())
	if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "broke") {
		t.Errorf("got %v", err)
	}
}

func TestClient_GivesTheContextsErrorBack(t *testing.T) {
	entered := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := newClient(t, Options{Base: s.URL}).Health(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestClient_TrustsTheRootThatItIsGiven(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	}))
	defer s.Close()
	s.Config.ErrorLog = nil
	root := filepath.Join(t.TempDir(), "root.crt")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newClient(t, Options{Base: s.URL}).Health(t.Context())
	if !hosting.Is(err, hosting.CodeUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the root: %v", err)
	}
	for name, o := range map[string]Options{"root": {Base: s.URL, RootCA: root}, "insecure": {Base: s.URL, Insecure: true}} {
		if h, err := newClient(t, o).Health(t.Context()); err != nil || h.Status != "ok" {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
	if _, err := New(Options{Base: s.URL, RootCA: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a root that does not exist was taken")
	}
}
