package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// tellingSite is a project whose build prints a variable and publishes its SHA-256: the one
// shows whether it is masked, the other that the build had it.
func tellingSite(name string) map[string]string {
	pkg, _ := json.Marshal(map[string]any{
		"name": "telling", "private": true, "version": "1.0.0", "scripts": map[string]string{"build": "node build.js"},
	})
	return map[string]string{
		"package.json": string(pkg),
		"build.js": fmt.Sprintf(`const fs = require("fs"), crypto = require("crypto");
const v = process.env.%[1]s || "";
console.log("begin " + v + " end");
fs.mkdirSync("dist", { recursive: true });
fs.writeFileSync("dist/index.html", "<!doctype html><title>site</title><p>" + crypto.createHash("sha256").update(v).digest("hex"));
`, name),
	}
}

// A team from its first minute to its suspension, with the command line and the API.
func TestPeople_FromTheOwnerLinkToASuspendedTeam(t *testing.T) {
	t.Parallel()
	s := NewServer(t, unlimited, "FAIRWAY_UNSANDBOXED_BUILDS=on")
	s.shutBeforeTheOwner()
	ann := s.Owner()
	s.onlyOneOwnerLink()

	const secret = "correct horse & battery/staple"
	ann.Do("POST", "/projects", map[string]any{"name": "Shop", "slug": "shop"}).OK()
	ann.Do("PUT", "/projects/shop/variables/API_KEY", map[string]any{"value": secret, "secret": true}).OK()
	if a := ann.Do("GET", "/projects/shop/variables", nil).OK(); strings.Contains(a.Body, "horse") || !strings.Contains(a.Body, "API_KEY") {
		t.Errorf("the variables are shown as %s", a.Body)
	}
	dir := t.TempDir()
	writeFiles(t, dir, tellingSite("API_KEY"))
	out, errs, err := s.CLIAs(ann.Token(ann.Team.ID, hosting.ScopeDeploy), dir, "deploy", "--project", "shop")
	if err != nil {
		t.Fatalf("fairway deploy: %v\n%s%s", err, out, errs)
	}
	if strings.Contains(errs, "horse") || !strings.Contains(errs, "begin ") {
		t.Errorf("the log shows the secret, or not the build:\n%s", errs)
	}
	s.Get(s.Site("shop")).Is(200, fmt.Sprintf("%x", sha256.Sum256([]byte(secret))))

	ben := ann.Joined("Ben", hosting.RoleDeveloper)
	cat := ann.Joined("Cat", hosting.RoleViewer)
	s.developersDeployAndViewersLook(ann, ben, cat)
	ben.aNewPasswordEndsOtherSessions()
	s.suspendedTeamsPauseAtOnce(ann)
}

// shutBeforeTheOwner: nothing but health is answered over the network, whatever the
// credential; the socket goes on.
func (s *Server) shutBeforeTheOwner() {
	s.t.Helper()
	p := s.NewPerson("Nobody")
	token, err := os.ReadFile(filepath.Join(s.Data, "token"))
	if err != nil {
		s.t.Fatal(err)
	}
	bearer := http.Header{"Authorization": {"Bearer " + strings.TrimSpace(string(token))}}
	p.Ask("GET", "/health", nil, nil).Is(200)
	for _, h := range []http.Header{nil, bearer} {
		if a := p.Ask("GET", "/projects", nil, h); a.Status/100 != 4 || a.Code() != hosting.CodeSetup {
			s.t.Errorf("before there is an owner GET /projects answers %d %s", a.Status, a.Body)
		}
	}
	s.Operate("GET", "/projects", nil).Is(200)
	if a := p.Do("POST", "/user/signup", map[string]any{"email": p.Email, "name": "x", "password": p.Password, "link": "guessed"}); a.Status/100 != 4 {
		s.t.Errorf("a guessed owner link was answered %d %s", a.Status, a.Body)
	}
}

// onlyOneOwnerLink: the operator cannot make a second first person.
func (s *Server) onlyOneOwnerLink() {
	s.t.Helper()
	if a := s.Operate("POST", "/operator/owner-link", nil); a.Code() != hosting.CodeConflict {
		s.t.Errorf("with an owner, another owner link is answered %d %s", a.Status, a.Body)
	}
	p := s.NewPerson("Eve")
	if a := p.Do("POST", "/user/signup", map[string]any{"email": p.Email, "name": "Eve", "password": p.Password}); a.Status/100 != 4 {
		s.t.Errorf("sign-up is closed, and answered %d %s", a.Status, a.Body)
	}
}

func (s *Server) developersDeployAndViewersLook(ann, ben, cat *Person) {
	s.t.Helper()
	dir := s.t.TempDir()
	writeFiles(s.t, dir, map[string]string{"index.html": "<h1>from Ben</h1>"})
	token := ben.Token(ann.Team.ID, hosting.ScopeDeploy)
	if out, errs, err := s.CLIAs(token, dir, "deploy", "--project", "shop"); err != nil {
		s.t.Fatalf("fairway deploy: %v\n%s%s", err, out, errs)
	}
	s.Get(s.Site("shop")).Is(200, "from Ben")

	token = cat.Token(ann.Team.ID, hosting.ScopeRead)
	if out, _, err := s.CLIAs(token, dir, "projects"); err != nil || !strings.Contains(out, "shop") {
		s.t.Errorf("a viewer sees %q: %v", out, err)
	}
	writeFiles(s.t, dir, map[string]string{"index.html": "<h1>from Cat</h1>"})
	if _, errs, err := s.CLIAs(token, dir, "deploy", "--project", "shop"); err == nil || !strings.Contains(errs, "viewer") {
		s.t.Errorf("a viewer deployed: %v\n%s", err, errs)
	}
	s.Get(s.Site("shop")).Is(200, "from Ben")
	team := "?team=" + string(ann.Team.ID)
	cat.Do("GET", "/projects/shop"+team, nil).Is(200)
	cat.Do("PATCH", "/projects/shop"+team, map[string]any{"name": "Cat's"}).Is(403)
	ben.Do("PATCH", "/projects/shop"+team, map[string]any{"name": "Shop of all"}).Is(200)
	ben.Do("GET", "/projects/shop", nil).Is(404) // in Ben's own team there is none
}

func (p *Person) aNewPasswordEndsOtherSessions() {
	t := p.s.t
	t.Helper()
	other := p.Again()
	other.Do("GET", "/user", nil).Is(200)
	next := "another long password"
	p.ChangePassword(next)
	other.Do("GET", "/user", nil).Is(401)
	p.Do("GET", "/user", nil).Is(200)
	other.LogIn(p.Password).Is(401)
	other.LogIn(next).OK()
	p.Password = next
}

// suspendedTeamsPauseAtOnce: a team's hosts answer the paused page within a second, its bytes
// stay, and its people can look but change nothing.
func (s *Server) suspendedTeamsPauseAtOnce(ann *Person) {
	s.t.Helper()
	s.within(time.Second, func() { s.SuspendTeam(ann.Team.ID, true) }, func(status int, body string) bool {
		return status == http.StatusServiceUnavailable && !strings.Contains(body, "from Ben")
	})
	ann.Do("PATCH", "/projects/shop", map[string]any{"name": "x"}).Is(403)
	ann.Do("GET", "/projects/shop", nil).Is(200)
	s.within(time.Second, func() { s.SuspendTeam(ann.Team.ID, false) }, func(status int, body string) bool {
		return status == http.StatusOK && strings.Contains(body, "from Ben")
	})
	api := s.Client()
	defer api.Close()
	if l, err := api.ListDeployments(context.Background(), "shop", client.Page{}); err != nil || len(l.Items) != 2 {
		s.t.Errorf("after the suspension there are %d deployments: %v", len(l.Items), err)
	}
}

// within changes something and holds the shop to showing it in time.
func (s *Server) within(limit time.Duration, change func(), shown func(status int, body string) bool) {
	s.t.Helper()
	v := s.Visitor(1)
	defer v.CloseIdleConnections()
	change()
	began := time.Now()
	s.eventually(10*time.Second, "the site shows the change", func() bool {
		body, resp, err := fetch(v, s.Site("shop"))
		return err == nil && shown(resp.StatusCode, body)
	})
	if took := time.Since(began); took > limit {
		s.t.Errorf("the site showed the change after %v, want %v", took, limit)
	}
}

// ChangePassword sets another password, as the account page does.
func (p *Person) ChangePassword(next string) {
	p.s.t.Helper()
	p.Do("PUT", "/user/password", map[string]any{"current": p.Password, "new": next}).OK()
}

// SuspendTeam pauses a team's sites, as the operator.
func (s *Server) SuspendTeam(id hosting.TeamID, suspended bool) {
	s.t.Helper()
	s.Operate("PATCH", "/operator/teams/"+string(id), map[string]any{"suspended": suspended}).OK()
}
