package cli

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// people are who and what the fake control plane knows besides projects.
type people struct {
	users       []*hosting.User
	teams       []*hosting.Team
	members     []hosting.Member
	invitations []hosting.Invitation
	tokens      []client.TokenSecret
	vars        []hosting.Variable
	entries     []hosting.AuditEntry
	edges       []hosting.Edge
	used        hosting.Usage
	claimed     bool
	paused      bool
	approved    string // challenge of the login that was approved, "" before
	limits      int    // how many writes of variables are limited from now on
	// failVariable is the name of a variable that is refused.
	failVariable string
	sitePassword string
	inTeam       string // the team that the last request named by query
}

const laptopSecret, codeOfLogin = "fwy_laptopsecret", "code-of-the-login"

// settle makes Ann, an owner and the operator, Bo, a viewer, and two teams.
func (c *control) settle() {
	mark := hosting.Mark{Epoch: 1795423390651, Seq: 4211}
	c.edges = []hosting.Edge{{Name: "fra", Processes: []hosting.EdgeProcess{
		{
			Host: "fra-0", Release: "1.2.0", Mark: mark, Held: 3 << 30, ReportedAt: noon.Add(-20 * time.Second),
			Traffic: hosting.Traffic{Requests: 1_204_311, Bytes: 40 << 30, Hits: 1_190_000, Misses: 9_000, Fetched: 1 << 30},
		},
		{
			Host: "fra-1", Release: "1.1.0", Mark: hosting.Mark{Epoch: mark.Epoch, Seq: 4198}, Lag: hosting.Lag{Changes: 13, Seconds: 75}, Ahead: -48,
			Held: 1 << 20, ReportedAt: noon.Add(-time.Hour), Silent: true, Traffic: hosting.Traffic{Requests: 12, Bytes: 4096, Hits: 3, Misses: 1},
		},
	}}}
	c.claimed = true
	c.users = []*hosting.User{
		{ID: "usr_ann", Email: "ann@example.com", Name: "Ann", Confirmed: true, Operator: true, Team: hosting.DefaultTeam, CreatedAt: noon.Add(-90 * 24 * time.Hour), LastSeenAt: noon.Add(-time.Minute)},
		{ID: "usr_bo", Email: "bo@example.com", Name: "Bo", Team: "team_bo", CreatedAt: noon.Add(-3 * 24 * time.Hour), LastSeenAt: noon.Add(-26 * time.Hour)},
	}
	c.teams = []*hosting.Team{
		{ID: hosting.DefaultTeam, Slug: "ann", Name: "Ann", Personal: true, CreatedAt: noon.Add(-90 * 24 * time.Hour)},
		{ID: "team_shop", Slug: "the-shop", Name: "The shop", Quotas: hosting.Quotas{Projects: 10}, CreatedAt: noon.Add(-2 * 24 * time.Hour)},
	}
	join := func(u *hosting.User, t hosting.TeamID, role hosting.Role) {
		c.members = append(c.members, hosting.Member{Membership: hosting.Membership{Team: t, User: u.ID, Role: role, JoinedAt: noon.Add(-48 * time.Hour)}, Name: u.Name, Email: u.Email})
	}
	join(c.users[0], hosting.DefaultTeam, hosting.RoleOwner)
	join(c.users[0], "team_shop", hosting.RoleOwner)
	join(c.users[1], "team_shop", hosting.RoleViewer)
	c.addToken("fairway login on laptop", hosting.ScopeAdmin, laptopSecret, "tok_laptop", "team_shop")
	c.used = hosting.Usage{
		Projects: 2, Builds: 1, Bytes: 3 << 30, Measured: noon.Add(-20 * time.Minute),
		Quotas: hosting.Quotas{Projects: 10, Builds: 4, Bytes: 10 << 30, Files: 20000},
	}
	c.entries = []hosting.AuditEntry{
		{ID: "aud_b", At: noon.Add(-time.Minute), User: "usr_ann", Name: "Ann", Via: hosting.ViaToken, Token: "tok_laptop", Addr: "203.0.113.7", Action: "variable.set", Target: "shop", Detail: "API_URL for production, preview"},
		{ID: "aud_a", At: noon.Add(-3 * time.Hour), User: "usr_ann", Name: "Ann", Via: hosting.ViaSession, Addr: "203.0.113.7", Action: "member.role", Target: "bo@example.com", Detail: "developer to viewer"},
	}
}

func (c *control) addToken(name string, scope hosting.Scope, secret string, id hosting.TokenID, team hosting.TeamID) client.TokenSecret {
	t := client.TokenSecret{Secret: secret, Token: hosting.Token{
		ID: id, Team: team, User: "usr_ann", Name: name, Scope: scope, CreatedAt: noon.Add(-24 * time.Hour), ExpiresAt: noon.Add(89 * 24 * time.Hour),
	}}
	c.tokens = append(c.tokens, t)
	return t
}

// caller is who asks: by the socket the operator, else whose token it is.
func (c *control) caller(r *http.Request) (hosting.Caller, *client.TokenSecret, error) {
	name := r.PathValue("team")
	c.inTeam = r.URL.Query().Get("team")
	if name == "" {
		name = c.inTeam
	}
	who := hosting.Caller{Via: hosting.ViaSocket, Name: "operator", Role: hosting.RoleOwner, Operator: true}
	var token *client.TokenSecret
	if secret := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); secret != "" {
		i := slices.IndexFunc(c.tokens, func(t client.TokenSecret) bool { return t.Secret == secret })
		if i < 0 {
			return who, nil, hosting.Errorf(hosting.CodeUnauthenticated, "the token is not known").WithHint("sign in anew")
		}
		token = &c.tokens[i]
		who = hosting.Caller{Via: hosting.ViaToken, User: token.User, Name: "Ann", Role: hosting.RoleOwner, Token: token.ID, Scope: token.Scope}
		if name == "" {
			name = string(token.Team)
		}
	}
	if name == "" {
		name = string(hosting.DefaultTeam)
	}
	t, err := c.team(name)
	if err != nil || token != nil && token.Team != t.ID {
		return who, nil, hosting.Errorf(hosting.CodeNotFound, "there is no such team")
	}
	who.Team = *t
	return who, token, nil
}

func (c *control) team(idOrSlug string) (*hosting.Team, error) {
	for _, t := range c.teams {
		if t.Slug == idOrSlug || string(t.ID) == idOrSlug {
			return t, nil
		}
	}
	if len(c.teams) == 0 && idOrSlug == string(hosting.DefaultTeam) {
		return &hosting.Team{ID: hosting.DefaultTeam, Slug: "ann"}, nil
	}
	return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such team")
}

// may registers a route that its caller needs a permission for.
func (c *control) may(mux *http.ServeMux, pattern string, p hosting.Permission, h func(r *http.Request, who hosting.Caller) (any, error)) {
	c.handle(mux, pattern, func(r *http.Request) (any, error) {
		who, _, err := c.caller(r)
		if err == nil {
			err = who.May(p)
		}
		if err != nil {
			return nil, err
		}
		return h(r, who)
	})
}

func list[T any](items ...T) client.List[T] {
	if items == nil {
		items = []T{}
	}
	return client.List[T]{Items: items}
}

func body[T any](r *http.Request) (v T, err error) {
	err = json.NewDecoder(r.Body).Decode(&v)
	return v, err
}

func (c *control) peopleRoutes(mux *http.ServeMux) {
	c.handle(mux, "GET /health", func(*http.Request) (any, error) { return client.Health{Status: "ok"}, nil })
	c.handle(mux, "GET /user", c.identity)
	c.handle(mux, "POST /cli/token", c.exchange)
	c.may(mux, "GET /explain", hosting.PermitRead, func(r *http.Request, _ hosting.Caller) (any, error) {
		if r.FormValue("url") != "https://shop.example.com/about" {
			return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such project")
		}
		return hosting.Explanation{
			URL: r.FormValue("url"), Status: 200, Site: "shop", Pointer: "production", Deployment: "dpl_" + hosting.DeploymentID(strings.Repeat("a", 26)),
			File: "about.html", Encoding: "br", Size: 2841, ETag: `"2cf24dba.br"`, Caching: "public, max-age=0, must-revalidate", Layer: "memory",
			Why: []string{"The host shop.example.com is of the site shop.", "It is sent as " + r.FormValue("encodings") + "."},
		}, nil
	})
	c.may(mux, "GET /teams", hosting.PermitKnown, func(_ *http.Request, who hosting.Caller) (any, error) { return list(c.teamsOf(who)...), nil })
	c.may(mux, "POST /teams", hosting.PermitSelf, func(*http.Request, hosting.Caller) (any, error) { return nil, nil })
	c.may(mux, "GET /teams/{team}", hosting.PermitRead, func(_ *http.Request, who hosting.Caller) (any, error) { return who.Team, nil })
	c.may(mux, "DELETE /teams/{team}", hosting.PermitManage, c.deleteTeam)
	c.may(mux, "GET /teams/{team}/usage", hosting.PermitRead, func(*http.Request, hosting.Caller) (any, error) { return c.used, nil })
	c.may(mux, "GET /teams/{team}/audit", hosting.PermitManage, func(r *http.Request, _ hosting.Caller) (any, error) {
		if r.URL.Query().Get("limit") == "20" {
			return client.List[hosting.AuditEntry]{Items: c.entries, Next: "more"}, nil
		}
		return list(c.entries...), nil
	})
	c.may(mux, "GET /teams/{team}/members", hosting.PermitRead, func(_ *http.Request, who hosting.Caller) (any, error) {
		return list(where(c.members, func(m hosting.Member) bool { return m.Team == who.Team.ID })...), nil
	})
	c.may(mux, "PATCH /teams/{team}/members/{user}", hosting.PermitManage, c.setRole)
	c.may(mux, "DELETE /teams/{team}/members/{user}", hosting.PermitManage, func(r *http.Request, who hosting.Caller) (any, error) {
		c.members = where(c.members, func(m hosting.Member) bool { return m.Team != who.Team.ID || string(m.User) != r.PathValue("user") })
		return struct{}{}, nil
	})
	c.may(mux, "GET /teams/{team}/invitations", hosting.PermitManage, func(_ *http.Request, who hosting.Caller) (any, error) {
		return list(where(c.invitations, func(i hosting.Invitation) bool { return i.Team == who.Team.ID })...), nil
	})
	c.may(mux, "POST /teams/{team}/invitations", hosting.PermitManage, c.invite)
	c.may(mux, "DELETE /teams/{team}/invitations/{id}", hosting.PermitManage, func(r *http.Request, _ hosting.Caller) (any, error) {
		c.invitations = where(c.invitations, func(i hosting.Invitation) bool { return string(i.ID) != r.PathValue("id") })
		return struct{}{}, nil
	})
	c.tokenRoutes(mux)
	c.variableRoutes(mux)
	c.operatorRoutes(mux)
}

func where[T any](items []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(items), func(item T) bool { return !keep(item) })
}

func (c *control) identity(r *http.Request) (any, error) {
	who, token, err := c.caller(r)
	if err != nil {
		return nil, err
	}
	id := hosting.Identity{Via: who.Via, Name: who.Name, Team: &who.Team, Role: who.Role, Teams: c.teamsOf(who)}
	if token != nil {
		id.Token = &token.Token
		i := slices.IndexFunc(c.users, func(u *hosting.User) bool { return u.ID == token.User })
		id.User = c.users[i]
	}
	return id, nil
}

func (c *control) teamsOf(who hosting.Caller) []hosting.TeamOf {
	teams := []hosting.TeamOf{}
	for _, m := range c.members {
		if m.User == who.User && (who.Token == "" || m.Team == who.Team.ID) {
			if t, err := c.team(string(m.Team)); err == nil {
				teams = append(teams, hosting.TeamOf{Team: *t, Role: m.Role})
			}
		}
	}
	return teams
}

func (c *control) deleteTeam(_ *http.Request, who hosting.Caller) (any, error) {
	if who.Team.Personal {
		return nil, hosting.Errorf(hosting.CodeConflict, "a person's own team lives as long as the account")
	}
	c.teams = slices.DeleteFunc(c.teams, func(t *hosting.Team) bool { return t.ID == who.Team.ID })
	return hosting.Deletion{What: "team " + who.Team.Slug, At: noon, Gone: []string{"2 members", "1 token"}, Later: []string{"its audit log, after a year"}}, nil
}

func (c *control) setRole(r *http.Request, who hosting.Caller) (any, error) {
	in, err := body[struct{ Role hosting.Role }](r)
	if err != nil {
		return nil, err
	}
	if !in.Role.Valid() {
		return nil, hosting.Errorf(hosting.CodeInvalid, "%q is no role", in.Role)
	}
	for i, m := range c.members {
		if m.Team == who.Team.ID && string(m.User) == r.PathValue("user") {
			c.members[i].Role = in.Role
			return c.members[i], nil
		}
	}
	return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such member")
}

func (c *control) invite(r *http.Request, who hosting.Caller) (any, error) {
	in, err := body[struct {
		Email string
		Role  hosting.Role
	}](r)
	if err != nil {
		return nil, err
	}
	i := hosting.Invitation{ID: "inv_bee", Team: who.Team.ID, Email: in.Email, Role: in.Role, InvitedBy: who.Name, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
	c.invitations = append(c.invitations, i)
	if who.Operator {
		i.Link = "https://fairway.example.com/join?link=linkofinvitation"
	}
	return i, nil
}

func (c *control) tokenRoutes(mux *http.ServeMux) {
	// Tokens neither make nor end tokens; the operator at the socket may.
	mint := func(h func(r *http.Request, who hosting.Caller) (any, error)) func(r *http.Request, who hosting.Caller) (any, error) {
		return func(r *http.Request, who hosting.Caller) (any, error) {
			if who.Via != hosting.ViaSocket {
				return nil, hosting.Errorf(hosting.CodeForbidden, "tokens are made and ended by a signed-in person").WithHint("sign in with a browser")
			}
			return h(r, who)
		}
	}
	c.may(mux, "GET /teams/{team}/tokens", hosting.PermitRead, func(_ *http.Request, who hosting.Caller) (any, error) {
		l := list[hosting.Token]()
		for _, t := range c.tokens {
			if t.Team == who.Team.ID {
				l.Items = append(l.Items, t.Token)
			}
		}
		return l, nil
	})
	c.may(mux, "POST /teams/{team}/tokens", hosting.PermitRead, mint(func(r *http.Request, who hosting.Caller) (any, error) {
		in, err := body[hosting.NewToken](r)
		if err != nil {
			return nil, err
		}
		t := c.addToken(in.Name, in.Scope, "fwy_cisecret", "tok_ci", who.Team.ID)
		if in.Days != 0 {
			t.ExpiresAt = noon.Add(time.Duration(in.Days) * 24 * time.Hour)
		}
		if p, err := c.project(in.Project); err == nil {
			t.Project = p.ID
		}
		c.tokens[len(c.tokens)-1] = t
		return t, nil
	}))
	c.may(mux, "DELETE /teams/{team}/tokens/{id}", hosting.PermitRead, mint(func(r *http.Request, who hosting.Caller) (any, error) {
		left := where(c.tokens, func(t client.TokenSecret) bool { return t.Team != who.Team.ID || string(t.ID) != r.PathValue("id") })
		if len(left) == len(c.tokens) {
			return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such token")
		}
		c.tokens = left
		return struct{}{}, nil
	}))
}

func (c *control) exchange(r *http.Request) (any, error) {
	in, err := body[struct{ Code, Verifier string }](r)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(in.Verifier))
	if in.Code != codeOfLogin || len(in.Verifier) < 43 || c.approved != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return nil, hosting.Errorf(hosting.CodeForbidden, "the code is not known, or over").WithHint("run fairway login again")
	}
	c.approved = "" // once
	return c.addToken("fairway login on desk", hosting.ScopeAdmin, "fwy_desksecret", "tok_desk", "team_shop"), nil
}

func (c *control) variableRoutes(mux *http.ServeMux) {
	c.may(mux, "PUT /projects/{p}/access", hosting.PermitChange, func(r *http.Request, _ hosting.Caller) (any, error) {
		in, err := body[hosting.AccessUpdate](r)
		if err != nil {
			return nil, err
		}
		p, err := c.project(r.PathValue("p"))
		if err != nil {
			return nil, err
		}
		now := hosting.ProjectAccess{Production: hosting.AccessPublic, Previews: hosting.AccessPublic}
		if p.Access != nil {
			now = *p.Access
		}
		for to, change := range map[*hosting.AccessMode]*hosting.AccessChange{&now.Production: in.Production, &now.Previews: in.Previews} {
			if change != nil {
				*to, c.sitePassword = change.Mode, change.Password
			}
		}
		for i := range c.projects {
			if c.projects[i].ID == p.ID {
				c.projects[i].Access = &now
				p = c.projects[i]
			}
		}
		return p, nil
	})
	c.may(mux, "GET /projects/{p}/variables", hosting.PermitChange, func(*http.Request, hosting.Caller) (any, error) { return list(hidden(c.vars)...), nil })
	c.may(mux, "PUT /projects/{p}/variables/{name}", hosting.PermitChange, func(r *http.Request, who hosting.Caller) (any, error) {
		in, err := body[client.SetVariable](r)
		if err != nil {
			return nil, err
		}
		if c.limits > 0 {
			c.limits--
			return nil, hosting.Errorf(hosting.CodeLimited, "too many requests")
		}
		if r.PathValue("name") == c.failVariable {
			return nil, hosting.Errorf(hosting.CodeInvalid, "the name is not taken")
		}
		if in.Targets == nil {
			in.Targets = []hosting.Target{hosting.TargetProduction, hosting.TargetPreview}
		}
		var made []hosting.Variable
		for _, t := range in.Targets {
			v := hosting.Variable{Name: r.PathValue("name"), Target: t, Value: in.Value, Secret: in.Secret, UpdatedAt: noon, UpdatedBy: who.Name}
			c.vars = append(where(c.vars, func(old hosting.Variable) bool { return old.Name != v.Name || old.Target != t }), v)
			made = append(made, v)
		}
		return list(hidden(made)...), nil
	})
	c.may(mux, "DELETE /projects/{p}/variables/{name}", hosting.PermitChange, func(r *http.Request, _ hosting.Caller) (any, error) {
		name, target := r.PathValue("name"), r.URL.Query().Get("target")
		left := where(c.vars, func(v hosting.Variable) bool { return v.Name != name || target != "" && string(v.Target) != target })
		if len(left) == len(c.vars) {
			return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such variable")
		}
		c.vars = left
		return struct{}{}, nil
	})
}

// hidden are variables as the API shows them.
func hidden(vars []hosting.Variable) []hosting.Variable {
	vars = slices.Clone(vars)
	for i := range vars {
		if vars[i].Secret {
			vars[i].Value = ""
		}
	}
	return vars
}

func (c *control) operatorRoutes(mux *http.ServeMux) {
	link := func(path string) client.Link {
		return client.Link{URL: "https://fairway.example.com" + path, ExpiresAt: noon.Add(time.Hour)}
	}
	c.may(mux, "POST /operator/owner-link", hosting.PermitOperate, func(*http.Request, hosting.Caller) (any, error) {
		if c.claimed {
			return nil, hosting.Errorf(hosting.CodeConflict, "this Fairway has an owner")
		}
		return link("/signup?link=linkofowner"), nil
	})
	c.may(mux, "GET /operator/users", hosting.PermitOperate, func(*http.Request, hosting.Caller) (any, error) {
		l := list[hosting.User]()
		for _, u := range c.users {
			l.Items = append(l.Items, *u)
		}
		return l, nil
	})
	c.may(mux, "PATCH /operator/users/{user}", hosting.PermitOperate, func(r *http.Request, _ hosting.Caller) (any, error) {
		in, err := body[struct{ Suspended bool }](r)
		for _, u := range c.users {
			if string(u.ID) == r.PathValue("user") {
				u.Suspended = in.Suspended
				return u, err
			}
		}
		return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such person")
	})
	c.may(mux, "POST /operator/users/{user}/reset-link", hosting.PermitOperate, func(*http.Request, hosting.Caller) (any, error) {
		return link("/reset?link=linkofreset"), nil
	})
	c.may(mux, "POST /operator/invitations/{id}/link", hosting.PermitOperate, func(*http.Request, hosting.Caller) (any, error) {
		return link("/join?link=linkofinvitation"), nil
	})
	c.may(mux, "GET /edges", hosting.PermitOperate, func(*http.Request, hosting.Caller) (any, error) { return list(c.edges...), nil })
	c.may(mux, "POST /edges", hosting.PermitOperate, func(r *http.Request, _ hosting.Caller) (any, error) {
		in, err := body[hosting.NewEdge](r)
		c.edges = append(c.edges, hosting.Edge{Name: in.Name, CreatedAt: noon})
		return hosting.EdgeSecret{Name: in.Name, Secret: "fwe_" + in.Name + "secret"}, err
	})
	c.may(mux, "DELETE /edges/{edge}", hosting.PermitOperate, func(r *http.Request, _ hosting.Caller) (any, error) {
		left := where(c.edges, func(e hosting.Edge) bool { return e.Name != r.PathValue("edge") })
		if len(left) == len(c.edges) {
			return nil, hosting.Errorf(hosting.CodeNotFound, "there is no such edge").WithHint("fairway edges lists them")
		}
		c.edges = left
		return struct{}{}, nil
	})
	c.may(mux, "GET /operator/teams", hosting.PermitOperate, func(*http.Request, hosting.Caller) (any, error) {
		l := list[hosting.Team]()
		for _, t := range c.teams {
			l.Items = append(l.Items, *t)
		}
		return l, nil
	})
	c.may(mux, "PATCH /operator/teams/{id}", hosting.PermitOperate, func(r *http.Request, _ hosting.Caller) (any, error) {
		in, err := body[struct {
			Suspended *bool
			Quotas    *hosting.Quotas
		}](r)
		if err != nil {
			return nil, err
		}
		t, err := c.team(r.PathValue("id"))
		if err == nil && in.Suspended != nil {
			t.Suspended = *in.Suspended
		}
		if err == nil && in.Quotas != nil {
			t.Quotas = *in.Quotas
		}
		return t, err
	})
	c.may(mux, "PATCH /operator/projects/{id}", hosting.PermitOperate, func(r *http.Request, _ hosting.Caller) (any, error) {
		in, err := body[struct{ Suspended bool }](r)
		if err != nil {
			return nil, err
		}
		p, err := c.project(r.PathValue("id"))
		if err == nil {
			c.paused = in.Suspended
		}
		return p, err
	})
}

func (c *control) knows(secret string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.tokens, func(t client.TokenSecret) bool { return t.Secret == secret })
}

// remote serves the same over the network, with tokens, and the page that approves a login.
func (c *control) remote(t *testing.T) *httptest.Server {
	t.Helper()
	api := http.StripPrefix("/api", c.record(c.routes()))
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		// Jobs have tokens of their own, which their routes know.
		open := r.URL.Path == "/api/health" || r.URL.Path == "/api/cli/token" || strings.HasPrefix(r.URL.Path, "/api/jobs/")
		if !open && !c.knows(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
			writeProblem(w, hosting.Errorf(hosting.CodeUnauthenticated, "the token is not known"))
			return
		}
		api.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /cli", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		c.mu.Lock()
		c.approved = q.Get("challenge")
		c.mu.Unlock()
		back := url.Values{"code": {codeOfLogin}, "state": {q.Get("state")}}
		http.Redirect(w, r, "http://127.0.0.1:"+q.Get("port")+"/callback?"+back.Encode(), http.StatusSeeOther)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}
