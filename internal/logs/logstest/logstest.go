// Package logstest is the contract of logs.Store as a suite that runs over every
// implementation.
package logstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/logs"
)

// Open returns an empty store, and reopen, which ends it and returns another over what it
// stored. Both end with the test.
type Open func(t *testing.T) (s logs.Store, reopen func() logs.Store)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *bench){
		"A log that does not exist is empty":              testEmpty,
		"Read returns what Append stored":                 testRoundTrip,
		"Any text comes back as it was":                   testText,
		"Read pages by number and limit":                  testPages,
		"A repeated batch changes nothing":                testRepeat,
		"Of an overlapping batch the new lines are kept":  testOverlap,
		"A batch that leaves a gap is not stored":         testGap,
		"Lines whose numbers do not follow are invalid":   testBadNumbers,
		"Ids that are none are invalid":                   testBadIDs,
		"An ended context ends every call":                testEndedContext,
		"Delete removes a log and may be repeated":        testDelete,
		"Many logs do not mix":                            testManyLogs,
		"Random batches do as a model does":               testModel,
		"Followers read every line once while it is made": testFollow,
		"Appends to one log are serial":                   testSerial,
		"Calls during Delete see a log or none":           testDeleteDuringCalls,
	} {
		t.Run(name, func(t *testing.T) {
			s, reopen := open(t)
			test(t, &bench{s, reopen})
		})
	}
}

const id = hosting.DeploymentID("dpl_aaaa")

// bench is what a test works on.
type bench struct {
	logs.Store
	reopen func() logs.Store
}

// restart lets a test go on over what is stored for good.
func (b *bench) restart() { b.Store = b.reopen() }

// lines makes the lines first to last, told apart by their text.
func lines(first, last int64, text string) []hosting.LogLine {
	var all []hosting.LogLine
	for n := first; n <= last; n++ {
		all = append(all, hosting.LogLine{
			N: n, At: 1_700_000_000_000 + n, Stream: []string{"out", "err", "sys"}[(n%3+3)%3],
			Step: hosting.PhaseBuilding, Text: fmt.Sprintf("%s %d", text, n),
		})
	}
	return all
}

func wantAppend(t *testing.T, b *bench, id hosting.DeploymentID, batch []hosting.LogLine, want int64) {
	t.Helper()
	first := int64(1)
	if len(batch) > 0 {
		first = batch[0].N
	}
	if next, err := b.Append(t.Context(), id, first, batch); err != nil || next != want {
		t.Fatalf("append %d lines from %d: next %d, %v; want %d", len(batch), first, next, err, want)
	}
}

func wantLog(t *testing.T, b *bench, id hosting.DeploymentID, want []hosting.LogLine) {
	t.Helper()
	wantRead(t, b, id, 0, len(want)+10, want)
	if next, err := b.Next(t.Context(), id); err != nil || next != int64(len(want))+1 {
		t.Fatalf("next: %d, %v; want %d", next, err, len(want)+1)
	}
}

func wantRead(t *testing.T, b *bench, id hosting.DeploymentID, after int64, limit int, want []hosting.LogLine) {
	t.Helper()
	got, err := b.Read(t.Context(), id, after, limit)
	if err != nil {
		t.Fatalf("read %d after %d: %v", limit, after, err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("read %d after %d: %s", limit, after, difference(got, want))
	}
}

// difference names the first line that is not as wanted; lines can be long.
func difference(got, want []hosting.LogLine) string {
	for i := range min(len(got), len(want)) {
		if g, w := got[i], want[i]; g != w {
			return fmt.Sprintf("line %d is {%d %d %s %s %.80q}, want {%d %d %s %s %.80q}", i,
				g.N, g.At, g.Stream, g.Step, g.Text, w.N, w.At, w.Stream, w.Step, w.Text)
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(got), len(want))
}

func wantCode(t *testing.T, what string, err error, code hosting.Code) {
	t.Helper()
	if hosting.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func testEmpty(t *testing.T, b *bench) {
	wantLog(t, b, id, nil)
	wantRead(t, b, id, 100, 10, nil)
	wantAppend(t, b, id, nil, 1)
	wantLog(t, b, id, nil)
}

func testRoundTrip(t *testing.T, b *bench) {
	all := lines(1, 200, "line")
	wantAppend(t, b, id, all[:1], 2)
	wantAppend(t, b, id, all[1:150], 151)
	wantLog(t, b, id, all[:150])
	wantAppend(t, b, id, all[150:], 201)
	wantAppend(t, b, id, nil, 201)
	wantLog(t, b, id, all)
	b.restart()
	wantLog(t, b, id, all)
}

func testText(t *testing.T, b *bench) {
	texts := []string{
		"", " ", "grüße, 世界, \U0001F600", "a\tb\rc\nd\x00e\x1b[31mred\x1b[0m", `{"n":7,"x":"}"}`, `"\`, "<script>&amp;",
		"\u2028\u2029\u0085", strings.Repeat("x", hosting.MaxLogLine), strings.Repeat("\x01", hosting.MaxLogLine),
		strings.Repeat("é\"", 100_000), "the last",
	}
	var all []hosting.LogLine
	for i, text := range texts {
		all = append(all, hosting.LogLine{N: int64(i + 1), Text: text})
	}
	wantAppend(t, b, id, all, int64(len(all))+1)
	wantLog(t, b, id, all)
	b.restart()
	wantLog(t, b, id, all)
	for i := range all {
		wantRead(t, b, id, int64(i), 1, all[i:i+1])
	}
}

func testPages(t *testing.T, b *bench) {
	all := lines(1, 300, "line")
	wantAppend(t, b, id, all[:130], 131)
	wantAppend(t, b, id, all[130:], 301)
	for _, after := range []int64{0, 1, 62, 63, 64, 65, 127, 128, 129, 191, 192, 298, 299, 300, 301, 1 << 40} {
		for _, limit := range []int{1, 2, 64, 65, 1000} {
			from := min(after, 300)
			wantRead(t, b, id, after, limit, all[from:min(from+int64(limit), 300)])
		}
	}
	wantRead(t, b, id, -5, 3, all[:3])
	wantRead(t, b, id, 0, 0, nil)
	wantRead(t, b, id, 0, -1, nil)
}

func testRepeat(t *testing.T, b *bench) {
	all := lines(1, 20, "line")
	wantAppend(t, b, id, all[:10], 11)
	for range 2 {
		wantAppend(t, b, id, all[:10], 11)
		wantAppend(t, b, id, all[3:5], 11)
		b.restart()
		wantAppend(t, b, id, all[:10], 11)
		wantLog(t, b, id, all[:10])
	}
	wantAppend(t, b, id, all[10:], 21)
	wantAppend(t, b, id, all[:10], 21)
	wantLog(t, b, id, all)
}

func testOverlap(t *testing.T, b *bench) {
	old, other := lines(1, 10, "old"), lines(1, 20, "new")
	wantAppend(t, b, id, old, 11)
	wantAppend(t, b, id, other[4:15], 16)
	want := slices.Concat(old, other[10:15])
	wantLog(t, b, id, want)
	wantAppend(t, b, id, other, 21)
	wantLog(t, b, id, slices.Concat(want, other[15:]))
}

func testGap(t *testing.T, b *bench) {
	all := lines(1, 20, "line")
	wantAppend(t, b, id, all[1:3], 1)
	wantLog(t, b, id, nil)
	wantAppend(t, b, id, all[:5], 6)
	wantAppend(t, b, id, all[6:], 6)
	wantLog(t, b, id, all[:5])
	b.restart()
	wantAppend(t, b, id, all[6:], 6)
	wantLog(t, b, id, all[:5])
}

func testBadNumbers(t *testing.T, b *bench) {
	all := lines(1, 5, "line")
	wantAppend(t, b, id, all[:2], 3)
	for name, c := range map[string]struct {
		first int64
		lines []hosting.LogLine
	}{
		"first is zero":           {0, lines(0, 1, "x")},
		"first is negative":       {-3, lines(-3, 4, "x")},
		"first is another number": {3, lines(4, 5, "x")},
		"a number is left out":    {3, slices.Concat(lines(3, 3, "x"), lines(5, 6, "x"))},
		"a number comes twice":    {3, slices.Concat(lines(3, 4, "x"), lines(4, 5, "x"))},
		"wrong within what is known": {1, slices.Concat(
			lines(1, 1, "x"), lines(1, 1, "x"), lines(3, 3, "x"))},
	} {
		_, err := b.Append(t.Context(), id, c.first, c.lines)
		wantCode(t, name, err, hosting.CodeInvalid)
		wantLog(t, b, id, all[:2])
	}
}

func testBadIDs(t *testing.T, b *bench) {
	for _, id := range []hosting.DeploymentID{"", "dpl", "dpl_", "../dpl_aaaa", "x/y_aaaa", "_aaaa", "dpl_../x", "dpl_aa/aa", "dpl_AAAA", "dpl_aaaa.ndjson", "dpl_a\x00a"} {
		_, err := b.Append(t.Context(), id, 1, lines(1, 1, "x"))
		wantCode(t, "append", err, hosting.CodeInvalid)
		_, err = b.Read(t.Context(), id, 0, 1)
		wantCode(t, "read", err, hosting.CodeInvalid)
		_, err = b.Next(t.Context(), id)
		wantCode(t, "next", err, hosting.CodeInvalid)
		wantCode(t, "delete", b.Delete(t.Context(), id), hosting.CodeInvalid)
	}
}

func testEndedContext(t *testing.T, b *bench) {
	all := lines(1, 3, "line")
	wantAppend(t, b, id, all[:2], 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, appendErr := b.Append(ctx, id, 3, all[2:])
	_, readErr := b.Read(ctx, id, 0, 10)
	_, nextErr := b.Next(ctx, id)
	for name, err := range map[string]error{
		"append": appendErr, "read": readErr, "next": nextErr, "delete": b.Delete(ctx, id),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want %v", name, err, context.Canceled)
		}
	}
	wantLog(t, b, id, all[:2])
}

func testDelete(t *testing.T, b *bench) {
	const other = hosting.DeploymentID("dpl_aaab")
	wantAppend(t, b, id, lines(1, 100, "old"), 101)
	wantAppend(t, b, other, lines(1, 3, "other"), 4)
	for range 2 {
		if err := b.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		wantLog(t, b, id, nil)
	}
	wantAppend(t, b, id, lines(1, 2, "new"), 3)
	b.restart()
	wantLog(t, b, id, lines(1, 2, "new"))
	wantLog(t, b, other, lines(1, 3, "other"))
}
