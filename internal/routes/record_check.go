package routes

import (
	"strings"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// The functions below say what is wrong with a record that came from outside, "" where
// nothing is. They refuse what Lookup could not answer from, not what a policy forbids.

func badSite(s *hosting.Site) string {
	if _, name, ok := hosting.ParseSiteHost(s.Name+".d", "d"); !ok || name != s.Name {
		return "no site can have that name"
	}
	switch s.State {
	case hosting.SiteActive, hosting.SiteSuspended, hosting.SiteDeleted:
	default:
		return "it is in no known state"
	}
	if badAccess(s.Production) || badAccess(s.Previews) {
		return "nobody can tell who may see it"
	}
	return badProject(s.Project)
}

func badAccess(a hosting.Access) bool {
	switch a.Mode {
	case "", hosting.AccessPublic, hosting.AccessTeam:
		return a.Hash != ""
	case hosting.AccessPassword:
		return a.Hash == ""
	}
	return true
}

func badPointer(p *hosting.Pointer) string {
	switch {
	case p.Name != hosting.PointerOf(hosting.LabelOf(p.Name)):
		return "no host names that pointer"
	case p.Deployment == "":
		return "it names no deployment"
	case p.Manifest.IsZero():
		return "it names no manifest"
	}
	return badProject(p.Project)
}

func badHost(h *hosting.Host) string {
	if name, ok := hosting.CanonicalHost(h.Name); !ok || name != h.Name {
		return "it is not the canonical name of a host"
	}
	if h.Project == "" && h.Redirect != "" {
		return ""
	}
	return badProject(h.Project)
}

func badProject(id hosting.ProjectID) string {
	if id == "" || len(id) > 64 || strings.ContainsRune(string(id), 0) {
		return "it names no project"
	}
	return ""
}
