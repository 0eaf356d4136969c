package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// printVariable makes this program the build command of a claim instead: it names the file of the
// pace.
const printVariable = "FAIRWAY_E2E_PRINT"

func TestMain(m *testing.M) {
	if path := os.Getenv(printVariable); path != "" {
		if err := printPaced(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// endPace ends the printers. 0 has them wait.
const endPace = -1

// setPace tells printers how many lines a second they print from now on.
func setPace(t testing.TB, path string, rate int) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(strconv.Itoa(rate)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

func pace(path string) (rate int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

// printTick is how often a printer prints what is due by then.
const printTick = 20 * time.Millisecond

// printPaced prints numbered lines with the time of their printing, at the rate of the file, until
// that says to end; then how many there were, and what a site needs.
func printPaced(path string) error {
	var n, rate, due int
	var since time.Time
	tick := time.NewTicker(printTick)
	defer tick.Stop()
	for i := 0; ; i++ {
		if i%2 == 0 {
			r, err := pace(path)
			if err != nil {
				return err
			}
			if r == endPace {
				break
			}
			if r != rate {
				rate, due, since = r, n, time.Now()
			}
		}
		now := <-tick.C
		want := due + int(int64(rate)*int64(now.Sub(since))/int64(time.Second))
		// Behind its pace, as where the pipe was full, a printer leaves out what it missed: its
		// rate is what it prints, and its lines' time that of their printing.
		if late := want - n - max(1, rate/10); late > 0 {
			due, want = due-late, want-late
		}
		if want <= n {
			continue
		}
		var b bytes.Buffer
		for at := time.Now().UnixNano(); n < want; {
			n++
			b.Write(appendPrinted(b.AvailableBuffer(), n, at))
		}
		if _, err := os.Stdout.Write(b.Bytes()); err != nil {
			return err
		}
	}
	fmt.Printf("%s%d\n", allPrinted, n)
	if err := os.MkdirAll("out", 0o755); err != nil {
		return err
	}
	return os.WriteFile("out/index.html", []byte("<!doctype html><title>printed</title><p>printed"), 0o644)
}

func appendPrinted(b []byte, n int, at int64) []byte {
	b = strconv.AppendInt(append(b, printed...), int64(n), 10)
	b = strconv.AppendInt(append(b, ' '), at, 10)
	return append(append(append(b, ' '), padding...), '\n')
}

const (
	printed    = "printed "
	allPrinted = "all printed: "
)

// padding makes a line as long as a build's lines are.
var padding = strings.Repeat("compiled module ", 3)

// parsePrinted reads a line of printPaced: its number and when it was printed, in Unix nanoseconds.
func parsePrinted(text string) (n, at int64, ok bool) {
	rest, ok := strings.CutPrefix(text, printed)
	number, rest, ok2 := strings.Cut(rest, " ")
	when, _, ok3 := strings.Cut(rest, " ")
	if !ok || !ok2 || !ok3 {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	at, err2 := strconv.ParseInt(when, 10, 64)
	return n, at, err == nil && err2 == nil
}
