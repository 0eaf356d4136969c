package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rowsOfASVS are the requirements that docs/security.md has to say something about, in its
// order.
var rowsOfASVS = []string{
	"1.1.1", "1.2.5", "1.3.6", "2.3.3", "2.4.1", "3.2.1", "3.3.1", "3.4.1", "3.4.2", "3.4.3", "3.5.1", "3.5.4", "3.7.2", "4.1.3", "4.2.1",
	"4.4.2", "5.2.1", "5.2.5", "6.2.4", "6.3.1", "6.3.2", "7.2.3", "7.3.1", "8.2.1", "8.3.2", "11.4.2", "12.1.1", "13.3.1", "13.4.1", "15.1.2", "16.2.5",
}

var (
	tableRow  = regexp.MustCompile(`(?m)^\| ([0-9]+\.[0-9]+\.[0-9]+)[^|]*\|([^|]*)\|([^|]*)\|(.*)\|$`)
	namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9_]+|Fuzz[A-Za-z0-9_]+)`")
)

// TestSecurity_NamesTestsThatThereAre holds docs/security.md to its word: each requirement is
// listed, one that is met names its tests, and those are in the tree.
func TestSecurity_NamesTestsThatThereAre(t *testing.T) {
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range tableRow.FindAllStringSubmatch(string(doc), -1) {
		id, state, tests := m[1], strings.TrimSpace(m[3]), namedTest.FindAllStringSubmatch(m[4], -1)
		rows[id] = true
		switch {
		case state == "met" && len(tests) == 0:
			t.Errorf("%s is said to be met and names no test", id)
		case state != "met" && state != "in part" && state != "not met" && state != "not here":
			t.Errorf("%s is %q: say met, in part, not met or not here", id, state)
		}
		for _, n := range tests {
			if !hasTest(t, n[1], n[2]) {
				t.Errorf("%s names %s in %s, which is not there", id, n[2], n[1])
			}
		}
	}
	for _, id := range rowsOfASVS {
		if !rows[id] {
			t.Errorf("docs/security.md says nothing about %s", id)
		}
	}
}

// hasTest reports whether a package has the test function.
func hasTest(t *testing.T, pkg, name string) (found bool) {
	t.Helper()
	files, err := fs.Glob(os.DirFS(".."), filepath.ToSlash(filepath.Join(pkg, "*_test.go")))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			found = found || ok && f.Name.Name == name
		}
	}
	return found
}
