package logs

import (
	"strings"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func numbered(first, last int64, text string) (lines []hosting.LogLine) {
	for n := first; n <= last; n++ {
		lines = append(lines, hosting.LogLine{N: n, Text: text})
	}
	return lines
}

func TestRecent_GivesTheNewestLines(t *testing.T) {
	var r Recent
	if got := r.Read(0, 10); got != nil {
		t.Errorf("an empty one has %v", got)
	}
	r.Add(numbered(5, 9, "x"))
	r.Add(numbered(10, 12, "x"))
	for _, tc := range []struct {
		after       int64
		limit       int
		first, last int64 // 0: none
	}{{3, 10, 0, 0}, {4, 10, 5, 12}, {6, 2, 7, 8}, {11, 10, 12, 12}, {12, 10, 0, 0}, {99, 1, 0, 0}, {4, 0, 0, 0}} {
		got := r.Read(tc.after, tc.limit)
		if tc.first == 0 && len(got) == 0 {
			continue
		}
		if len(got) == 0 || got[0].N != tc.first || got[len(got)-1].N != tc.last {
			t.Errorf("behind %d: %v, want %d to %d", tc.after, got, tc.first, tc.last)
		}
	}
	r.Add(numbered(20, 21, "x"))
	if got := r.Read(19, 10); len(got) != 2 || r.Read(11, 1) != nil {
		t.Errorf("lines that do not follow: %v", got)
	}
}

func TestRecent_IsBoundedAndLeavesWhatItGaveAway(t *testing.T) {
	for name, text := range map[string]string{"many": "", "long": strings.Repeat("x", 10_000)} {
		t.Run(name, func(t *testing.T) {
			var r Recent
			var given []hosting.LogLine
			for n := int64(1); n < 40_000; n += 10 {
				r.Add(numbered(n, n+9, text))
				if n == 11 {
					given = r.Read(0, 20)
				}
				if len(r.lines) > 2*MaxRecent || r.bytes > 2*recentBytes {
					t.Fatalf("%d lines, %d bytes", len(r.lines), r.bytes)
				}
				if got := r.Read(n+8, 5); len(got) != 1 || got[0].N != n+9 {
					t.Fatalf("behind %d: %v", n+8, got)
				}
			}
			for i, l := range given {
				if l.N != int64(i+1) {
					t.Fatalf("line %d became %d", i+1, l.N)
				}
			}
		})
	}
}
