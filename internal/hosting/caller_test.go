package hosting

import "testing"

// callers are one of each kind that is known, in a team of their own unless they say so.
func callers() map[string]Caller {
	team := Team{ID: "team_a"}
	person := func(role Role) Caller { return Caller{Via: ViaSession, User: "usr_a", Team: team, Role: role} }
	token := func(scope Scope) Caller {
		return Caller{Via: ViaToken, User: "usr_a", Team: team, Role: RoleOwner, Token: "tok_a", Scope: scope}
	}
	ofProject, held, stranger := token(ScopeAdmin), person(RoleOwner), person("")
	ofProject.Project = "prj_a"
	held.Held = "the team is suspended"
	stranger.Team = Team{}
	operator := func(via Via) Caller { return Caller{Via: via, Team: team, Role: RoleOwner, Operator: true} }
	byToken := token(ScopeDeploy)
	byToken.Operator = true
	return map[string]Caller{
		"nobody": {}, "viewer": person(RoleViewer), "developer": person(RoleDeveloper), "owner": person(RoleOwner),
		"no role": person("admin"), "no team": stranger, "held": held,
		"read token": token(ScopeRead), "deploy token": token(ScopeDeploy), "admin token": token(ScopeAdmin),
		"token of one project": ofProject, "token of an unknown scope": token("all"), "operator's deploy token": byToken,
		"socket": operator(ViaSocket), "file": operator(ViaFile),
	}
}

func TestMay_GrantsWhatTheTableSays(t *testing.T) {
	granted := map[Permission][]string{
		PermitNobody:   {},
		Permission(99): {},
		PermitSelf:     {"viewer", "developer", "owner", "no role", "no team", "held"},
		PermitMint:     {"viewer", "developer", "owner", "socket"},
		PermitRead: {
			"viewer", "developer", "owner", "held", "read token", "deploy token", "admin token", "token of one project", "operator's deploy token", "socket", "file",
		},
		PermitDeploy:  {"developer", "owner", "deploy token", "admin token", "token of one project", "operator's deploy token", "socket", "file"},
		PermitChange:  {"developer", "owner", "admin token", "token of one project", "socket", "file"},
		PermitManage:  {"owner", "admin token", "socket", "file"},
		PermitOperate: {"socket", "file"},
	}
	for p, names := range granted {
		want := map[string]bool{}
		for _, name := range names {
			want[name] = true
		}
		for name, c := range callers() {
			err := c.May(p)
			if (err == nil) != want[name] {
				t.Errorf("%d of %s: %v, want granted %v", p, name, err, want[name])
			}
			if code := CodeOf(err); err != nil && (code == CodeUnauthenticated) != (name == "nobody") {
				t.Errorf("%d of %s is refused as %s", p, name, code)
			}
		}
	}
}

func TestMay_KnowsEverybodyButNobody(t *testing.T) {
	for name, c := range callers() {
		if err := c.May(PermitKnown); (err == nil) != (name != "nobody") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSees_HoldsTokensToTheirProject(t *testing.T) {
	all, one := Caller{}, Caller{Project: "prj_a"}
	if !all.Sees("prj_b") || !one.Sees("prj_a") || one.Sees("prj_b") {
		t.Error("a caller sees other projects than it should")
	}
}
