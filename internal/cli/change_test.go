package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestRollback_PicksThePreviousReadyProductionDeployment(t *testing.T) {
	c := newControl(t)
	history(c)
	p := newPerson(t, c.dir)
	// The third failed and the second is a preview: the first it is.
	r := p.run("rollback", "shop").ok().golden("rollback")
	if !c.deployments[0].Production || r.out != "https://shop.localhost\n" {
		t.Errorf("live is %+v, stdout %q", c.deployments[0], r.out)
	}
	if !strings.Contains(r.err, "fairway promote "+string(c.deployments[3].ID)) {
		t.Errorf("no way back in %q", r.err)
	}
	p.run("rollback", "shop").failed(ExitNotFound, "no ready production deployment before")
	p.run("rollback", "shop", string(c.deployments[3].ID)).ok()
	if !c.deployments[3].Production {
		t.Error("the named deployment is not live")
	}
}

func TestRollback_RefusesWhatCannotBeShown(t *testing.T) {
	c := newControl(t)
	history(c)
	p := newPerson(t, c.dir)
	p.run("rollback", "docs").failed(ExitNotFound, "shows nothing yet")
	p.run("rollback", "docs", string(c.deployments[0].ID)).failed(ExitUsage, "not of project docs")
	p.run("rollback", "none").failed(ExitNotFound, "fairway projects lists them")
	p.run("promote", string(c.deployments[2].ID)).failed(ExitFailed, "is failed")
	p.run("promote", "shop").failed(ExitUsage, "not a deployment's id")
	p.run("promote", "dpl_zzzz").failed(ExitNotFound, "no deployment")
	if !c.deployments[3].Production {
		t.Error("production was changed")
	}
}

func TestCancel_EndsWhatRunsAndNothingElse(t *testing.T) {
	c := newControl(t)
	history(c)
	p := newPerson(t, c.dir)
	p.run("cancel", string(c.deployments[5].ID)).ok().golden("cancel")
	if c.deployments[5].Status != hosting.StatusCanceled {
		t.Errorf("it is %s", c.deployments[5].Status)
	}
	p.run("cancel", string(c.deployments[0].ID)).failed(ExitFailed, "cannot become")
}

func TestRedeploy_FollowsTheNewDeployment(t *testing.T) {
	c := newControl(t)
	history(c)
	r := newPerson(t, c.dir).run("redeploy", string(c.deployments[0].ID)).ok()
	if len(c.deployments) != 7 || r.out != "https://shop.localhost\n" {
		t.Errorf("%d deployments, stdout %q", len(c.deployments), r.out)
	}
}

func TestProjects_AreMadeAndDeletedOnlyWhenMeant(t *testing.T) {
	c := newControl(t)
	p := newPerson(t, c.dir)
	p.run("projects", "create", "Ann's shop", "--git", "https://git.test/ann/shop.git").ok().golden("projects_create")
	if got := c.projects[0]; got.Name != "Ann's shop" || got.GitURL == "" {
		t.Errorf("made %+v", got)
	}
	p.run("projects", "create", "Ann's shop").failed(ExitFailed, "is taken")
	p.run("projects", "create").failed(ExitUsage, "missing an argument", "fairway projects create NAME")
	p.run("projects", "delete", "ann-s-shop").failed(ExitUsage, "for good", "--yes")
	if slices.Contains(c.asked, "DELETE /projects/prj_a") {
		t.Error("deleted without --yes")
	}
	p.run("projects", "delete", "ann-s-shop", "--yes").ok().golden("projects_delete")
	if !slices.Contains(c.asked, "DELETE /projects/prj_a") {
		t.Errorf("asked %v", c.asked)
	}
	p.run("projects", "list").failed(ExitUsage, `"list"`)
}
