package controlapi

import (
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/scale-mesh/fairway/internal/account"
	"github.com/scale-mesh/fairway/internal/deploy"
	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
)

// What the examples tell of: Ann, her team, its shop, and a deployment of it.
const (
	exampleUser       hosting.UserID       = "usr_k3v7pq2mzx5nwd4hbt6yrc8fsa"
	exampleTeam       hosting.TeamID       = "team_m5xn2kq7vzp3wd4hbt6yrcjfsa"
	exampleProject    hosting.ProjectID    = "prj_q7vzp3wd4hbt6yrcjfsam5xn2k"
	exampleDeployment hosting.DeploymentID = "dpl_wd4hbt6yrcjfsam5xn2kq7vzp3"
	exampleSecret                          = "the-secret-of-the-link"
)

var (
	exampleTime   = time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)
	exampleDigest = hosting.DigestOf([]byte("hello"))
)

// addExamples gives an operation's JSON bodies the example of their type.
func addExamples(op *huma.Operation) {
	all := examples()
	fill := func(content map[string]*huma.MediaType) {
		for kind, m := range content {
			if m.Schema == nil || m.Example != nil {
				continue
			}
			if name, ok := strings.CutPrefix(m.Schema.Ref, "#/components/schemas/"); ok {
				m.Example = all[name]
			}
			if kind == "text/event-stream" {
				m.Example = "retry: 1000\n\nid: 1\nevent: log\ndata: {\"n\":1,\"t\":1764149400000,\"s\":\"out\",\"x\":\"npm run build\"}\n\nevent: end\ndata: {}\n\n"
			}
		}
	}
	if op.RequestBody != nil {
		fill(op.RequestBody.Content)
	}
	for status, r := range op.Responses {
		if status != "default" {
			fill(r.Content)
		}
	}
}

// examples are one of each schema that a body has, by the schema's name.
func examples() map[string]any {
	all := map[string]any{}
	for _, some := range []map[string]any{exampleInputs(), examplePeople(), exampleSites(), exampleJobs(), exampleEdges()} {
		for name, v := range some {
			all[name] = v
		}
	}
	return all
}

func exampleInputs() map[string]any {
	yes, command := true, "npm run build"
	return map[string]any{
		"AccessUpdate": hosting.AccessUpdate{
			Production: &hosting.AccessChange{Mode: hosting.AccessPublic}, Previews: &hosting.AccessChange{Mode: hosting.AccessPassword, Password: "correct horse battery"},
		},
		"Address":        Address{Email: "ann@example.com"},
		"Confirmation":   Confirmation{Password: "correct horse battery staple"},
		"Exchange":       Exchange{Code: "the-code-of-the-callback", Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		"LinkSecret":     LinkSecret{Link: exampleSecret},
		"Login":          Login{Email: "ann@example.com", Password: "correct horse battery staple"},
		"NewDeployment":  hosting.NewDeployment{Project: "shop", Ref: "main"},
		"NewInvitation":  NewInvitation{Email: "ben@example.com", Role: hosting.RoleDeveloper},
		"NewProject":     hosting.NewProject{Name: "Shop", GitURL: "https://git.example.com/ann/shop.git"},
		"NewTeam":        account.NewTeam{Name: "Outfitters"},
		"NewToken":       hosting.NewToken{Name: "CI of the shop", Scope: hosting.ScopeDeploy, Project: "shop", Days: 30},
		"PasswordChange": PasswordChange{Current: "correct horse battery staple", New: "another long sentence of mine"},
		"PasswordReset":  PasswordReset{Link: exampleSecret, Password: "another long sentence of mine"},
		"ProjectUpdate":  hosting.ProjectUpdate{BuildCommand: &command},
		"RoleUpdate":     RoleUpdate{Role: hosting.RoleOwner},
		"SetVariable":    deploy.SetVariable{Value: "pk_live_1234567890", Targets: []hosting.Target{hosting.TargetProduction}, Secret: true},
		"SignUp":         account.SignUp{Email: "ann@example.com", Name: "Ann", Password: "correct horse battery staple", Link: exampleSecret},
		"Suspension":     Suspension{Suspended: true},
		"TeamLimits":     TeamLimits{Suspended: &yes, Quotas: &hosting.Quotas{Projects: 10, Builds: 2}},
		"TeamUpdate":     TeamUpdate{Name: "Outfitters and Sons"},
		"UserUpdate":     UserUpdate{Name: "Ann of the Shop"},
		"MissingRequest": hosting.MissingRequest{Blobs: []hosting.BlobRef{{Digest: exampleDigest, Size: 5}}, Files: []hosting.Digest{exampleDigest}},
		"Heartbeat":      hosting.Heartbeat{Phase: hosting.PhaseBuilding, Commit: "8f3a1c0", Message: "shop: a new front page", Author: "Ann"},
		"LogBatch":       hosting.LogBatch{First: 1, Lines: []hosting.LogLine{exampleLine()}},
		"Finish":         hosting.Finish{Inventory: &hosting.Inventory{Files: []hosting.File{exampleFile()}, Framework: "vite"}},
		"ListTeamOf":     listOf(hosting.TeamOf{Team: exampleTeamOf(), Role: hosting.RoleOwner}),
		"ListTeam":       listOf(exampleTeamOf()),
		"ListProject":    listOf(exampleProjectOf()),
		"ListDeployment": listOf(exampleDeploymentOf()),
		"ListVariable":   listOf(hosting.Variable{Name: "API_KEY", Target: hosting.TargetProduction, Secret: true, UpdatedAt: exampleTime, UpdatedBy: "Ann"}),
		"ListUser":       listOf(exampleUserOf()),
		"ListMember":     listOf(exampleMember()),
		"ListToken":      listOf(exampleToken()),
		"ListSession":    listOf(exampleSession()),
		"ListInvitation": listOf(exampleInvitation()),
		"ListAuditEntry": listOf(exampleEntry()),
		"ListLogMatch":   listOf(hosting.LogMatch{Deployment: exampleDeployment, Line: exampleLine()}),
	}
}

func listOf[T any](v T) state.List[T] { return state.List[T]{Items: []T{v}} }

func examplePeople() map[string]any {
	user, team := exampleUserOf(), exampleTeamOf()
	of := hosting.TeamOf{Team: team, Role: hosting.RoleOwner}
	return map[string]any{
		"AuthOptions": AuthOptions{Owner: true, SignUp: account.SignupInvite, Providers: []AuthProvider{{Name: "github", Title: "GitHub", URL: "/auth/github"}}},
		"Deletion": hosting.Deletion{
			What: "project shop", Gone: []string{"its site"}, Later: []string{"its deployments and their files, within an hour"}, At: exampleTime,
		},
		"Explanation": exampleExplanation(),
		"Identity":    hosting.Identity{Via: hosting.ViaSession, Name: user.Name, User: &user, Team: &team, Role: hosting.RoleOwner, Teams: []hosting.TeamOf{of}},
		"Invitation":  exampleInvitation(),
		"Link":        account.Link{URL: "https://fairway.example.com/reset?link=" + exampleSecret, ExpiresAt: exampleTime.Add(time.Hour)},
		"Member":      exampleMember(),
		"Team":        team,
		"TeamOf":      of,
		"TokenSecret": account.TokenSecret{Token: exampleToken(), Secret: "fwy_shown-this-once"},
		"Usage": hosting.Usage{
			Projects: 3, Builds: 1, Bytes: 48_213_004, Measured: exampleTime, Quotas: hosting.Quotas{Projects: 10, Builds: 2, Bytes: 10 << 30, Files: 100_000},
		},
		"User": user,
	}
}

const exampleEdgeName = "fra-1"

func exampleEdges() map[string]any {
	mark := hosting.Mark{Epoch: 1795423390651, Seq: 4211}
	did := hosting.Traffic{Requests: 61_204, Bytes: 912_441_008, Failures: 2, Hits: 60_917, Misses: 98, Fetched: 4_118_220}
	return map[string]any{
		"EdgeReport": hosting.EdgeReport{
			Form: hosting.EdgeForm, Node: "the-name-in-its-data-folder", Host: "edge-0", Release: "1.0.0", Mark: mark, Clock: exampleTime, Held: 1 << 30,
			Batch: hosting.EdgeBatch{Boot: "the-name-of-its-process", Number: 17, Counts: []hosting.EdgeCounts{{
				From: exampleTime.Add(-time.Minute), To: exampleTime, Traffic: did,
				Projects: []hosting.ProjectTraffic{{Project: exampleProject, Requests: 58_020, Bytes: 900_004_112}},
			}}},
		},
		"EdgeSecret": hosting.EdgeSecret{Name: exampleEdgeName, Secret: "fwe_shown-this-once"},
		"ListEdge": listOf(hosting.Edge{Name: exampleEdgeName, CreatedAt: exampleTime, Total: did, Processes: []hosting.EdgeProcess{{
			Node: "the-name-in-its-data-folder", Host: "edge-0", Release: "1.0.0", Mark: mark, Lag: hosting.Lag{Changes: 2, Seconds: 1},
			Held: 1 << 30, Traffic: did, ReportedAt: exampleTime,
		}}}),
		"NewEdge": hosting.NewEdge{Name: exampleEdgeName},
	}
}

func exampleExplanation() hosting.Explanation {
	return hosting.Explanation{
		URL: "https://shop.example.com/about", Status: 200, Host: "shop.example.com", Site: "shop", Project: exampleProject,
		Pointer: hosting.PointerProduction, Deployment: exampleDeployment, Path: "/about", File: "about.html", Encoding: "br", Size: 2841,
		ETag: `"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824.br"`, Caching: "public, max-age=0, must-revalidate", Layer: "memory",
		Why: []string{"The host shop.example.com is of the site shop, whose pointer production shows " + string(exampleDeployment) + ".", "It is sent as br, which the deployment holds."},
	}
}

func exampleUserOf() hosting.User {
	return hosting.User{
		ID: exampleUser, Email: "ann@example.com", Name: "Ann", Confirmed: true, Team: exampleTeam, CreatedAt: exampleTime, LastSeenAt: exampleTime,
	}
}

func exampleTeamOf() hosting.Team {
	return hosting.Team{ID: exampleTeam, Slug: "outfitters", Name: "Outfitters", CreatedAt: exampleTime}
}

func exampleMember() hosting.Member {
	return hosting.Member{
		Membership: hosting.Membership{Team: exampleTeam, User: exampleUser, Role: hosting.RoleOwner, JoinedAt: exampleTime}, Name: "Ann", Email: "ann@example.com",
	}
}

func exampleInvitation() hosting.Invitation {
	return hosting.Invitation{
		ID: "inv_d4hbt6yrcjfsam5xn2kq7vzp3w", Team: exampleTeam, Email: "ben@example.com", Role: hosting.RoleDeveloper, InvitedBy: "Ann",
		CreatedAt: exampleTime, ExpiresAt: exampleTime.Add(time.Hour),
	}
}

func exampleToken() hosting.Token {
	return hosting.Token{
		ID: "tok_bt6yrcjfsam5xn2kq7vzp3wd4h", Team: exampleTeam, User: exampleUser, Name: "CI of the shop", Scope: hosting.ScopeDeploy, Project: exampleProject,
		CreatedAt: exampleTime, ExpiresAt: exampleTime.AddDate(0, 0, 30),
	}
}

func exampleSession() hosting.Session {
	return hosting.Session{
		ID: "ses_yrcjfsam5xn2kq7vzp3wd4hbt6", CreatedAt: exampleTime, LastSeenAt: exampleTime, ExpiresAt: exampleTime.AddDate(0, 0, 14),
		Addr: "203.0.113.7", Agent: "Mozilla/5.0 (X11; Linux x86_64)", Current: true,
	}
}

func exampleEntry() hosting.AuditEntry {
	return hosting.AuditEntry{
		ID: "aud_cjfsam5xn2kq7vzp3wd4hbt6yr", At: exampleTime, User: exampleUser, Name: "Ann", Via: hosting.ViaSession, Addr: "203.0.113.7",
		Action: "project.delete", Target: "shop",
	}
}

func exampleSites() map[string]any {
	d := exampleDeploymentOf()
	return map[string]any{
		"DeployAnswer": DeployAnswer{ID: d.ID, Status: hosting.StatusQueued, URL: "https://shop.example.net", Deployment: d},
		"Deployment":   d,
		"Health":       Health{Status: "ok", Version: "1.0.0", Checks: map[string]string{"state": "ok", "objects": "ok"}},
		"LogPage":      LogPage{Lines: []hosting.LogLine{exampleLine()}, Next: 1},
		"Project":      exampleProjectOf(),
	}
}

func exampleProjectOf() hosting.Project {
	return hosting.Project{
		ID: exampleProject, Team: exampleTeam, Name: "Shop", Slug: "shop", URL: "https://shop.example.net", GitURL: "https://git.example.com/ann/shop.git",
		CustomDomains: []string{}, CreatedBy: "Ann", CreatedAt: exampleTime, UpdatedAt: exampleTime, LastOrder: 1,
	}
}

func exampleDeploymentOf() hosting.Deployment {
	return hosting.Deployment{
		ID: exampleDeployment, Project: exampleProject, Team: exampleTeam, SiteURL: "https://shop.example.net", Target: hosting.TargetProduction,
		Source: hosting.Source{Kind: hosting.SourceGit, URL: "https://git.example.com/ann/shop.git", Ref: "main"},
		Status: hosting.StatusQueued, Order: 1, CreatedBy: "Ann", CreatedAt: exampleTime, Revision: 1,
	}
}

func exampleLine() hosting.LogLine {
	return hosting.LogLine{N: 1, At: exampleTime.UnixMilli(), Stream: "out", Step: hosting.PhaseBuilding, Text: "npm run build"}
}

func exampleFile() hosting.File {
	ref := hosting.BlobRef{Digest: exampleDigest, Size: 5}
	return hosting.File{
		Path: "index.html", Digest: exampleDigest, Size: 5, Forms: []hosting.Form{{Encoding: hosting.EncodingIdentity, Size: 5, Parts: []hosting.BlobRef{ref}}},
	}
}

func exampleJobs() map[string]any {
	return map[string]any{
		"Job": hosting.Job{
			Deployment: exampleDeployment, Project: exampleProject, Attempt: 1, Limits: hosting.DefaultLimits(), LogNext: 1, Deadline: exampleTime.Add(45 * time.Minute),
			Source: hosting.Source{Kind: hosting.SourceGit, URL: "https://git.example.com/ann/shop.git", Ref: "main"},
		},
		"LogAck":        hosting.LogAck{Next: 2},
		"MissingAnswer": hosting.MissingAnswer{Missing: []hosting.BlobUpload{{Digest: exampleDigest}}},
	}
}
