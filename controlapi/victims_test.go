package controlapi_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/controlapi"
	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/usage"
)

// victims is a team, "victims", with one of everything, and who may want something of it. It
// is made once and stored in a folder, of which each victimWorld opens a copy.
type victims struct {
	dir     string
	cookies map[string]string // caller -> session
	tokens  map[string]string // caller -> bearer token
	ids     struct {
		team, elsewhere    hosting.TeamID
		project            hosting.ProjectID
		deployment, upload hosting.DeploymentID
		mel                hosting.UserID
		token              hosting.TokenID
		invitation         hosting.InvitationID
	}
}

const canaryValue = "canary-value-of-a-secret-variable"

const goodPassword = "correct horse battery"

// newVictims makes the team, by the services themselves.
func newVictims(t *testing.T) *victims {
	t.Helper()
	v := &victims{dir: quick(t), cookies: map[string]string{}, tokens: map[string]string{"operator": ownerToken}}
	t.Run("the victims", func(t *testing.T) { v.make(t) }) // its cleanup closes what is copied later
	if t.Failed() {
		t.FailNow()
	}
	return v
}

// quick is a folder in memory, where there is such a file system: what is stored is not read
// after a crash here, and a thousand worlds would wait for the disk a thousand times.
func quick(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fairway-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (v *victims) make(t *testing.T) {
	p := openParts(t, v.dir, nil)
	defer p.follow()()
	people := p.people(nil)
	ctx := t.Context()
	link := must[account.Link](t)(people.OwnerLink(ctx))
	_, secret, _ := strings.Cut(link.URL, "link=")
	persons := map[string]account.SignedIn{}
	for i, name := range []string{"root", "vera", "dan", "vic", "mel", "sten"} {
		in := account.SignUp{Email: name + "@example.com", Name: strings.ToUpper(name[:1]) + name[1:], Password: goodPassword}
		if i == 0 {
			in.Link = secret
		}
		persons[name] = must[account.SignedIn](t)(people.SignUp(ctx, in, account.From{}))
	}
	as := func(name, team string) hosting.Caller {
		return must[hosting.Caller](t)(people.BySession(ctx, persons[name].Secret, team, account.From{}))
	}
	team := must[hosting.Team](t)(people.CreateTeam(ctx, as("vera", ""), account.NewTeam{Name: "Victims", Slug: "victims"}))
	v.ids.team, v.ids.mel, v.ids.elsewhere = team.ID, persons["mel"].User.ID, persons["sten"].User.Team
	operator := must[hosting.Caller](t)(people.Operator(ctx, hosting.ViaSocket, "victims", account.From{}))
	for name, role := range map[string]hosting.Role{"dan": hosting.RoleDeveloper, "vic": hosting.RoleViewer, "mel": hosting.RoleViewer} {
		inv := must[hosting.Invitation](t)(people.Invite(ctx, operator, name+"@example.com", role))
		_, secret, _ := strings.Cut(inv.Link, "link=")
		must[hosting.TeamOf](t)(people.Accept(ctx, as(name, ""), secret))
	}
	v.ids.invitation = must[hosting.Invitation](t)(people.Invite(ctx, operator, "new@example.com", hosting.RoleViewer)).ID
	for caller, name := range map[string]string{"viewer": "vic", "developer": "dan", "owner": "vera", "stranger": "sten", "elsewhere": "sten", "root": "root"} {
		v.cookies[caller] = persons[name].Secret
	}
	v.makeThings(t, p.service, as("vera", "victims"))
	v.makeTokens(t, p, as("vera", "victims"))
	edge := must[hosting.EdgeSecret](t)(usage.New(usage.Config{DB: p.db}).AddEdge(ctx, operator, hosting.NewEdge{Name: "canary-edge"}))
	v.tokens["edge"] = edge.Secret
}

func (v *victims) makeThings(t *testing.T, s *deploy.Service, vera hosting.Caller) {
	t.Helper()
	ctx := t.Context()
	for _, name := range []string{"canary-shop", "other-shop"} {
		must[hosting.Project](t)(s.CreateProject(ctx, vera, hosting.NewProject{Name: name, Slug: name}))
	}
	v.ids.project = must[hosting.Project](t)(s.FindProject(ctx, vera, "canary-shop")).ID
	must[[]hosting.Variable](t)(s.SetVariable(ctx, vera, "canary-shop", "CANARY_NAME", deploy.SetVariable{Value: canaryValue, Secret: true}))
	d, _, err := s.Deploy(ctx, vera, hosting.NewDeployment{Project: "canary-shop", Source: hosting.SourceArchive})
	if err != nil {
		t.Fatal(err)
	}
	v.ids.deployment = d.ID
	d, upload, err := s.Deploy(ctx, vera, hosting.NewDeployment{Project: "canary-shop", Source: hosting.SourceFiles})
	if err != nil {
		t.Fatal(err)
	}
	v.ids.upload, v.tokens["job"] = d.ID, upload.Token
}

func (v *victims) makeTokens(t *testing.T, p parts, vera hosting.Caller) {
	t.Helper()
	now, before := p.people(nil), p.people(func() time.Time { return time.Now().Add(-100 * 24 * time.Hour) })
	token := func(s *account.Service, c hosting.Caller, in hosting.NewToken) account.TokenSecret {
		in.Name, in.Days = "test", 30
		return must[account.TokenSecret](t)(s.CreateToken(t.Context(), c, in))
	}
	v.tokens["expired"] = token(before, vera, hosting.NewToken{Scope: hosting.ScopeAdmin}).Secret
	v.tokens["otherproject"] = token(now, vera, hosting.NewToken{Scope: hosting.ScopeAdmin, Project: "other-shop"}).Secret
	for _, scope := range []hosting.Scope{hosting.ScopeRead, hosting.ScopeDeploy, hosting.ScopeAdmin} {
		made := token(now, vera, hosting.NewToken{Scope: scope})
		v.tokens[string(scope)], v.ids.token = made.Secret, made.ID
	}
}

func (v *victims) authorize(r *http.Request, caller string) {
	if token := v.tokens[caller]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if secret := v.cookies[caller]; secret != "" {
		r.AddCookie(&http.Cookie{Name: controlapi.SessionCookie, Value: secret})
	}
}

// follow keeps the routing table up to date, which a publish waits for, and runs what else is given.
func (p parts) follow(loops ...func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range loops {
		running.Go(func() { _ = run(ctx) })
	}
	running.Go(func() { _ = p.table.Follow(ctx, state.Feed{DB: p.db}, p.rings) })
	return func() { cancel(); running.Wait() }
}

// victimWorld is an API over a copy of what the victims have.
type victimWorld struct {
	v      *victims
	api    *controlapi.API
	parts  parts
	server *httptest.Server
	close  func()
}

func (v *victims) open(t *testing.T, change ...func(*controlapi.Config)) *victimWorld {
	t.Helper()
	dir := quick(t)
	for _, name := range []string{"key", "state.db"} {
		b, err := os.ReadFile(filepath.Join(v.dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w := &victimWorld{v: v, parts: openParts(t, dir, nil)}
	cfg := controlapi.Config{
		Deploy: w.parts.service, Account: w.parts.people(nil), DB: w.parts.db, Ring: w.parts.ring, Token: ownerToken,
		Hosts: []string{"localhost"}, ControlURL: "https://localhost", Domain: "localhost", Explain: explainFor(v.ids.project),
		Limits: controlapi.Limits{API: -1, Auth: -1, Deploys: -1, Logs: -1, Sensitive: -1},
	}
	for _, c := range change {
		c(&cfg)
	}
	cfg.Usage = usage.New(usage.Config{DB: w.parts.db})
	w.api = controlapi.New(cfg)
	w.server = httptest.NewTLSServer(w.api.Public())
	stop := w.parts.follow(cfg.Usage.Run)
	w.close = func() { w.server.Close(); stop() }
	return w
}

// digest is of all that is stored, or of the rows that name something. Failed logins are left
// out: they are counted whoever asks.
func (w *victimWorld) digest(t *testing.T, naming string) string {
	t.Helper()
	h := sha256.New()
	err := w.parts.db.View(t.Context(), func(tx state.Tx) error {
		after := []byte(nil)
		for {
			page, err := tx.Scan(nil, after, 1000)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, p := range page {
				row := string(p.Key) + "\x00" + string(p.Value)
				if strings.Contains(row, naming) && !strings.Contains(string(p.Key), "\x00tries") {
					_, _ = io.WriteString(h, row)
				}
			}
			after = page[len(page)-1].Key
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// explainFor is an edge that has one site, the project's.
func explainFor(project hosting.ProjectID) func(context.Context, string, string) (hosting.Explanation, error) {
	return func(_ context.Context, address, _ string) (hosting.Explanation, error) {
		return hosting.Explanation{URL: address, Status: 200, Project: project, Why: []string{}}, nil
	}
}

// body is a well-formed body for a route, about the victims' things.
func (w *victimWorld) body(pattern, caller string) (body []byte, kind string) {
	ids := w.v.ids
	of := map[string]any{
		"POST /api/user/signup":                        account.SignUp{Email: "vera@example.com", Name: "V", Password: goodPassword},
		"POST /api/user/login":                         map[string]string{"email": caller + "@nowhere.example", "password": "wrong wrong wrong"},
		"POST /api/user/forgot":                        map[string]string{"email": "vera@example.com"},
		"POST /api/user/reset":                         map[string]string{"link": "none", "password": goodPassword},
		"POST /api/user/confirm":                       map[string]string{"link": "none"},
		"POST /api/cli/token":                          map[string]string{"code": "none", "verifier": strings.Repeat("v", 43)},
		"PATCH /api/user":                              map[string]string{"name": "Another"},
		"DELETE /api/user":                             map[string]string{"password": "wrong wrong wrong"},
		"PUT /api/user/password":                       map[string]string{"current": "wrong wrong wrong", "new": goodPassword + " 2"},
		"POST /api/teams":                              map[string]string{"name": "Another"},
		"PATCH /api/teams/{team}":                      map[string]string{"name": "Another"},
		"PATCH /api/teams/{team}/members/{user}":       map[string]string{"role": "developer"},
		"POST /api/teams/{team}/invitations":           map[string]string{"email": "more@example.com", "role": "viewer"},
		"POST /api/invitations/accept":                 map[string]string{"link": "none"},
		"POST /api/teams/{team}/tokens":                hosting.NewToken{Name: "x", Scope: hosting.ScopeDeploy, Project: string(ids.project)},
		"POST /api/projects":                           hosting.NewProject{Name: "another"},
		"POST /api/project":                            hosting.NewProject{Name: "another"},
		"PATCH /api/projects/{project}":                map[string]string{"name": "another"},
		"PUT /api/projects/{project}/access":           hosting.AccessUpdate{Previews: &hosting.AccessChange{Mode: hosting.AccessTeam}},
		"PUT /api/projects/{project}/variables/{name}": deploy.SetVariable{Value: "x"},
		"POST /api/deploy":                             hosting.NewDeployment{Project: string(ids.project), Source: hosting.SourceArchive},
		"PATCH /api/operator/users/{user}":             map[string]bool{"suspended": true},
		"PATCH /api/operator/teams/{id}":               map[string]bool{"suspended": true},
		"PATCH /api/operator/projects/{id}":            map[string]bool{"suspended": true},
		"POST /api/edges":                              hosting.NewEdge{Name: "another"},
		"POST /api/edges/report": hosting.EdgeReport{
			Form: hosting.EdgeForm, Node: "n", Batch: hosting.EdgeBatch{Boot: "b", Number: 1, Counts: []hosting.EdgeCounts{}},
		},
		"POST /api/jobs/{id}/heartbeat": hosting.Heartbeat{},
		"POST /api/jobs/{id}/logs":      lines(1, "a line"),
		"POST /api/jobs/{id}/missing":   hosting.MissingRequest{},
		"POST /api/jobs/{id}/finish":    hosting.Finish{Failure: &hosting.Failure{Code: hosting.FailBuild, Reason: "no"}},
	}[pattern]
	switch pattern {
	case "PUT /api/deployments/{id}/source":
		return gzipped, "application/gzip"
	case "PUT /api/jobs/{id}/blobs/{digest}":
		return []byte("x"), "application/octet-stream"
	}
	if of == nil {
		return nil, ""
	}
	b, err := json.Marshal(of)
	if err != nil {
		panic(err) // they are strings and numbers
	}
	return b, "application/json"
}

// gzipped is the smallest gzip there is (RFC 1952): nothing, packed.
var gzipped = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}
