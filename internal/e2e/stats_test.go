package e2e

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// mannWhitney returns the two-sided p-value of the Mann-Whitney U test: how likely samples of
// one and the same distribution differ as these do. It uses the normal approximation with
// the correction for ties, which is good from 20 values each.
func mannWhitney(a, b []time.Duration) float64 {
	type value struct {
		d     time.Duration
		first bool
	}
	all := make([]value, 0, len(a)+len(b))
	for _, d := range a {
		all = append(all, value{d, true})
	}
	for _, d := range b {
		all = append(all, value{d, false})
	}
	slices.SortFunc(all, func(x, y value) int { return cmp.Compare(x.d, y.d) })
	var ranks, ties float64 // of a; sum of t^3-t
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].d == all[i].d {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		for ; i < j; i++ {
			if all[i].first {
				ranks += (float64(j) - t + 1 + float64(j)) / 2
			}
		}
	}
	n, m := float64(len(a)), float64(len(b))
	total := n + m
	u := ranks - n*(n+1)/2
	sigma := math.Sqrt(n * m / 12 * (total + 1 - ties/(total*(total-1))))
	z := (math.Abs(u-n*m/2) - 0.5) / sigma
	return math.Min(1, math.Erfc(math.Max(z, 0)/math.Sqrt2))
}

// quantile returns the q-quantile, 0 to 1, of the values.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// shifted returns the values with d added to each.
func shifted(values []time.Duration, d time.Duration) []time.Duration {
	out := make([]time.Duration, len(values))
	for i, v := range values {
		out[i] = v + d
	}
	return out
}

// mostWithin returns the most of the times that lie within any window.
func mostWithin(times []time.Duration, window time.Duration) (most int) {
	s := slices.Sorted(slices.Values(times))
	first := 0
	for i, t := range s {
		for t-s[first] >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func TestMannWhitney_IsTheTextbooks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	normal := func(n int, mean float64) (out []time.Duration) {
		for range n {
			out = append(out, time.Duration((mean+r.NormFloat64())*float64(time.Millisecond)))
		}
		return out
	}
	// By hand: U = 8, four ties of two, z = 2.4753.
	if p := mannWhitney([]time.Duration{1, 2, 3, 4, 5, 6, 7, 8}, []time.Duration{5, 6, 7, 8, 9, 10, 11, 12}); math.Abs(p-0.01331) > 0.00001 {
		t.Errorf("p = %.5f", p)
	}
	low := 0
	for range 1000 {
		if mannWhitney(normal(60, 40), normal(60, 40)) < 0.05 {
			low++
		}
	}
	if low < 25 || low > 80 {
		t.Errorf("of 1000 pairs of equal samples %d have p < 0.05, want about 50", low)
	}
	if p := mannWhitney(normal(60, 40), normal(60, 41)); p > 0.001 {
		t.Errorf("a difference of one deviation has p = %g", p)
	}
	if got := mostWithin([]time.Duration{0, 1, 2, 9, 10, 11, 12}, 4); got != 4 {
		t.Errorf("most within 4 is %d", got)
	}
}
