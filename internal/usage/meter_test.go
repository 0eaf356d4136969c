package usage

import (
	"fmt"
	"sync"
	"testing"

	"github.com/scale-mesh/fairway/internal/hosting"
)

func TestMeter_CountsAllWhileItIsTaken(t *testing.T) {
	m := new(Meter)
	var asking, taking sync.WaitGroup
	done := make(chan struct{})
	var got hosting.EdgeCounts
	taking.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				got = merged(got, m.take())
			}
		}
	})
	const each, who = 2000, 8
	for i := range who {
		asking.Go(func() {
			for n := range each {
				m.Count(hosting.ProjectID(fmt.Sprint("prj_", i%4)), 3, n%10 == 0)
			}
		})
	}
	asking.Wait()
	close(done)
	taking.Wait()
	got = merged(got, m.take())
	if want := (hosting.Traffic{Requests: each * who, Bytes: 3 * each * who, Failures: each * who / 10}); got.Traffic != want {
		t.Errorf("counted %+v, want %+v", got.Traffic, want)
	}
	for _, p := range got.Projects {
		if p.Requests != each*who/4 || p.Bytes != 3*p.Requests {
			t.Errorf("counted %+v", p)
		}
	}
}

func TestMeter_IsBounded(t *testing.T) {
	m := new(Meter)
	for i := range maxMetered + 500 {
		for range 1 + i%3 {
			m.Count(hosting.ProjectID(fmt.Sprint("prj_", i)), 1, false)
		}
	}
	if len(m.projects) != maxMetered {
		t.Errorf("%d projects are counted apart", len(m.projects))
	}
	c := m.take()
	if len(c.Projects) != maxReported || c.Projects[0].Requests != 3 || c.Projects[maxReported-1].Requests != 3 {
		t.Errorf("%d projects are told of, the last with %+v", len(c.Projects), c.Projects[len(c.Projects)-1])
	}
	if again := m.take(); again.Traffic != (hosting.Traffic{}) || len(again.Projects) != 0 {
		t.Errorf("what was taken is there again: %+v", again)
	}
}

func TestMeter_CountingAllocatesNothing(t *testing.T) {
	m := new(Meter)
	m.Count("prj_a", 1, false)
	if n := testing.AllocsPerRun(1000, func() { m.Count("prj_a", 1, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMeter(b *testing.B) {
	m := new(Meter)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Count("prj_a", 1000, false)
		}
	})
}
