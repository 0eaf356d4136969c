package e2e

import (
	"bufio"
	"os/exec"
	"regexp"
	"strings"
)

// claimCrossSite is people.2: every mutating route refuses what other sites send, and no GET
// changes the store.
func claimCrossSite(c *C) { goTest(c, "./controlapi", "TestCrossSite|TestReplayedGET") }

// claimASVS is people.7: the rows of ASVS that apply here, each a named test.
func claimASVS(c *C) { goTest(c, "./controlapi", "TestASVS") }

var (
	figureLine = regexp.MustCompile(`^\s*(?:[\w.-]+\.go:\d+: )?figure: (.+)$`)
	passLine   = regexp.MustCompile(`^--- PASS: (Test\S+)`)
)

// goTest is a claim whose program is tests of another package, since it needs to see what
// no process shows. Their lines "figure: ..." are the claim's figures. Tests that are skipped
// or not there show nothing, so they fail it.
func goTest(c *C, pkg, run string, args ...string) {
	c.Helper()
	cmd := exec.Command("go", append([]string{"test", "-count=1", "-v", "-tags", "nobadger,nomysql,nopgx", "-run", run}, append(args, pkg)...)...)
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
		c.Fatalf("%s: %v\n%s", cmd, err, tail(string(out), 8000))
	}
	for _, pattern := range strings.Split(run, "|") {
		found := false
		for name := range passed {
			found = found || strings.HasPrefix(name, pattern)
		}
		if !found {
			c.Errorf("%s: no test named %s... passed:\n%s", cmd, pattern, tail(string(out), 2000))
		}
	}
	if strings.Contains(string(out), "--- SKIP") {
		c.Errorf("%s: a test was skipped", cmd)
	}
	c.Figure("%d tests of %s passed", len(passed), strings.TrimPrefix(pkg, "./"))
}

// tail returns the last n bytes of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }
