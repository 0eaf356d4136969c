package controlapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/seal"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

func TestDocument_HasEveryRouteOfTheMux(t *testing.T) {
	a := New(Config{Deploy: &deploy.Service{}})
	var d struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(a.spec, &d); err != nil {
		t.Fatal(err)
	}
	if len(a.mux.patterns) < 20 {
		t.Errorf("the mux has only %q", a.mux.patterns)
	}
	for _, pattern := range a.mux.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if d.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("the document has no %s", pattern)
		}
		if _, declared := a.mux.rules[pattern]; !declared {
			t.Errorf("%s declares no access", pattern)
		}
	}
}

// bare is a configuration over an empty store.
func bare(t *testing.T, log *bytes.Buffer) Config {
	t.Helper()
	store, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	db := state.DB{Store: store}
	key, err := seal.OpenFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Deploy: &deploy.Service{}, Account: account.New(account.Config{DB: db}), DB: db, Ring: seal.NewRing(key),
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// failing is an API with a route that answers the error, and the log it keeps.
func failing(t *testing.T, fail func(w http.ResponseWriter) error) (*client.Client, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	a := New(bare(t, &log))
	a.raw(rule{open: true}, huma.Operation{Method: "DELETE", Path: "/api/projects/{project}/x"}, func(w http.ResponseWriter, _ *http.Request) error {
		return fail(w)
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path += "/x"
		a.Trusted().ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{Base: s.URL + "/api"})
	if err != nil {
		t.Fatal(err)
	}
	return c, &log
}

func TestErrors_ComeBackToTheClientAsTheyWere(t *testing.T) {
	for _, code := range []hosting.Code{
		hosting.CodeInvalid, hosting.CodeUnauthenticated, hosting.CodeForbidden, hosting.CodeNotFound, hosting.CodeConflict, hosting.CodeGone,
		hosting.CodeTooLarge, hosting.CodeIncomplete, hosting.CodeMismatch, hosting.CodeStorageFull, hosting.CodeUnavailable,
	} {
		want := hosting.Errorf(code, "what is wrong").WithHint("what to do")
		c, log := failing(t, func(http.ResponseWriter) error { return fmt.Errorf("do: %w", want) })
		_, err := c.DeleteProject(t.Context(), "p")
		if got, ok := errors.AsType[*hosting.Error](err); !ok || *got != *want {
			t.Errorf("%s came back as %#v", code, err)
		}
		if log.Len() != 0 {
			t.Errorf("%s was logged: %s", code, log)
		}
	}
}

func TestErrors_HaveTheirStatus(t *testing.T) {
	for code, want := range map[hosting.Code]int{
		hosting.CodeInvalid: 422, hosting.CodeUnauthenticated: 401, hosting.CodeForbidden: 403, hosting.CodeNotFound: 404,
		hosting.CodeConflict: 409, hosting.CodeGone: 410, hosting.CodeTooLarge: 413, hosting.CodeIncomplete: 409,
		hosting.CodeMismatch: 422, hosting.CodeStorageFull: 507, hosting.CodeUnavailable: 503, hosting.CodeInternal: 500, "": 500,
	} {
		p := newProblem(hosting.Errorf(code, "x"))
		if p.Status != want {
			t.Errorf("%s is %d, want %d", code, p.Status, want)
		}
		if (p.header.Get("Retry-After") != "") != (want == 503) || (p.header.Get("WWW-Authenticate") != "") != (want == 401) {
			t.Errorf("%s has the headers %v", code, p.header)
		}
	}
}

func TestErrors_ThatAreInternalAreOnlyLogged(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter) error{
		"an error":          func(http.ResponseWriter) error { return errors.New("open /srv/canary: denied") },
		"one that says so":  func(http.ResponseWriter) error { return hosting.Errorf(hosting.CodeInternal, "canary") },
		"a panic":           func(http.ResponseWriter) error { panic("canary") },
		"a panicking error": func(http.ResponseWriter) error { panic(errors.New("canary")) },
	} {
		t.Run(name, func(t *testing.T) {
			c, log := failing(t, fail)
			_, err := c.DeleteProject(t.Context(), "p")
			e, ok := errors.AsType[*hosting.Error](err)
			if !ok || e.Code != hosting.CodeInternal || e.Message != "Something failed inside Fairway" || strings.Contains(err.Error(), "canary") {
				t.Fatalf("answered %#v", err)
			}
			id := e.Hint[strings.LastIndex(e.Hint, " ")+1:]
			if !strings.Contains(log.String(), "id="+id) || !strings.Contains(log.String(), "canary") {
				t.Errorf("%q is not in the log: %s", id, log)
			}
		})
	}
}

func TestErrors_BehindABegunAnswerBreakItOff(t *testing.T) {
	var log bytes.Buffer
	a := New(bare(t, &log))
	a.raw(rule{open: true}, huma.Operation{Method: "GET", Path: "/api/half"}, func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		return errors.New("the disk is gone")
	})
	s := httptest.NewServer(a.Trusted())
	resp, err := http.Get(s.URL + "/api/half") //nolint:noctx // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read below
	if b, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q looks whole", b)
	}
	s.Close() // waits for the handler, and so for its log
	if !strings.Contains(log.String(), "the disk is gone") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestCallerOf_PanicsWhereNobodyWasAdmitted(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a caller was made up")
		}
	}()
	callerOf(t.Context())
}
