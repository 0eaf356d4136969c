package state_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayCallSystem lists the packages that may reach over the edges of teams, by System().
// Tests may too. A new one belongs here only after somebody has asked why a Team is not enough.
var mayCallSystem = []string{
	"internal/state",    // its own feed
	"internal/account",  // people, their credentials and teams
	"internal/deploy",   // queue, activation, trash
	"internal/usage",    // edges, which serve all teams
	"internal/notify",   // mail to a person, who may be in no team yet
	"internal/platform", // wiring, backup, restore
}

func TestSystem_IsCalledOnlyByWhoMay(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		seen++
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err == nil && !slices.Contains(mayCallSystem, filepath.ToSlash(dir)) {
			err = refuseSystem(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 20 {
		t.Fatalf("only %d files were read: this is not the source", seen)
	}
}

// refuseSystem reports each use of a method System() in a file, whether or not it imports the
// state: a DB may come as another package's field.
func refuseSystem(t *testing.T, path string) error {
	src, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	if n := systemUses(src); n > 0 {
		t.Errorf("%s uses System %d times: only %v may", path, n, mayCallSystem)
	}
	return nil
}

func systemUses(src *ast.File) (uses int) {
	ast.Inspect(src, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "System" {
			uses++
		}
		return true
	})
	return uses
}

func TestSystemUses_FindsCallsAndMethodValues(t *testing.T) {
	for src, want := range map[string]int{
		"func f(db state.DB) { db.System() }":          1,
		"func f(db state.DB) any { return db.System }": 1,
		"func f(s Service) { s.db.System().Runs }":     1,
		"var _ state.System":                           1,
		"func f(db state.DB) { db.Team(\"System\") }":  0,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package p\n"+src, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := systemUses(file); got != want {
			t.Errorf("%d uses, want %d, in:\n%s", got, want, src)
		}
	}
}
