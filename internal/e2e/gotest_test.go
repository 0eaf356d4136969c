package e2e

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// claimCrossSite is people.2: every mutating route refuses what other sites send, and no GET
// changes the store.
func claimCrossSite(c *C) {
	goTest(c, "./controlapi", "TestCrossSite_EachWriteIsRefused", "TestCrossSite_AWriteOfItsOwnPageIsTaken", "TestGet_ReplayedLeavesTheStoreUnchanged")
}

var (
	figureLine = regexp.MustCompile(`^\s*(?:[\w.-]+\.go:\d+: )?figure: (.+)$`)
	passLine   = regexp.MustCompile(`^\s*--- PASS: ((?:Test|Fuzz)\S+)`)
	namedTest  = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)\\w+)`")
	asvsRow    = regexp.MustCompile(`^\| ([0-9][^|]*) \|[^|]*\| ([^|]+) \|(.*)$`)
)

// claimASVS is people.7: each row of docs/security.md that says that a requirement of ASVS is
// met names its tests, and they are there and pass.
func claimASVS(c *C) {
	doc, err := os.ReadFile(filepath.Join(root(c), "docs/security.md"))
	if err != nil {
		c.Fatal(err)
	}
	tests, rows := map[string][]string{}, map[string]int{} // by package; by what they say
	for _, line := range strings.Split(string(doc), "\n") {
		m := asvsRow.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		rows[m[2]]++
		named := namedTest.FindAllStringSubmatch(m[3], -1)
		if len(named) == 0 && (m[2] == "met" || m[2] == "in part") {
			c.Errorf("ASVS %s is %s, and no test is named for it", m[1], m[2])
		}
		for _, n := range named {
			if !slices.Contains(tests[n[1]], n[2]) {
				tests[n[1]] = append(tests[n[1]], n[2])
			}
		}
	}
	if rows["met"] < 10 {
		c.Fatalf("void: %v rows of ASVS were read", rows)
	}
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		goTest(c, "./"+pkg, tests[pkg]...)
	}
	c.Figure("rows of ASVS: %v", rows)
}

// goTest is a claim whose program is tests of another package, since it needs to see what
// no process shows. Their lines "figure: ..." are the claim's figures. Tests that are skipped
// or not there show nothing, so they fail it.
func goTest(c *C, pkg string, tests ...string) {
	c.Helper()
	cmd := exec.Command("go", "test", "-count=1", "-v", "-tags", "nobadger,nomysql,nopgx", "-run", "^("+strings.Join(tests, "|")+")$", pkg)
	cmd.Dir = root(c)
	out, err := cmd.CombinedOutput()
	passed := map[string]bool{}
	for lines := bufio.NewScanner(strings.NewReader(string(out))); lines.Scan(); {
		if m := passLine.FindStringSubmatch(lines.Text()); m != nil {
			passed[m[1]] = true
		}
		if m := figureLine.FindStringSubmatch(lines.Text()); m != nil {
			c.Figure("%s", m[1])
		}
	}
	if err != nil {
		c.Errorf("%s: %v\n%s", cmd, err, tail(string(out), 8000))
	}
	for _, name := range tests {
		if !passed[name] {
			c.Errorf("%s: %s is not there, was skipped, or failed", pkg, name)
		}
	}
	c.Figure("%s of %s passed", casesOf(passed), strings.TrimPrefix(pkg, "./"))
}

// casesOf counts the tests among names, and their cases: what has none of its own.
func casesOf(names map[string]bool) string {
	parents := map[string]bool{}
	for name := range names {
		if i := strings.LastIndex(name, "/"); i > 0 {
			parents[name[:i]] = true
		}
	}
	tests, cases := 0, 0
	for name := range names {
		switch inner := strings.Contains(name, "/"); {
		case !inner:
			tests++
		case !parents[name]:
			cases++
		}
	}
	if cases == 0 {
		return fmt.Sprintf("%d tests", tests)
	}
	return fmt.Sprintf("%d tests with %d cases", tests, cases)
}

// tail returns the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
