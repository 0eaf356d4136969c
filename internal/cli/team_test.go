package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/client"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// stocked is a fake control plane with people and projects, and a person at its socket.
func stocked(t *testing.T) (*control, *person) {
	t.Helper()
	c := newControl(t)
	c.settle()
	history(c)
	return c, newPerson(t, c.dir)
}

// signedIn is the same person elsewhere, signed in with the token of the team.
func signedIn(t *testing.T, c *control) *person {
	t.Helper()
	at := c.remote(t)
	p := newStranger(t)
	p.stdin = laptopSecret
	p.run("login", "--url", at.URL, "--token").ok()
	p.stdin = ""
	return p
}

func TestTeams_AreListedMadeAndDeletedOnlyWhenMeant(t *testing.T) {
	c, p := stocked(t)
	p.run("teams", "--all").ok().golden("teams_all")
	ann := signedIn(t, c)
	ann.run("teams").ok().golden("teams")
	ann.run("teams", "create", "New").failed(ExitForbidden, "signed-in person", "browser")
	ann.run("teams", "--all").failed(ExitForbidden, "operator")
	if r := p.run("teams").ok(); !strings.Contains(r.err, "--all") {
		t.Errorf("the operator is told %q", r.err)
	}
	p.run("teams", "delete", "the-shop").failed(ExitUsage, "for good", "--yes")
	p.run("teams", "delete", "none", "--yes").failed(ExitNotFound, "fairway teams")
	p.run("teams", "delete", "ann", "--yes").failed(ExitFailed, "own team")
	p.run("teams", "delete", "the-shop", "--yes").ok().golden("teams_delete")
	if len(c.teams) != 1 {
		t.Errorf("left are %d teams", len(c.teams))
	}
}

func TestMembers_AreInvitedChangedAndRemoved(t *testing.T) {
	c, p := stocked(t)
	p.env["FAIRWAY_TEAM"] = "the-shop"
	p.run("members", "invite", "bee@example.com", "--role", "viewer").ok().golden("members_invite")
	p.run("members").ok().golden("members")
	ann := signedIn(t, c)
	if r := ann.run("members", "invite", "cee@example.com").ok(); r.out != "" || !strings.Contains(r.err, "as developer") {
		t.Errorf("who is no operator sees %q and %q", r.out, r.err)
	}
	if r := p.run("members", "role", "BO@example.com", "owner").ok(); r.err != "bo@example.com is owner now, and was viewer.\n" {
		t.Errorf("said %q", r.err)
	}
	p.run("members", "role", "usr_bo", "king").failed(ExitUsage, "no role")
	p.run("members", "role", "nobody@example.com", "owner").failed(ExitNotFound, "not in the team")
	p.run("members", "remove", "nobody@example.com").failed(ExitNotFound, "not in the team")
	p.run("members", "remove", "bee@example.com").ok()
	if slices.ContainsFunc(c.invitations, func(i hosting.Invitation) bool { return i.Email == "bee@example.com" }) || len(c.members) != 3 {
		t.Errorf("left are %v and %v", c.invitations, c.members)
	}
	p.run("members", "remove", "usr_bo").ok()
	if len(c.members) != 2 {
		t.Errorf("left are %v", c.members)
	}
	if r := p.run("members", "link", "inv_bee").ok(); r.out != "https://fairway.example.com/join?link=linkofinvitation\n" {
		t.Errorf("the link is printed as %q", r.out)
	}
	ann.run("members", "link", "inv_bee").failed(ExitForbidden, "operator")
}

// A viewer, or a token that only reads, sees members and not whom owners invited.
func TestMembers_AreListedToThoseWhoSeeNoInvitations(t *testing.T) {
	c, _ := stocked(t)
	ann := signedIn(t, c)
	c.tokens[0].Scope = hosting.ScopeRead
	if r := ann.run("members").ok(); !strings.Contains(r.out, "bo@example.com") {
		t.Errorf("printed %q", r.out)
	}
	ann.run("audit").failed(ExitForbidden, "scope")
}

func TestTokens_ShowTheirSecretOnceAndAlone(t *testing.T) {
	c, p := stocked(t)
	p.env["FAIRWAY_TEAM"] = "the-shop"
	r := p.run("tokens", "create", "ci", "--project", "shop", "--days", "30").ok().golden("tokens_create")
	if r.out != "fwy_cisecret\n" {
		t.Errorf("stdout: %q", r.out)
	}
	r = p.run("tokens").ok().golden("tokens")
	if strings.Contains(r.out+p.run("tokens", "--json").ok().out, "fwy_") {
		t.Error("a list shows a token")
	}
	ann := signedIn(t, c)
	ann.run("tokens", "create", "more").failed(ExitForbidden, "signed-in person")
	ann.run("tokens", "revoke", "tok_ci").failed(ExitForbidden, "signed-in person")
	p.run("tokens", "revoke", "tok_ci").ok()
	p.run("tokens", "revoke", "tok_ci").failed(ExitNotFound, "no such token")
	// Whoever gives the token itself does not find it in a log.
	r = p.run("tokens", "revoke", "fwy_hunter2")
	r.failed(ExitUsage, "not a token's id")
	if strings.Contains(r.err, "hunter2") {
		t.Errorf("said %q", r.err)
	}
	p.run("tokens", "revoke", "tok_laptop").ok()
	if r := p.run("tokens").ok(); !strings.Contains(r.err, "No tokens yet") {
		t.Errorf("said %q", r.err)
	}
}

func TestUsageAndAudit_AreTables(t *testing.T) {
	_, p := stocked(t)
	p.run("usage", "--team", "the-shop").ok().golden("usage")
	p.run("audit").ok().golden("audit")
	if r := p.run("audit", "--all").ok(); strings.Contains(r.err, "more") {
		t.Errorf("all of it says %q", r.err)
	}
}

func TestWhoami_SaysByWhatOneIsKnown(t *testing.T) {
	c, p := stocked(t)
	if r := p.run("whoami").ok(); r.out != "operator\n" || !strings.Contains(r.err, "admin.sock") {
		t.Errorf("at the socket: %q, %q", r.out, r.err)
	}
	ann := signedIn(t, c)
	r := ann.run("whoami").ok()
	if r.out != "ann@example.com\n" || !strings.Contains(r.err, "scope admin, ends on 2026-06-11") {
		t.Errorf("by a token: %q, %q", r.out, r.err)
	}
	if j := ann.run("whoami", "--json").ok(); strings.Contains(j.out+r.err, "fwy_") {
		t.Errorf("the token is shown: %s", j.out)
	}
}

func TestPeople_JSONIsOneDocument(t *testing.T) {
	c, p := stocked(t)
	c.invitations = []hosting.Invitation{{ID: "inv_bee", Team: "team_shop", Email: "bee@example.com"}}
	p.env["FAIRWAY_TEAM"] = "the-shop"
	decoded := func(to any, args ...string) {
		t.Helper()
		decode(t, p.run(append(args, "--json")...).ok(), to)
	}
	var members memberList
	decoded(&members, "members")
	var teams client.List[hosting.Team]
	decoded(&teams, "teams", "--all")
	var mine client.List[hosting.TeamOf]
	decoded(&mine, "teams")
	var users client.List[hosting.User]
	decoded(&users, "users")
	var tokens client.List[hosting.Token]
	decoded(&tokens, "tokens")
	var made client.TokenSecret
	decoded(&made, "tokens", "create", "ci")
	var usage hosting.Usage
	decoded(&usage, "usage")
	var audit client.List[hosting.AuditEntry]
	decoded(&audit, "audit")
	var who hosting.Identity
	decoded(&who, "whoami")
	if len(members.Items) != 2 || len(members.Invitations) != 1 || len(teams.Items) != 2 || mine.Items == nil || len(users.Items) != 2 ||
		len(tokens.Items) != 1 || made.Secret == "" || usage.Projects != 2 || len(audit.Items) != 2 || who.Via != hosting.ViaSocket {
		t.Errorf("decoded %+v %+v %+v %+v %+v %+v %+v %+v", members, teams, users, tokens, made, usage, audit, who)
	}
	var member hosting.Member
	decoded(&member, "members", "role", "usr_bo", "owner")
	var removed map[string]string
	decoded(&removed, "members", "remove", "usr_bo")
	var invitation hosting.Invitation
	decoded(&invitation, "members", "invite", "x@example.com")
	var link client.Link
	decoded(&link, "members", "link", "inv_bee")
	var ended map[string]string
	decoded(&ended, "tokens", "revoke", "tok_ci")
	var user hosting.User
	decoded(&user, "users", "suspend", "usr_bo")
	var team hosting.Team
	decoded(&team, "suspend", "--team", "the-shop")
	var quotas hosting.Team
	decoded(&quotas, "quotas", "the-shop")
	var gone hosting.Deletion
	decoded(&gone, "teams", "delete", "the-shop", "--yes")
	if member.Role != hosting.RoleOwner || removed["removed"] != "usr_bo" || invitation.ID == "" || link.URL == "" || ended["revoked"] != "tok_ci" ||
		!user.Suspended || !team.Suspended || quotas.Quotas.Projects != 10 || len(gone.Gone) != 2 {
		t.Errorf("decoded %+v %+v %+v %+v %+v %+v %+v %+v %+v", member, removed, invitation, link, ended, user, team, quotas, gone)
	}
}
