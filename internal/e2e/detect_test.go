package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scale-mesh/fairway/builder/detect"
	"github.com/scale-mesh/fairway/internal/hosting"
)

// claimDetection is the first half of builder.1: how the fixtures of builder/detect would be
// built, asked of it and of Netlify's build-info. Each difference is in the table of
// docs/design/builder.md, with a verdict, and each row of the table is a difference.
func claimDetection(c *C) {
	k := newKit(c, "buildinfo")
	fixtures := filepath.Join(c.TempDir(), "fixtures")
	if err := os.CopyFS(fixtures, os.DirFS(filepath.Join(root(c), "builder/detect/testdata"))); err != nil {
		c.Fatal(err)
	}
	out, err := k.run("node", "plan.mjs", fixtures)
	if err != nil {
		c.Fatalf("build-info: %v\n%s", err, tail(out, 4000))
	}
	var theirs map[string]planned
	if err := json.Unmarshal([]byte(out), &theirs); err != nil {
		c.Fatalf("build-info: %v\n%s", err, tail(out, 4000))
	}
	names := slices.Sorted(maps.Keys(theirs))
	if len(names) < c.Size {
		c.Fatalf("void: %d fixtures", len(names))
	}
	ours := map[string]planned{}
	for _, name := range names[:c.Size] {
		p, err := detect.Find(os.DirFS(filepath.Join(fixtures, name)), hosting.BuildSettings{})
		ours[name] = planned{p.Framework, p.Build, p.Output, string(p.PackageManager)}
		switch {
		case hosting.Is(err, hosting.CodeNotFound):
			ours[name] = planned{}
		case err != nil:
			ours[name] = planned{Framework: "refused"}
		}
	}
	doc, err := os.ReadFile(filepath.Join(root(c), "docs/design/builder.md"))
	if err != nil {
		c.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "\n| fixture |")
	found := differences(theirs, ours)
	for _, row := range found {
		if !strings.Contains(table, "\n"+row+" ") {
			c.Errorf("not in docs/design/builder.md: %s", row)
		}
	}
	if rows := strings.Count(table, "\n| `"); c.Size == len(names) && rows != len(found) {
		c.Errorf("docs/design/builder.md has %d rows, and there are %d differences", rows, len(found))
	}
	// The control: a plan that is spoiled is a difference that the table has not.
	spoiled := maps.Clone(ours)
	spoiled["gatsby"] = planned{"gatsby", "npm run build", "dist", "npm"}
	if c.Size > slices.Index(names, "gatsby") && len(differences(theirs, spoiled)) == len(found) {
		c.Error("void: a spoiled plan is no difference")
	}
	c.Figure("%d fixtures planned by detect and by @netlify/build-info: %d alike, %d differ, each with a verdict", c.Size, c.Size-len(found), len(found))
}

// planned is what is compared of a plan.
type planned struct{ Framework, Build, Output, PackageManager string }

// sameFramework are other names for what detect calls by the second.
var sameFramework = map[string]string{
	"next": "nextjs", "blitz": "blitzjs", "svelte-kit": "sveltekit", "vue": "vue-cli", "solid-js": "solid", "solid-start": "solidstart",
}

// differences are rows of a table without their verdict, in the order of the fixtures.
func differences(theirs, ours map[string]planned) (rows []string) {
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		t, o := theirs[name], ours[name]
		if same := sameFramework[t.Framework]; same != "" {
			t.Framework = same
		}
		if slices.Contains([]string{"other", "static", "built"}, o.Framework) && t.Framework == "" {
			o.Framework, o.Build, o.Output = "", "", "" // which it has no name for
		}
		if t.Framework == "" {
			o.Build, o.Output = "", "" // nothing to compare with
		}
		t.Output = strings.TrimSuffix(t.Output, "/")
		if o.Framework == "refused" {
			t = planned{Framework: t.Framework}
		}
		if t != o {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |", name, t.beside(o), o.beside(t)))
		}
	}
	return rows
}

// beside names what of a plan is not as in the other.
func (p planned) beside(other planned) string {
	var words []string
	for _, pair := range [][2]string{{p.Framework, other.Framework}, {p.Build, other.Build}, {p.Output, other.Output}, {p.PackageManager, other.PackageManager}} {
		switch {
		case pair[0] == pair[1]:
		case pair[0] == "":
			words = append(words, "none")
		default:
			words = append(words, pair[0])
		}
	}
	return strings.ReplaceAll(strings.Join(words, ", "), "<", "&lt;")
}
