package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// mutant is one authorization check taken away: in a copy of the file, old becomes new.
type mutant struct{ file, old, new string }

func (m mutant) String() string {
	return m.file + ": " + strings.Join(strings.Fields(m.old), " ") + " -> " + strings.Join(strings.Fields(m.new), " ")
}

// claimAccessMatrix is people.1: every route for every caller, by the table written by hand, and
// that it notices each check that is taken away. It needs no process, so it stands beside the
// routes.
func claimAccessMatrix(c *C) {
	goTest(c, "./controlapi", "TestAccess_IsWhatTheTableSays", "TestAccess_ALoweredPermissionIsNoticed")
	c.Rand.Shuffle(len(mutants), func(i, j int) { mutants[i], mutants[j] = mutants[j], mutants[i] })
	c.Figure("%d of %d checks taken away in turn, each noticed", runMutants(c, mutants[:min(c.Size, len(mutants))]), len(mutants))
}

// runMutants runs the access matrix against each mutant, which it has to notice, and against
// the code as it is, which has to pass: the control.
func runMutants(c *C, mutants []mutant) (killed int) {
	c.Helper()
	if out, err := accessMatrix(c, mutant{}); err != nil {
		c.Fatalf("control: the matrix fails without a mutation: %v\n%s", err, out)
	}
	for _, m := range mutants {
		start := time.Now()
		out, err := accessMatrix(c, m)
		switch {
		case err == nil:
			c.Errorf("the matrix does not notice %s", m)
		case !strings.Contains(out, "--- FAIL: TestAccess"):
			c.Errorf("%s does not even compile: %v\n%.2000s", m, err, out)
		default:
			killed++
			c.Logf("noticed in %.0f s: %s", time.Since(start).Seconds(), m)
		}
	}
	return killed
}

// accessMatrix runs the matrix with the mutant in place of its file, which stays as it is.
func accessMatrix(c *C, m mutant) (string, error) {
	c.Helper()
	args := []string{"test", "-count=1", "-run", "^TestAccess"}
	if m.file != "" {
		args = append(args, "-overlay", overlay(c, m))
	}
	cmd := exec.Command("go", append(args, "./controlapi")...)
	cmd.Dir = root(c)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func overlay(c *C, m mutant) string {
	c.Helper()
	path := filepath.Join(root(c), filepath.FromSlash(m.file))
	src, err := os.ReadFile(path)
	if err != nil {
		c.Fatal(err)
	}
	if n := strings.Count(string(src), m.old); n != 1 {
		c.Fatalf("%s has the text %q %d times: the list of mutants is out of date", m.file, m.old, n)
	}
	dir := c.TempDir()
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(strings.Replace(string(src), m.old, m.new, 1)), 0o644); err != nil {
		c.Fatal(err)
	}
	b, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		c.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		c.Fatal(fmt.Errorf("write the overlay: %w", err))
	}
	return file
}

// mutants are the checks that stand between a caller and what is not theirs.
var mutants = []mutant{
	{"internal/hosting/caller.go", `if c.Via == "" {`, `if false {`},
	{"internal/hosting/caller.go", `if c.Via == ViaSession && c.User != "" {`, `if true {`},
	{"internal/hosting/caller.go", `if c.Operator && (c.Token == "" || c.Scope == ScopeAdmin && c.Project == "") {`, `if true {`},
	{"internal/hosting/caller.go", `if (c.Via != ViaSession || c.User == "") && c.Via != ViaSocket {`, `if false {`},
	{"internal/hosting/caller.go", `case c.Role.rank() < need.role.rank():`, `case false:`},
	{"internal/hosting/caller.go", `case c.Token != "" && c.Scope.rank() < need.scope.rank():`, `case false:`},
	{"internal/hosting/caller.go", `case p == PermitManage && c.Project != "":`, `case false:`},
	{"internal/hosting/caller.go", `return c.Project == "" || c.Project == p`, `return true`},
	{"controlapi/door.go", `return e.caller.May(e.rule.may)`, `return nil`},
	{"controlapi/auth.go", `if a.cfg.Token != "" && seal.Equal(token, a.cfg.Token) {`, `if a.cfg.Token != "" && (seal.Equal(token, a.cfg.Token) || true) {`},
	{"internal/deploy/projects.go", `(!ok || !c.Sees(p.ID))`, `!ok`},
	{"internal/deploy/deployments.go", `if err != nil || !ok || !c.Sees(d.Project) {`, `if err != nil || !ok {`},
	{"internal/account/identify.go", `!s.now().Before(row.ExpiresAt)`, `false`},
	{"internal/account/tokens.go", `if !ok || t.Team != c.Team.ID || c.Role`, `if !ok || c.Role`},
	{"internal/account/tokens.go", `|| c.Role != hosting.RoleOwner && t.User != c.User {`, `{`},
	{"internal/account/tokens.go", `if m.Role == hosting.RoleViewer && in.Scope`, `if m.Role == "none" && in.Scope`},
	{"internal/account/invitations.go", `if err == nil && inv.Team != c.Team.ID {`, `if false {`},
}
