package platform

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/servertest"
)

// inDatabase is the configuration of a process whose state is in PostgreSQL.
func inDatabase(t *testing.T, s *servertest.Server) Config {
	t.Helper()
	c, err := Config{
		Data: t.TempDir(), Executable: "/bin/false", Poll: "50ms",
		State:  "postgres://" + servertest.User + "@" + s.Addr + "/postgres?password=env:DB",
		Getenv: func(name string) string { return map[string]string{"DB": servertest.Password}[name] },
	}.Normal()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The database may be dead when the process starts, and whenever else: the sites are served,
// and what needs it says so, until it is back.
func TestShared_SitesOutliveTheDatabase(t *testing.T) {
	server := servertest.Postgres(t)
	c := inDatabase(t, server)
	p := open(t, c)
	start(t, p)
	commit(t, p, hosting.Change{
		Sites:    []hosting.Site{{Name: "shop", Project: "prj_aaaaaaaa", Team: "team_a", State: hosting.SiteSuspended}},
		Pointers: []hosting.Pointer{{Project: "prj_aaaaaaaa", Name: hosting.PointerProduction, Deployment: "dpl_1", Manifest: hosting.DigestOf(nil)}},
	})
	head, err := p.source.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wait(t, p, head)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	p = open(t, c)
	start(t, p)
	if link, err := p.OwnerLink(t.Context()); link != "" || err != nil {
		t.Errorf("the start asks for an owner: %q, %v", link, err)
	}
	if got := statusOf(p.Sites(), "http://shop.localhost/"); got != 503 { // as suspended ones answer
		t.Errorf("with a dead database the site answers %d", got)
	}
	w := httptest.NewRecorder()
	p.Admin().ServeHTTP(w, httptest.NewRequest("GET", "http://x/api/projects", nil))
	if w.Code != 503 || strings.Contains(w.Body.String(), server.Addr) {
		t.Errorf("the API answers %d %s", w.Code, w.Body)
	}
	if got := p.ready(t.Context())["state"]; got == "ok" {
		t.Error("the state is said to be ok")
	}
	server.Start()
	if got := statusOf(p.Admin(), "http://x/api/projects"); got != 200 {
		t.Errorf("once it is back the API answers %d", got)
	}
	if got := p.ready(t.Context())["state"]; got != "ok" {
		t.Errorf("the state is %q", got)
	}
}

func TestShared_ASecondControlPlaneThatCannotShareIsRefused(t *testing.T) {
	server := servertest.Postgres(t)
	first := open(t, inDatabase(t, server))
	start(t, first)
	c := inDatabase(t, server)
	if key, err := os.ReadFile(filepath.Join(first.config.Data, "key")); err != nil || os.WriteFile(filepath.Join(c.Data, "key"), key, 0o600) != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := Open(t.Context(), c)
	if !hosting.Is(err, hosting.CodeConflict) || !strings.Contains(err.Error(), "objects in its own data folder") {
		t.Errorf("a second one: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	// The control: once the first has stopped there is nothing in its way.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	second, err := Open(ctx, c)
	if err != nil {
		t.Fatalf("alone: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
