package deploy

import (
	"fmt"
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// audit notes in the team's audit log what the caller does by this change. What Fairway does
// by itself, such as activation, is not noted.
func (c *change) audit(who hosting.Caller, team hosting.TeamID, e hosting.AuditEntry) error {
	if err := c.s.team(team).Note(c, who, c.s.now(), e); err != nil {
		return fmt.Errorf("note %s: %w", e.Action, err)
	}
	return nil
}

// auditProject notes what the caller does to a project.
func (c *change) auditProject(who hosting.Caller, p hosting.Project, action, detail string) error {
	detail = strings.TrimSuffix(p.Slug+": "+detail, ": ")
	return c.audit(who, p.Team, hosting.AuditEntry{Action: action, Target: string(p.ID), Detail: detail})
}

// auditDeployment notes what the caller does to a deployment of p.
func (c *change) auditDeployment(who hosting.Caller, p hosting.Project, action string, d *hosting.Deployment) error {
	detail := fmt.Sprintf("%s: number %d, %s for %s", p.Slug, d.Order, d.Source.Kind, d.Target)
	return c.audit(who, p.Team, hosting.AuditEntry{Action: action, Target: string(d.ID), Detail: detail})
}

// changedFields names the settings in which two states of a project differ.
func changedFields(a, b hosting.Project) (names []string) {
	for _, f := range []struct{ name, a, b string }{
		{"name", a.Name, b.Name}, {"gitURL", a.GitURL, b.GitURL}, {"productionBranch", a.ProductionBranch, b.ProductionBranch},
		{"rootDir", a.RootDir, b.RootDir}, {"installCommand", a.InstallCommand, b.InstallCommand},
		{"buildCommand", a.BuildCommand, b.BuildCommand}, {"outputDir", a.OutputDir, b.OutputDir}, {"nodeVersion", a.NodeVersion, b.NodeVersion},
	} {
		if f.a != f.b {
			names = append(names, f.name)
		}
	}
	return names
}
