package cli

import (
	"math"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestOwnerLink_IsPrintedUntilThereIsAnOwner(t *testing.T) {
	c, p := stocked(t)
	p.run("owner-link").failed(ExitFailed, "has an owner")
	c.claimed = false
	if r := p.run("owner-link").ok().golden("owner_link"); strings.Count(r.out, "\n") != 1 {
		t.Errorf("stdout: %q", r.out)
	}
	signedIn(t, c).run("owner-link").failed(ExitForbidden, "operator")
}

func TestUsers_AreListedSuspendedAndHelped(t *testing.T) {
	c, p := stocked(t)
	p.run("users").ok().golden("users")
	if r := p.run("users", "suspend", "Bo@example.com").ok(); !c.users[1].Suspended || !strings.Contains(r.err, "fairway users resume bo@example.com") {
		t.Errorf("said %q, user %+v", r.err, c.users[1])
	}
	p.run("users", "resume", "usr_bo").ok()
	if c.users[1].Suspended || c.users[0].Suspended {
		t.Errorf("users %+v %+v", c.users[0], c.users[1])
	}
	if r := p.run("users", "reset", "bo@example.com").ok(); r.out != "https://fairway.example.com/reset?link=linkofreset\n" {
		t.Errorf("stdout: %q", r.out)
	}
	p.run("users", "suspend", "nobody@example.com").failed(ExitNotFound, "fairway users")
	p.run("users", "reset", "nobody@example.com").failed(ExitNotFound, "fairway users")
	signedIn(t, c).run("users").failed(ExitForbidden, "operator")
}

func TestEdges_AreListedAddedAndRemoved(t *testing.T) {
	c, p := stocked(t)
	p.run("edges").ok().golden("edges")
	if r := p.run("edges", "add", "ams").ok(); r.out != "fwe_amssecret\n" {
		t.Errorf("stdout: %q", r.out)
	}
	if r := p.run("edges").ok(); !strings.Contains(r.out, "never") {
		t.Errorf("an edge that never reported: %q", r.out)
	}
	if r := p.run("edges", "--json").ok(); !strings.Contains(r.out, `"clockAhead":-48`) && !strings.Contains(r.out, `"clockAhead": -48`) {
		t.Errorf("json: %q", r.out)
	}
	p.run("edges", "remove", "ams").ok()
	p.run("edges", "remove", "ams").failed(ExitNotFound, "fairway edges")
	p.run("edges", "remove", "fra").ok()
	if len(c.edges) != 0 {
		t.Errorf("left: %+v", c.edges)
	}
	if r := p.run("edges").ok(); r.out != "" || !strings.Contains(r.err, "fairway edges add NAME") {
		t.Errorf("no edges: %q %q", r.out, r.err)
	}
	signedIn(t, c).run("edges").failed(ExitForbidden, "operator")
}

func TestSuspend_FindsAProjectOfAnyTeamAndTakesATeamOnlyByItsFlag(t *testing.T) {
	c, p := stocked(t)
	c.projects[0].Team = "team_shop"
	if r := p.run("suspend", "https://shop.localhost").ok(); !c.paused || !strings.Contains(r.err, "fairway resume prj_a") {
		t.Errorf("paused %v, said %q", c.paused, r.err)
	}
	if p.run("resume", "prj_a").ok(); c.paused {
		t.Error("it is still paused")
	}
	p.run("suspend", "none").failed(ExitNotFound, "no team has")
	p.run("suspend", "shop", "--team", "ann").failed(ExitNotFound, "no project")
	p.env["FAIRWAY_TEAM"] = "the-shop"
	p.run("suspend").failed(ExitUsage, "--team")
	if c.teams[1].Suspended {
		t.Fatal("the environment suspended a team")
	}
	if r := p.run("suspend", "--team", "the-shop").ok(); !c.teams[1].Suspended || !strings.Contains(r.err, "fairway resume --team the-shop") {
		t.Errorf("team %+v, said %q", c.teams[1], r.err)
	}
	if p.run("resume", "--team", "team_shop").ok(); c.teams[1].Suspended {
		t.Error("the team is still suspended")
	}
	p.run("suspend", "--team", "none").failed(ExitNotFound, "fairway teams --all")
	signedIn(t, c).run("suspend", "prj_a").failed(ExitForbidden, "operator")
}

func TestQuotas_ChangeWhatIsNamedAndKeepTheRest(t *testing.T) {
	c, p := stocked(t)
	p.run("quotas", "the-shop", "--bytes", "10GB", "--builds", "2").ok().golden("quotas")
	if want := (hosting.Quotas{Projects: 10, Builds: 2, Bytes: 10e9}); c.teams[1].Quotas != want {
		t.Errorf("set %+v, want %+v", c.teams[1].Quotas, want)
	}
	p.run("quotas", "the-shop", "--projects", "0", "--bytes", "0", "--files", "7").ok()
	if want := (hosting.Quotas{Builds: 2, Files: 7}); c.teams[1].Quotas != want {
		t.Errorf("set %+v, want %+v", c.teams[1].Quotas, want)
	}
	c.asked = nil
	p.run("quotas", "the-shop").ok()
	if strings.Contains(strings.Join(c.asked, " "), "PATCH") {
		t.Errorf("a look changed something: %v", c.asked)
	}
	p.run("quotas", "the-shop", "--bytes", "many").failed(ExitUsage, "no size")
	p.run("quotas", "the-shop", "--projects", "-2").failed(ExitUsage, "not below 0")
}

func TestParseSize_KnowsBothKindsOfUnits(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "1024": 1024, "10GB": 10e9, "10 GiB": 10 << 30, "1.5mb": 1500000, "2kib": 2048, "7 B": 7, "1TB": 1e12,
	} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "GB", "-1", "10G", "1e3", "0x10", "NaN", "inf", "99999999TB", "1 0", "１"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d", in, got)
		}
	}
}

func FuzzParseSize_IsNeverNegative(f *testing.F) {
	f.Add("10GB")
	f.Add("9223372036854775807")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseSize(s); err == nil && (n < 0 || n == math.MaxInt64) {
			t.Errorf("parseSize(%q) = %d", s, n)
		}
	})
}
