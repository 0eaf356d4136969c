package e2e

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var (
	prove  = flag.Bool("prove", false, "run claims at their full size and append the figures to -proofs")
	size   = flag.Int("size", 0, "size of the claim; 0 is its own")
	seed   = flag.Uint64("seed", 0, "seed of what is chosen at random; 0 picks one")
	proofs = flag.String("proofs", "", "file that figures are appended to")
)

// claim is one promise: the program that shows it, and how large.
type claim struct {
	name  string // topic of the issue and number of its "It shows"
	unit  string // what the size counts
	small int    // in make test
	full  int    // what the issue asks for
	run   func(*C)
}

// claims lists every promise, in the order of the issues.
var claims = []claim{
	{"main.1", "runs", 1, 1, claimFirstMinute},
	{"main.2", "runs", 1, 1, claimCurl},
	{"main.3", "deployments", 10, 10, claimTenAtOnce},
	{"main.4", "switches", 12, 100, claimSwitchUnderLoad},
	{"main.5", "kills", 16, 200, claimKills},
	{"main.6", "reloads", 8, 100, claimReloads},
	{"people.1", "checks taken away", 2, len(mutants), claimAccessMatrix},
	{"people.2", "runs", 1, 1, claimCrossSite},
	{"people.3", "rounds", 1, 10, claimToss},
	{"people.4", "logins of each kind", 60, 2000, claimLogins},
	{"people.5", "secrets", 200, 10000, claimCanaries},
	{"people.6", "requests", 2000, 100000, claimOpenAPI},
	{"people.7", "runs", 1, 1, claimASVS},
	{"edge.2", "files", 300, 10000, claimCold},
	{"edge.3", "records", 20_000, 1_000_000, claimRecords},
	{"edge.4", "cached files", 60, 1000, claimDead},
	{"edge.5", "responses", 20_000, 1_000_000, claimNoWrongByte},
	{"edge.6", "publishes", 20, 100, claimAlternating},
	{"edge.7", "sites", 1000, 10_000, claimCorpus},
	{"edge.8", "runs", 1, 1, claimProtocols},
	{"cloud.1", "contracts", 1, len(contracts), claimSuites},
	{"cloud.2", "publishes", 10, 500, claimSpread},
	{"cloud.3", "seeds", 1, 20, claimHistory},
	{"cloud.4", "hosts", 30, 1000, claimAiling},
	{"cloud.5", "hostile builds", 1, 3, claimHostile},
	{"cloud.6", "blobs", 20, 1000, claimPresigned},
	{"cloud.7", "files", 300, 10_000, claimUploads},
	{"cloud.8", "lines a second", 600, 40_000, claimLines},
	{"builder.1", "fixtures", 162, 162, claimDetection},
}

// C is a running claim.
type C struct {
	*testing.T
	Size    int
	Rand    *rand.Rand
	figures []string
}

// Figure records a measured value. Only a passed claim's figures are ever written down.
func (c *C) Figure(format string, args ...any) {
	c.Helper()
	s := fmt.Sprintf(format, args...)
	c.Log("figure: " + s)
	c.figures = append(c.figures, s)
}

func TestClaims(t *testing.T) {
	for _, cl := range claims {
		t.Run(cl.name, func(t *testing.T) {
			n := cl.small
			if *prove {
				n = cl.full
			}
			if *size > 0 {
				n = *size
			}
			s := *seed
			if s == 0 {
				s = uint64(time.Now().UnixNano())
			}
			t.Logf("%d %s, seed %d", n, cl.unit, s)
			c := &C{T: t, Size: n, Rand: rand.New(rand.NewPCG(s, s))}
			start := time.Now()
			cl.run(c)
			if *prove && !t.Failed() {
				c.append(cl, s, time.Since(start))
			}
		})
	}
}

// append writes what was measured behind the table of docs/proofs.md.
func (c *C) append(cl claim, seed uint64, took time.Duration) {
	c.Helper()
	if *proofs == "" {
		return
	}
	commit := strings.TrimSpace(git(c, "../..", "rev-parse", "--short=12", "HEAD"))
	// What earlier claims of the same run wrote here is no change of the program.
	if git(c, "../..", "status", "--porcelain", "--", ".", ":!docs/proofs.md") != "" {
		commit += " with changes"
	}
	f, err := os.OpenFile(*proofs, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		c.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "| %s | %s | %d of %d %s | %d | %s | %.0f | %s |\n", cl.name, strings.Join(c.figures, "; "),
		c.Size, cl.full, cl.unit, seed, commit, took.Seconds(), time.Now().UTC().Format(time.DateOnly))
	if err := errors.Join(err, f.Close()); err != nil {
		c.Fatal(err)
	}
}
