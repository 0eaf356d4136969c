package controlapi_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

func body(s string) (io.ReadCloser, int64) {
	return io.NopCloser(strings.NewReader(s)), int64(len(s))
}

// keyed sends a project's making under an idempotency key.
func (w *victimWorld) keyed(t *testing.T, caller, key, project string) (*http.Response, string) {
	t.Helper()
	r := w.request(t, caller, "POST /api/projects")
	r.Body, r.ContentLength = body(`{"name":"` + project + `"}`)
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, b := w.send(t, r)
	return resp, string(b)
}

func (w *victimWorld) projects(t *testing.T) (n int) {
	t.Helper()
	err := w.parts.db.View(t.Context(), func(tx state.Tx) error {
		rows, err := w.parts.db.Team(w.v.ids.team).Projects.List(tx, "", "", 100)
		n = len(rows)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestIdempotency_OfAHundredAtOnceOneRuns(t *testing.T) {
	w := newVictims(t).open(t)
	t.Cleanup(w.close)
	before := w.projects(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for range 100 {
		wg.Go(func() {
			resp, _ := w.keyed(t, "admin", "one", "once")
			mu.Lock()
			defer mu.Unlock()
			answers[resp.StatusCode]++
		})
	}
	wg.Wait()
	if n := w.projects(t) - before; n != 1 || answers[201] == 0 || answers[201]+answers[409] != 100 {
		t.Errorf("%d projects were made; answers %v", n, answers)
	}
	first, body := w.keyed(t, "admin", "one", "once")
	if first.StatusCode != 201 || first.Header.Get("Idempotent-Replayed") != "true" || !strings.Contains(body, `"once"`) {
		t.Errorf("again: %d %v %s", first.StatusCode, first.Header, body)
	}
	for name, tc := range map[string]struct {
		caller, key, project string
		status               int
	}{
		"another request under the key":       {"admin", "one", "twice", 422},
		"another caller's key is their own":   {"owner", "one", "once", 201},
		"another key makes another":           {"admin", "two", "once", 201},
		"a key with a space":                  {"admin", "a key", "x", 422},
		"a key that is too long":              {"admin", strings.Repeat("k", 256), "x", 422},
		"what was refused is refused again":   {"viewer", "three", "x", 403},
		"control: what is refused has no key": {"viewer", "three", "y", 403},
	} {
		if resp, b := w.keyed(t, tc.caller, tc.key, tc.project); resp.StatusCode != tc.status {
			t.Errorf("%s: %d, want %d: %s", name, resp.StatusCode, tc.status, b)
		}
	}
}

func TestIdempotency_OutlivesTheProcessAndSaysWhatItDoesNotKnow(t *testing.T) {
	v := newVictims(t)
	now := time.Now()
	w := v.open(t, func(c *controlapi.Config) { c.Now = func() time.Time { return now } })
	t.Cleanup(w.close)
	_, made := w.keyed(t, "admin", "kept", "kept")
	// The process dies in a request: its key is noted, and no answer.
	err := w.parts.db.Update(t.Context(), func(tx state.Tx) error {
		rows := w.parts.db.Team(v.ids.team).Replies
		all, err := rows.List(tx, "", "", 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d answers are kept, %v", len(all), err)
		}
		if bytes.Contains(all[0].Body, []byte("kept")) {
			t.Error("the kept answer can be read where it is stored")
		}
		cut := all[0]
		cut.Done, cut.Body = false, nil
		return rows.Put(tx, &cut)
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp, b := w.keyed(t, "admin", "kept", "kept"); resp.StatusCode != http.StatusConflict || !strings.Contains(b, "ended while") {
		t.Errorf("after the death: %d %s", resp.StatusCode, b)
	}
	now = now.Add(25 * time.Hour)
	if resp, b := w.keyed(t, "admin", "kept", "kept"); resp.StatusCode != 201 || b == made {
		t.Errorf("after a day the key is free: %d", resp.StatusCode)
	}
}

// failingStore fails reads while it is broken.
type failingStore struct {
	state.Store
	broken bool
}

func (f *failingStore) View(ctx context.Context, fn func(state.Tx) error) error {
	if f.broken {
		return context.DeadlineExceeded
	}
	return f.Store.View(ctx, fn)
}

func TestDoor_RefusesWhileItCannotLook(t *testing.T) {
	v := newVictims(t)
	var store *failingStore
	w := v.open(t, func(c *controlapi.Config) {
		store = &failingStore{Store: c.DB.Store}
		c.Account = account.New(account.Config{DB: state.DB{Store: store}, Ring: c.Ring})
	})
	t.Cleanup(w.close)
	if resp := w.get(t, "owner", "/api/projects?team=victims"); resp.StatusCode != 200 {
		t.Fatalf("control: %d", resp.StatusCode)
	}
	store.broken = true
	for _, caller := range []string{"owner", "admin", "operator", "nobody"} {
		if resp := w.get(t, caller, "/api/projects?team=victims"); resp.StatusCode < 400 {
			t.Errorf("%s was let in by a door that cannot look: %d", caller, resp.StatusCode)
		}
	}
}

func TestRefusals_AreLoggedWithoutWhatTheCallerFormed(t *testing.T) {
	var log syncBuffer
	w := newVictims(t).open(t, func(c *controlapi.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	t.Cleanup(w.close)
	w.get(t, "nobody", "/api/projects/x%0Aforged=line%1B[31m", "User-Agent", "evil", "Authorization", "Bearer canary-token-in-a-log")
	w.get(t, "viewer", "/api/teams/victims/audit")
	text := log.String()
	if n := strings.Count(text, "a request was refused"); n != 2 || !strings.Contains(text, "GET /api/teams/{team}/audit") || !strings.Contains(text, "code="+string(hosting.CodeForbidden)) {
		t.Errorf("%d refusals are logged: %s", n, text)
	}
	for _, formed := range []string{"forged=line", "\x1b", "canary-token", "evil"} {
		if strings.Contains(text, formed) {
			t.Errorf("the log holds %q: %s", formed, text)
		}
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
