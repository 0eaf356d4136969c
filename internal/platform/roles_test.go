package platform

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/bell"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// commit writes routing records as a service of the control plane does.
func commit(t *testing.T, p *Platform, c hosting.Change) hosting.Mark {
	t.Helper()
	db := p.source.(state.Feed).DB
	var mark hosting.Mark
	err := db.Update(t.Context(), func(tx state.Tx) (err error) {
		mark, err = db.System().Commit(tx, &c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.bell.Announce(t.Context(), bell.Routes, mark); err != nil {
		t.Fatal(err)
	}
	return mark
}

func start(t *testing.T, p *Platform) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
}

func statusOf(h http.Handler, url string) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return w.Code
}

func wait(t *testing.T, p *Platform, mark hosting.Mark) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.routes.Wait(ctx, mark); err != nil {
		t.Fatalf("the edge is at %v, want %v", p.routes.Mark(), mark)
	}
}

func TestRoles_AnEdgeFollowsTheControlPlaneAndOutlivesIt(t *testing.T) {
	objects := "file://" + t.TempDir()
	control, edge := t.TempDir(), t.TempDir()
	cp := open(t, Config{Data: control, Objects: objects, Role: RoleControl, Executable: "/bin/false"})
	start(t, cp)
	key, err := os.ReadFile(filepath.Join(control, "edge-key"))
	if err != nil {
		t.Fatal(err)
	}
	platformKey, _ := os.ReadFile(filepath.Join(control, "key"))
	if string(key) == string(platformKey) {
		t.Error("edges get the key of the platform")
	}
	if err := os.WriteFile(filepath.Join(edge, "edge-key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	shop := hosting.Change{
		Sites:    []hosting.Site{{Name: "shop", Project: "prj_aaaaaaaa", Team: "team_a", State: hosting.SiteSuspended}},
		Pointers: []hosting.Pointer{{Project: "prj_aaaaaaaa", Name: hosting.PointerProduction, Deployment: "dpl_1", Manifest: hosting.DigestOf(nil)}},
	}
	mark := commit(t, cp, shop)
	config, err := Config{Data: edge, Objects: objects, Role: RoleEdge, Poll: "50ms"}.Normal() // as Caddy's app does, and Open once more
	if err != nil {
		t.Fatal(err)
	}
	ep := open(t, config)
	start(t, ep)
	wait(t, ep, mark)

	// Suspended sites answer 503, others would need content.
	for name, want := range map[string]struct {
		p     *Platform
		url   string
		sites int
		cert  bool
	}{
		"a site at the edge":          {ep, "http://shop.localhost/", 503, true},
		"an unknown one at the edge":  {ep, "http://none.localhost/", 404, false},
		"the control host at an edge": {ep, "http://localhost/", 404, false},
		"a site at the control plane": {cp, "http://shop.localhost/", 421, false},
	} {
		host := strings.TrimSuffix(strings.TrimPrefix(want.url, "http://"), "/")
		if got := statusOf(want.p.Sites(), want.url); got != want.sites {
			t.Errorf("%s: status %d, want %d", name, got, want.sites)
		}
		if got := want.p.Allowed(host); got != want.cert {
			t.Errorf("%s: a certificate is allowed: %v", name, got)
		}
	}
	if !cp.Allowed("localhost") || ep.IsControl("localhost") {
		t.Error("the control host is the control plane's alone")
	}
	if got := statusOf(ep.Admin(), "http://x/api/health"); got != 200 {
		t.Errorf("the edge's health: %d", got)
	}
	if got := statusOf(ep.Admin(), "http://x/api/projects"); got != 404 {
		t.Errorf("the edge's projects: %d", got)
	}
	if link, err := ep.OwnerLink(t.Context()); link != "" || err != nil {
		t.Errorf("the edge has an owner link: %q, %v", link, err)
	}

	// Everything else gone, it starts again and knows what it knew.
	if err := ep.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cp.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(strings.TrimPrefix(objects, "file://")); err != nil {
		t.Fatal(err)
	}
	ep = open(t, config)
	began := time.Now()
	start(t, ep)
	if d := time.Since(began); d > settleTime/2 {
		t.Errorf("it waited %v for what is dead", d)
	}
	if got := statusOf(ep.Sites(), "http://shop.localhost/"); got != 503 || !ep.Allowed("shop.localhost") {
		t.Errorf("after a restart with everything dead: status %d", got)
	}
}

// Edges read no more than they may: nothing that only the control plane has is in their folder.
func TestRoles_AnEdgeHasNoSecretsButItsKey(t *testing.T) {
	edge := t.TempDir()
	key := hosting.DigestOf([]byte("a key"))
	if err := os.WriteFile(filepath.Join(edge, "edge-key"), key[:], 0o600); err != nil {
		t.Fatal(err)
	}
	// It is to report, and neither its token nor control is there: that keeps it from nothing.
	ep := open(t, Config{Data: edge, Objects: "file://" + t.TempDir(), Role: RoleEdge, Control: "https://control.invalid?ca=/none", EdgeToken: "file:/none"})
	for _, name := range []string{"key", "token", "state.db", "job.sock"} {
		if _, err := os.Stat(filepath.Join(edge, name)); err == nil {
			t.Errorf("an edge made %s", name)
		}
	}
	if _, err := Open(t.Context(), Config{Data: edge, Objects: "file://" + t.TempDir(), Role: RoleEdge}); !hosting.Is(err, hosting.CodeConflict) {
		t.Errorf("a second one in the same folder: %v", err)
	}
	if got := statusOf(ep.Sites(), "http://127.0.0.1/.fairway/health"); got != 503 {
		t.Errorf("the health of an edge that knows nothing: %d", got)
	}
}
