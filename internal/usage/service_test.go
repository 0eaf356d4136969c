package usage

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
	"github.com/scale-mesh/fairway/internal/state"
	"github.com/scale-mesh/fairway/internal/state/bolt"
)

// center is a control plane's part, over a real store whose writes it counts.
type center struct {
	*Service
	t  *testing.T
	db state.DB
}

// store counts Updates.
type store struct {
	state.Store
	mu      sync.Mutex
	updates int
}

func (s *store) Update(ctx context.Context, fn func(state.Tx) error) error {
	s.mu.Lock()
	s.updates++
	s.mu.Unlock()
	return s.Store.Update(ctx, fn)
}

func (c *center) updates() int {
	s := c.db.Store.(*store)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates
}

var operator = hosting.Caller{Via: hosting.ViaSocket, Name: "operator", Operator: true, Team: hosting.Team{ID: hosting.DefaultTeam}}

// newCenter runs until the test ends, within its bubble.
func newCenter(t *testing.T) *center {
	t.Helper()
	b, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := state.DB{Store: &store{Store: b}}
	c := &center{New(Config{DB: db}), t, db}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *center) addEdge(name string) EdgeToken {
	c.t.Helper()
	made, err := c.AddEdge(c.t.Context(), operator, hosting.NewEdge{Name: name})
	if err != nil {
		c.t.Fatal(err)
	}
	e, err := c.ByToken(c.t.Context(), made.Secret)
	if err != nil {
		c.t.Fatal(err)
	}
	return e
}

func (c *center) report(e EdgeToken, r hosting.EdgeReport) {
	c.t.Helper()
	if err := c.Report(c.t.Context(), e, r); err != nil {
		c.t.Fatal(err)
	}
}

// edge is what is listed of an edge that is there.
func (c *center) edge(name string) hosting.Edge {
	c.t.Helper()
	l, err := c.ListEdges(c.t.Context(), state.Page{Limit: 100})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range l.Items {
		if e.Name == name {
			return e
		}
	}
	c.t.Fatalf("there is no edge %s", name)
	return hosting.Edge{}
}

// commit writes changes of routes.
func (c *center) commit(n int) (m hosting.Mark) {
	c.t.Helper()
	for range n {
		if err := c.db.Update(c.t.Context(), func(tx state.Tx) (err error) {
			m, err = c.db.System().Commit(tx, &hosting.Change{})
			return err
		}); err != nil {
			c.t.Fatal(err)
		}
	}
	return m
}

// did is a report of so many requests.
func did(node, boot string, number uint64, requests int64) hosting.EdgeReport {
	return hosting.EdgeReport{
		Form: hosting.EdgeForm, Node: node, Clock: time.Now(),
		Batch: hosting.EdgeBatch{Boot: boot, Number: number, Counts: []hosting.EdgeCounts{{Traffic: hosting.Traffic{Requests: requests, Bytes: 10 * requests}}}},
	}
}

func TestReport_EachBatchIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		e := c.addEdge("fra")
		for _, r := range []struct {
			report hosting.EdgeReport
			total  int64 // after it
		}{
			{did("a", "boot1", 1, 5), 5},
			{did("a", "boot1", 1, 5), 5}, // its answer was lost
			{did("a", "boot1", 2, 7), 12},
			{did("b", "other", 1, 100), 112},
			{did("a", "boot1", 2, 7), 112}, // another edge was there meanwhile
			{did("a", "boot1", 1, 5), 112},
			{did("a", "boot2", 1, 3), 115}, // it was started anew
			{did("a", "boot2", 1, 3), 115},
			{did("b", "other", 4, 1), 116}, // a gap is none
		} {
			c.report(e, r.report)
			if got := c.edge("fra").Total; got.Requests != r.total || got.Bytes != 10*r.total {
				t.Fatalf("after %s %s %d: %+v, want %d requests", r.report.Node, r.report.Batch.Boot, r.report.Batch.Number, got, r.total)
			}
		}
		if p := c.edge("fra").Processes; len(p) != 2 || p[0].Traffic.Requests != 15 || p[1].Traffic.Requests != 101 {
			t.Errorf("processes: %+v", p)
		}
	})
}

func TestReport_ThoseOfManyEdgesAreOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		e := c.addEdge("fra")
		before := c.updates()
		var all sync.WaitGroup
		for i := range 80 {
			all.Go(func() { c.report(e, did(fmt.Sprint("node", i), "boot", 1, 1)) })
		}
		all.Wait()
		if n := c.updates() - before; n != 1 {
			t.Errorf("80 reports at once were %d writes", n)
		}
		if got := c.edge("fra"); got.Total.Requests != 80 || len(got.Processes) != 80 {
			t.Errorf("counted %d requests of %d edges", got.Total.Requests, len(got.Processes))
		}
		// More than are kept: the one that was silent for longest goes, and its part of the sum stays.
		time.Sleep(time.Minute)
		for i := range 21 {
			c.report(e, did(fmt.Sprint("later", i), "boot", 1, 1))
		}
		if got := c.edge("fra"); got.Total.Requests != 101 || len(got.Processes) != maxProcesses {
			t.Errorf("counted %d requests of %d edges", got.Total.Requests, len(got.Processes))
		}
	})
}

func TestReport_LagIsByControlsClockAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		e := c.addEdge("fra")
		lag := func(m hosting.Mark) hosting.EdgeProcess {
			r := did("a", "boot", 1, 0)
			r.Mark, r.Clock = m, time.Now().Add(-48*time.Hour) // the edge's clock is wrong by two days
			c.report(e, r)
			return c.edge("fra").Processes[0]
		}
		if got := lag(hosting.Mark{}).Lag; got != (hosting.Lag{}) {
			t.Errorf("where nothing was ever published: %+v", got)
		}
		first := c.commit(1)
		time.Sleep(10 * time.Second)
		head := c.commit(2)
		time.Sleep(30 * time.Second)
		for _, tt := range []struct {
			mark hosting.Mark
			want hosting.Lag
		}{
			{head, hosting.Lag{}},
			{first, hosting.Lag{Changes: 2, Seconds: 30}},
			{hosting.Mark{Epoch: first.Epoch}, hosting.Lag{Changes: 3, Seconds: 40}},
			{hosting.Mark{}, hosting.Lag{Changes: 3, Epoch: true}},
			{hosting.Mark{Epoch: first.Epoch - 1, Seq: 99}, hosting.Lag{Changes: 3, Epoch: true}},
			{hosting.Mark{Epoch: first.Epoch, Seq: 99}, hosting.Lag{Changes: 3, Epoch: true}}, // control was restored
		} {
			got := lag(tt.mark)
			if off := got.Lag.Seconds - tt.want.Seconds; off < 0 || off > 2 {
				t.Errorf("%+v is %+v, want %+v", tt.mark, got.Lag, tt.want)
			}
			got.Lag.Seconds = tt.want.Seconds
			if got.Lag != tt.want || got.Ahead > -48*3600 || got.Ahead < -48*3600-2 {
				t.Errorf("%+v is %+v with a clock %d s ahead, want %+v", tt.mark, got.Lag, got.Ahead, tt.want)
			}
		}
	})
}

func TestListEdges_SaysWhoIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		c.report(c.addEdge("fra"), did("a", "boot", 1, 0))
		time.Sleep(3 * time.Minute)
		if c.edge("fra").Processes[0].Silent {
			t.Error("silent after three minutes")
		}
		time.Sleep(time.Second)
		if !c.edge("fra").Processes[0].Silent {
			t.Error("not silent after more than three minutes")
		}
	})
}

func TestEdgeToken_IsKnownUntilItIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		ctx := t.Context()
		made, err := c.AddEdge(ctx, operator, hosting.NewEdge{Name: "fra"})
		if err != nil || !strings.HasPrefix(made.Secret, "fwe_") {
			t.Fatal(made, err)
		}
		e, err := c.ByToken(ctx, made.Secret)
		if err != nil || e.Name != "fra" {
			t.Fatal(e, err)
		}
		for _, wrong := range []string{"", "fwe_", made.Secret + "a", made.Secret[:len(made.Secret)-1], "fwy_" + made.Secret[4:], strings.Repeat("x", 1<<20)} {
			if _, err := c.ByToken(ctx, wrong); !hosting.Is(err, hosting.CodeUnauthenticated) {
				t.Errorf("%.20q: %v", wrong, err)
			}
		}
		if _, err := c.AddEdge(ctx, operator, hosting.NewEdge{Name: "fra"}); !hosting.Is(err, hosting.CodeConflict) {
			t.Errorf("a second of the name: %v", err)
		}
		for _, name := range []string{"", "-a", "A", "a--b", "ö", strings.Repeat("a", 41)} {
			if _, err := c.AddEdge(ctx, operator, hosting.NewEdge{Name: name}); !hosting.Is(err, hosting.CodeInvalid) {
				t.Errorf("%q: %v", name, err)
			}
		}
		if err := c.RemoveEdge(ctx, operator, "fra"); err != nil {
			t.Fatal(err)
		}
		if err := c.RemoveEdge(ctx, operator, "fra"); !hosting.Is(err, hosting.CodeNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		if _, err := c.ByToken(ctx, made.Secret); !hosting.Is(err, hosting.CodeUnauthenticated) {
			t.Errorf("a removed token: %v", err)
		}
		// It was removed while its report was on the way; another edge's in the same write counts.
		other := c.addEdge("ams")
		var both sync.WaitGroup
		both.Go(func() { c.report(other, did("b", "boot", 1, 4)) })
		both.Go(func() {
			if err := c.Report(ctx, e, did("a", "boot", 1, 1)); !hosting.Is(err, hosting.CodeUnauthenticated) {
				t.Errorf("a report by a removed token: %v", err)
			}
		})
		both.Wait()
		if c.edge("ams").Total.Requests != 4 {
			t.Errorf("counted %+v", c.edge("ams").Total)
		}
	})
}

func TestAddEdge_HasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		for i := range maxEdges {
			c.addEdge(fmt.Sprint("e", i))
		}
		if _, err := c.AddEdge(t.Context(), operator, hosting.NewEdge{Name: "more"}); !hosting.Is(err, hosting.CodeQuota) {
			t.Errorf("one more than may be: %v", err)
		}
	})
}

func TestReport_WhatCannotBeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		e := c.addEdge("fra")
		for name, spoil := range map[string]func(*hosting.EdgeReport){
			"another form":       func(r *hosting.EdgeReport) { r.Form = 2 },
			"no node":            func(r *hosting.EdgeReport) { r.Node = "" },
			"a node of controls": func(r *hosting.EdgeReport) { r.Node = "a\x1b[2J" },
			"a long node":        func(r *hosting.EdgeReport) { r.Node = strings.Repeat("a", 101) },
			"a long host":        func(r *hosting.EdgeReport) { r.Host = strings.Repeat("a", 101) },
			"a host of controls": func(r *hosting.EdgeReport) { r.Host = "a\nb" },
			"no boot":            func(r *hosting.EdgeReport) { r.Batch.Boot = "" },
			"no number":          func(r *hosting.EdgeReport) { r.Batch.Number = 0 },
			"less than nothing":  func(r *hosting.EdgeReport) { r.Batch.Counts[0].Requests = -1 },
			"too much":           func(r *hosting.EdgeReport) { r.Batch.Counts[0].Bytes = 1<<53 + 1 },
			"held below nothing": func(r *hosting.EdgeReport) { r.Held = -1 },
			"too many times":     func(r *hosting.EdgeReport) { r.Batch.Counts = make([]hosting.EdgeCounts, 101) },
			"no project": func(r *hosting.EdgeReport) {
				r.Batch.Counts[0].Projects = []hosting.ProjectTraffic{{Project: "../x"}}
			},
			"too many projects": func(r *hosting.EdgeReport) {
				r.Batch.Counts[0].Projects = make([]hosting.ProjectTraffic, 1001)
			},
		} {
			r := did("a", "boot", 1, 1)
			spoil(&r)
			if err := c.Report(t.Context(), e, r); !hosting.Is(err, hosting.CodeInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		c.report(e, did("a", "boot", 1, 1)) // the control
		huge := did("a", "boot", 2, 1<<53)
		huge.Batch.Counts[0].Bytes = 0
		c.report(e, huge)
		if got := c.edge("fra").Total.Requests; got != 1<<53 {
			t.Errorf("the sum is %d", got)
		}
	})
}

func TestReport_AfterRunSaysToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCenter(t)
		e := c.addEdge("fra")
		s := New(Config{DB: c.db})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ctx); err == nil {
			t.Error("Run returned nothing")
		}
		if err := s.Report(t.Context(), e, did("a", "boot", 1, 1)); !hosting.Is(err, hosting.CodeUnavailable) {
			t.Errorf("a report to a control plane that stops: %v", err)
		}
	})
}
