package deploy

import (
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// shown feeds lines that are printed at a rate, for so many seconds, and returns how many of each
// second are shown, and how often what is shown begins anew.
func shown(v *live, from int64, perSecond, seconds int) (of []int, gaps int) {
	was := true
	for s := range seconds {
		n := 0
		for i := range perSecond {
			is := v.shows(&hosting.LogLine{At: from + int64(s)*1000 + int64(i)*1000/int64(perSecond), Stream: "out"})
			if is {
				n++
			}
			if was && !is {
				gaps++
			}
			was = is
		}
		of = append(of, n)
	}
	return of, gaps
}

func TestLive_ShowsAllThatIsPrintedAtTheRate(t *testing.T) {
	const at = 1_700_000_000_000
	for _, perSecond := range []int{1, 7, 100} {
		if of, gaps := shown(&live{rate: 100}, at, perSecond, 100); gaps != 0 {
			t.Errorf("at %d a second: %v", perSecond, of)
		}
	}
	if of, gaps := shown(&live{}, at, 100_000, 2); gaps != 0 {
		t.Errorf("without a rate: %v", of)
	}
	v := &live{rate: 100} // a burst, which comes at once, and later another
	for _, from := range []int64{at, at + 60_000} {
		for i := range 200 {
			if !v.shows(&hosting.LogLine{At: from, Stream: "err"}) {
				t.Errorf("line %d of a burst is hidden", i)
			}
		}
	}
}

func TestLive_HidesWhatIsPrintedAboveTheRate(t *testing.T) {
	v := &live{rate: 100}
	of, gaps := shown(v, 1_700_000_000_000, 1000, 60)
	sum := 0
	for _, n := range of {
		sum += n
	}
	if sum < 60*100 || sum > 62*100 {
		t.Errorf("%d of 60 seconds' lines are shown: %v", sum, of)
	}
	if gaps < 60 || gaps > 130 {
		t.Errorf("%d gaps in 60 s", gaps)
	}
	if !v.shows(&hosting.LogLine{Stream: "sys"}) {
		t.Error("a line of Fairway's own is hidden")
	}
	own := 0
	for range 10_000 {
		if v.shows(&hosting.LogLine{At: 1_700_000_060_000, Stream: "sys"}) {
			own++
		}
	}
	if own > 2*liveOwn {
		t.Errorf("%d lines that a job calls Fairway's are shown at once", own)
	}
	if of, _ := shown(v, 1_700_000_070_000, 100, 10); of[9] != 100 {
		t.Errorf("after a flood, at the rate: %v", of)
	}
}

func TestLive_OutlivesAClockThatIsSet(t *testing.T) {
	v := &live{rate: 100}
	for _, from := range []int64{1_700_000_000_000, 1 << 62, -1 << 62, 1_700_000_000_000, 1_600_000_000_000} {
		if of, _ := shown(v, from, 100, 20); of[19] != 100 {
			t.Errorf("from %d: %v", from, of)
		}
	}
}
