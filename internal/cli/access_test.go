package cli

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestAccess_ShowsAndSetsWhoMaySeeASite(t *testing.T) {
	c, p := stocked(t)
	access := func() hosting.ProjectAccess { return *c.projects[0].Access }
	if r := p.run("access", "shop").ok(); strings.Count(r.out, "everybody") != 2 {
		t.Errorf("a new site: %s", r.out)
	}
	p.run("access", "shop", "team", "--previews").ok().golden("access")
	if access() != (hosting.ProjectAccess{Production: "public", Previews: "team"}) {
		t.Errorf("set %+v", access())
	}
	p.stdin = "correct horse\n"
	r := p.run("access", "shop", "password").ok()
	if access() != (hosting.ProjectAccess{Production: "password", Previews: "password"}) || c.sitePassword != "correct horse" {
		t.Errorf("set %+v with the password %q", access(), c.sitePassword)
	}
	if strings.Contains(r.out+r.err, "horse") {
		t.Error("the password is shown")
	}
	p.run("access", "shop", "public", "--production").ok()
	if r := p.run("access", "shop", "--json").ok(); r.out != "{\n  \"production\": \"public\",\n  \"previews\": \"password\"\n}\n" {
		t.Errorf("as JSON: %s", r.out)
	}
	p.run("access", "shop", "members").failed(ExitUsage, "public, password or team")
	for _, stdin := range []string{"\n", "short\n", strings.Repeat("long", 65) + "\n"} {
		p.stdin = stdin
		p.run("access", "shop", "password").failed(ExitUsage, "password")
	}
	p.run("access", "none", "team").failed(ExitNotFound, `no project "none"`)
}
