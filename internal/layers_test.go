package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/scale-mesh/fairway/"

// layers is the diagram of docs/architecture.md: imports go strictly down, never sideways.
// The last segments of a pattern may be "*".
var layers = []struct {
	name     string
	packages []string
}{
	{"pure", []string{"internal/hosting", "internal/manifest", "internal/rules", "internal/seal", "internal/guard", "internal/argon", "internal/crash", "internal/pause", "internal/awsapi"}},
	{"contracts", []string{"internal/object", "internal/blob", "internal/state", "internal/logs", "internal/bell", "internal/runner"}},
	{"adapters", []string{
		"internal/object/file", "internal/object/s3", "internal/state/bolt", "internal/state/postgres", "internal/logs/file", "internal/logs/redis",
		"internal/bell/local", "internal/bell/redis", "internal/runner/process", "internal/runner/ecs",
	}},
	{"services", []string{
		"builder", "builder/detect", "internal/account", "internal/account/oidc", "internal/deploy", "internal/domains", "internal/forge", "internal/notify", "internal/usage",
		"internal/feed", "internal/routes", "internal/edge", "internal/client",
	}},
	{"transport", []string{"controlapi"}},
	{"wiring", []string{"internal/platform"}},
	{"commands", []string{"internal/cli"}},
	{"driver", []string{"caddymodule"}},
}

// sideways are the imports within a layer that the architecture allows.
var sideways = map[string][]string{
	"internal/blob":         {"internal/object"},
	"internal/rules":        {"internal/manifest"},
	"builder":               {"builder/detect"},
	"internal/account/oidc": {"internal/account"},
	"internal/manifest":     {"internal/hosting"},
	"internal/guard":        {"internal/hosting"},
	"internal/seal":         {"internal/hosting"},
	"internal/awsapi":       {"internal/hosting"},
}

// restricted are packages that only the named ones may import.
var restricted = map[string][]string{
	"github.com/caddyserver/caddy/v2":  {"caddymodule"},
	"github.com/caddyserver/certmagic": {"caddymodule"},
	"internal/object/file":             {"internal/platform"},
	"internal/object/s3":               {"internal/platform"},
	"internal/state/bolt":              {"internal/platform"},
	"internal/state/postgres":          {"internal/platform"},
	"github.com/jackc/pgx":             {"internal/state/postgres"},
	"internal/logs/file":               {"internal/platform"},
	"internal/bell/local":              {"internal/platform"},
	"internal/runner/process":          {"internal/platform"},
	"internal/runner/ecs":              {"internal/platform"},
	"internal/account/oidc":            {"internal/platform", "controlapi"},
	"github.com/coreos/go-oidc/v3":     {"internal/account/oidc"},
	"github.com/wneessen/go-mail":      {"internal/notify"},
	"github.com/aws/aws-sdk-go-v2":     {"internal/awsapi", "internal/object/s3", "internal/runner/ecs"},
	"internal/logs/redis":              {"internal/platform"},
	"github.com/redis/go-redis":        {"internal/platform", "internal/bell/redis", "internal/logs/redis"},
	"internal/bell/redis":              {"internal/platform"},
}

func TestImports_GoStrictlyDown(t *testing.T) {
	found := 0
	for pkg, imports := range packages(t) {
		from := layerOf(pkg)
		if from < 0 {
			if !isTestPackage(pkg) {
				t.Errorf("%s is in no layer: add it to the table and to docs/architecture.md", pkg)
			}
			continue
		}
		found++
		for _, to := range imports {
			if l := layerOf(to); l >= 0 && l >= from && !listed(sideways[pkg], to) {
				t.Errorf("%s (%s) imports %s (%s)", pkg, layers[from].name, to, layers[l].name)
			}
			for limited, allowed := range restricted {
				if (to == limited || strings.HasPrefix(to, limited+"/")) && !listed(allowed, pkg) {
					t.Errorf("%s imports %s, which is for %v alone", pkg, to, allowed)
				}
			}
		}
	}
	if found < 20 {
		t.Fatalf("only %d packages were read: the test looks in the wrong place", found)
	}
}

// acrossTeams are the packages that may ask for the tables of all teams, by state.DB.System.
var acrossTeams = []string{
	"internal/state", "internal/account", "internal/deploy",
	"internal/usage",  // edges serve all teams
	"internal/notify", // mail to a person, who may be in no team yet
}

func TestSystem_IsAskedForByTheListedPackagesAlone(t *testing.T) {
	callers := map[string]bool{}
	shipped(t, 0, func(pkg string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "System" {
				callers[pkg] = true
			}
			return true
		})
	})
	for pkg := range callers {
		if !listed(acrossTeams, pkg) && !isTestPackage(pkg) {
			t.Errorf("%s reaches across teams: give it the tables of one, or add it to the list", pkg)
		}
	}
	for _, pkg := range acrossTeams {
		if !callers[pkg] {
			t.Errorf("%s is listed and does not ask", pkg)
		}
	}
}

// packages returns the imports of every package's shipped code, those of this module
// without the module's path.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	shipped(t, parser.ImportsOnly, func(pkg string, file *ast.File) {
		all[pkg] = append(all[pkg], []string{}...)
		for _, spec := range file.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			all[pkg] = append(all[pkg], strings.TrimPrefix(name, module))
		}
	})
	return all
}

// shipped calls see with every file that is no test's.
func shipped(t *testing.T, mode parser.Mode, see func(pkg string, file *ast.File)) {
	t.Helper()
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (name == "node_modules" || name == "testdata" || name == "examples" || name == "tools" || name == "data" || strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, src, mode)
		if err != nil {
			return err
		}
		pkg, _ := filepath.Rel(root, filepath.Dir(path))
		see(filepath.ToSlash(pkg), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func layerOf(pkg string) int {
	for i, l := range layers {
		if listed(l.packages, pkg) {
			return i
		}
	}
	return -1
}

// isTestPackage reports whether a package only serves tests: a suite, or the end-to-end
// tests and their tools.
func isTestPackage(pkg string) bool {
	return strings.HasSuffix(pkg, "test") || strings.HasPrefix(pkg, "internal/e2e") || strings.HasPrefix(pkg, "internal/tools")
}

func listed(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// TestOutbound_GoesThroughGuard looks for programs that dial by themselves: whatever a tenant
// names is dialed by internal/guard alone. What else dials, dials what the operator named.
func TestOutbound_GoesThroughGuard(t *testing.T) {
	dials := []string{"http.Get(", "http.Post(", "http.Head(", "http.DefaultClient", "http.DefaultTransport", "net.Dial", "tls.Dial"}
	allowed := map[string]string{
		"internal/guard":      "it is the guard",
		"internal/client":     "it calls the Fairway that its user names",
		"internal/object/s3":  "it calls the service that the operator names",
		"internal/runner/ecs": "it calls the service that the operator names",
	}
	if n := calls(t, dials, allowed); n == 0 {
		t.Error("not even guard dials: the test looks for the wrong thing")
	}
}

// TestShell_IsStartedByTheBuildAlone holds that no other code than the step that runs a
// project's own command starts a shell.
func TestShell_IsStartedByTheBuildAlone(t *testing.T) {
	shells := []string{`"/bin/sh"`, `"sh"`, `"bash"`, `"/bin/bash"`, `"zsh"`, `"xargs"`}
	if n := calls(t, shells, map[string]string{"builder": "it runs the project's command"}); n == 0 {
		t.Error("not even the builder starts a shell: the test looks for the wrong thing")
	}
}

// calls reports every shipped line outside the allowed packages that holds one of the texts,
// and counts those inside.
func calls(t *testing.T, texts []string, allowed map[string]string) (inside int) {
	t.Helper()
	for pkg := range packages(t) {
		if layerOf(pkg) < 0 {
			continue
		}
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for n, line := range strings.Split(string(src), "\n") {
				for _, text := range texts {
					if code, _, _ := strings.Cut(line, "//"); !strings.Contains(code, text) {
						continue
					}
					if allowed[pkg] != "" {
						inside++
						continue
					}
					t.Errorf("%s:%d: %s", path, n+1, strings.TrimSpace(line))
				}
			}
		}
	}
	return inside
}
