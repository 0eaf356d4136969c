package client

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// asked notes one request as "METHOD path?query body".
func asked(t *testing.T, o Options) (*Client, func() string) {
	t.Helper()
	var last string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last = r.Method + " " + r.URL.RequestURI()
		if len(body) > 0 {
			last += " " + string(body)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(s.Close)
	o.Base = s.URL
	return newClient(t, o), func() string { return last }
}

// route is a method of the client and what it has to ask for.
type route struct {
	want string
	call func(ctx context.Context, c *Client) error
}

func only[T any](_ T, err error) error { return err }

var routes = []route{
	{"GET /explain?encodings=br&team=mine&url=https%3A%2F%2Fa.test%2F", func(ctx context.Context, c *Client) error {
		return only(c.Explain(ctx, "https://a.test/", "br"))
	}},
	{"GET /user?team=mine", func(ctx context.Context, c *Client) error { return only(c.Identity(ctx)) }},
	{`POST /cli/token {"code":"c","verifier":"v"}`, func(ctx context.Context, c *Client) error { return only(c.Exchange(ctx, "c", "v")) }},
	{"GET /teams?team=mine", func(ctx context.Context, c *Client) error { return only(c.ListTeams(ctx)) }},
	{`POST /teams?team=mine {"name":"A","slug":"a"}`, func(ctx context.Context, c *Client) error { return only(c.CreateTeam(ctx, NewTeam{"A", "a"})) }},
	{"GET /teams/a", func(ctx context.Context, c *Client) error { return only(c.FindTeam(ctx, "a")) }},
	{`PATCH /teams/a {"name":"B"}`, func(ctx context.Context, c *Client) error { return only(c.UpdateTeam(ctx, "a", "B")) }},
	{"DELETE /teams/a", func(ctx context.Context, c *Client) error { return only(c.DeleteTeam(ctx, "a")) }},
	{"GET /teams/a/usage", func(ctx context.Context, c *Client) error { return only(c.Usage(ctx, "a")) }},
	{"GET /teams/a/audit?after=x&limit=5", func(ctx context.Context, c *Client) error { return only(c.ListAudit(ctx, "a", Page{"x", 5})) }},
	{"GET /teams/a/members?limit=5", func(ctx context.Context, c *Client) error { return only(c.ListMembers(ctx, "a", Page{"", 5})) }},
	{`PATCH /teams/a/members/usr_b {"role":"owner"}`, func(ctx context.Context, c *Client) error {
		return only(c.SetRole(ctx, "a", "usr_b", hosting.RoleOwner))
	}},
	{"DELETE /teams/a/members/usr_b", func(ctx context.Context, c *Client) error { return c.RemoveMember(ctx, "a", "usr_b") }},
	{"POST /teams/a/leave", func(ctx context.Context, c *Client) error { return c.Leave(ctx, "a") }},
	{`POST /teams/a/invitations {"email":"b@c","role":"viewer"}`, func(ctx context.Context, c *Client) error {
		return only(c.Invite(ctx, "a", "b@c", hosting.RoleViewer))
	}},
	{"GET /teams/a/invitations", func(ctx context.Context, c *Client) error { return only(c.ListInvitations(ctx, "a", Page{})) }},
	{"DELETE /teams/a/invitations/inv_b", func(ctx context.Context, c *Client) error { return c.WithdrawInvitation(ctx, "a", "inv_b") }},
	{"GET /teams/a/tokens", func(ctx context.Context, c *Client) error { return only(c.ListTokens(ctx, "a", Page{})) }},
	{`POST /teams/a/tokens {"name":"n","scope":"read","days":7}`, func(ctx context.Context, c *Client) error {
		return only(c.CreateToken(ctx, "a", hosting.NewToken{Name: "n", Scope: hosting.ScopeRead, Days: 7}))
	}},
	{"DELETE /teams/a/tokens/tok_b", func(ctx context.Context, c *Client) error { return c.RevokeToken(ctx, "a", "tok_b") }},
	{"GET /projects/p/variables?team=mine", func(ctx context.Context, c *Client) error { return only(c.ListVariables(ctx, "p")) }},
	{`PUT /projects/p/variables/A?team=mine {"value":"v","targets":["preview"],"secret":true}`, func(ctx context.Context, c *Client) error {
		return only(c.SetVariable(ctx, "p", "A", SetVariable{"v", []hosting.Target{hosting.TargetPreview}, true}))
	}},
	{"DELETE /projects/p/variables/A?target=preview&team=mine", func(ctx context.Context, c *Client) error {
		return c.DeleteVariable(ctx, "p", "A", hosting.TargetPreview)
	}},
	{"DELETE /projects/p/variables/A?team=mine", func(ctx context.Context, c *Client) error { return c.DeleteVariable(ctx, "p", "A", "") }},
	{`PUT /projects/p/access?team=mine {"previews":{"mode":"team"}}`, func(ctx context.Context, c *Client) error {
		return only(c.SetAccess(ctx, "p", hosting.AccessUpdate{Previews: &hosting.AccessChange{Mode: hosting.AccessTeam}}))
	}},
	{"DELETE /projects/p?team=mine", func(ctx context.Context, c *Client) error { return only(c.DeleteProject(ctx, "p")) }},
	{"GET /projects?limit=2&team=mine", func(ctx context.Context, c *Client) error { return only(c.ListProjects(ctx, Page{"", 2})) }},
	{"GET /deployments/dpl_a/logs?after=0&limit=5&q=a+b&step=building&stream=err&team=mine", func(ctx context.Context, c *Client) error {
		return only(c.QueryLog(ctx, "dpl_a", LogFilter{"err", hosting.PhaseBuilding, "a b"}, 0, 5))
	}},
	{"GET /projects/p/logs?after=x&limit=5&q=a&since=2026-01-02T03%3A04%3A05Z&team=mine", func(ctx context.Context, c *Client) error {
		since := time.Date(2026, 1, 2, 4, 4, 5, 0, time.FixedZone("", 3600))
		return only(c.SearchLogs(ctx, "p", LogSearch{LogFilter{Text: "a"}, since}, Page{"x", 5}))
	}},
	{"POST /operator/owner-link?team=mine", func(ctx context.Context, c *Client) error { return only(c.OwnerLink(ctx)) }},
	{"GET /operator/users?team=mine", func(ctx context.Context, c *Client) error { return only(c.ListUsers(ctx, Page{})) }},
	{`PATCH /operator/users/usr_b?team=mine {"suspended":true}`, func(ctx context.Context, c *Client) error { return only(c.SuspendUser(ctx, "usr_b", true)) }},
	{"POST /operator/users/usr_b/reset-link?team=mine", func(ctx context.Context, c *Client) error { return only(c.ResetLink(ctx, "usr_b")) }},
	{"POST /operator/invitations/inv_b/link?team=mine", func(ctx context.Context, c *Client) error { return only(c.InvitationLink(ctx, "inv_b")) }},
	{"GET /operator/teams?after=x&team=mine", func(ctx context.Context, c *Client) error { return only(c.ListAllTeams(ctx, Page{"x", 0})) }},
	{`PATCH /operator/teams/team_b?team=mine {"suspended":false}`, func(ctx context.Context, c *Client) error { return only(c.SuspendTeam(ctx, "team_b", false)) }},
	{`PATCH /operator/teams/team_b?team=mine {"quotas":{"projects":3}}`, func(ctx context.Context, c *Client) error {
		return only(c.SetQuotas(ctx, "team_b", hosting.Quotas{Projects: 3}))
	}},
	{`PATCH /operator/projects/prj_b?team=mine {"suspended":true}`, func(ctx context.Context, c *Client) error {
		return only(c.SuspendProject(ctx, "prj_b", true))
	}},
	{"GET /edges?after=x&team=mine", func(ctx context.Context, c *Client) error { return only(c.ListEdges(ctx, Page{"x", 0})) }},
	{`POST /edges?team=mine {"name":"fra"}`, func(ctx context.Context, c *Client) error { return only(c.AddEdge(ctx, "fra")) }},
	{"DELETE /edges/fra?team=mine", func(ctx context.Context, c *Client) error { return c.RemoveEdge(ctx, "fra") }},
	{"POST /jobs/dpl_a/heartbeat {}", func(ctx context.Context, c *Client) error {
		return c.Job("dpl_a", "t").Heartbeat(ctx, hosting.Heartbeat{})
	}},
}

func TestClient_AsksEachRouteInTheTeamThatItNames(t *testing.T) {
	c, last := asked(t, Options{Team: "mine"})
	for _, r := range routes {
		if err := r.call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", r.want, err)
		}
		if got := last(); got != r.want {
			t.Errorf("asked\n%s, want\n%s", got, r.want)
		}
	}
}

func TestClient_NamesNoTeamUnlessItIsGivenOne(t *testing.T) {
	c, last := asked(t, Options{})
	if _, err := c.ListProjects(t.Context(), Page{}); err != nil || last() != "GET /projects" {
		t.Errorf("asked %s: %v", last(), err)
	}
	if _, err := c.In("other").ListProjects(t.Context(), Page{}); err != nil || last() != "GET /projects?team=other" {
		t.Errorf("in another team asked %s: %v", last(), err)
	}
	if _, err := c.Usage(t.Context(), ""); !hosting.Is(err, hosting.CodeNotFound) {
		t.Errorf("a team without a name: %v", err)
	}
}
