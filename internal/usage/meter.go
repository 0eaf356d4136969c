package usage

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// maxMetered bounds the projects that are counted apart between two reports. What others are
// asked for is in the whole alone.
const maxMetered = 10_000

// Meter counts what visitors were answered. Its methods may be called concurrently; counting
// allocates nothing but at a project's first request after a take.
type Meter struct {
	requests, bytes, failures atomic.Int64

	mu       sync.RWMutex
	projects map[hosting.ProjectID]*tally // guarded by mu
}

type tally struct{ requests, bytes atomic.Int64 }

// Count counts one answer. The project is "" where no site was asked for.
func (m *Meter) Count(project hosting.ProjectID, bytes int64, failed bool) {
	m.requests.Add(1)
	m.bytes.Add(bytes)
	if failed {
		m.failures.Add(1)
	}
	if project == "" {
		return
	}
	m.mu.RLock()
	t := m.projects[project]
	if t != nil { // under the lock: take hands out tallies that nobody adds to any more
		t.requests.Add(1)
		t.bytes.Add(bytes)
	}
	m.mu.RUnlock()
	if t == nil {
		m.begin(project, bytes)
	}
}

// begin counts an answer for a project that had none since the last take.
func (m *Meter) begin(project hosting.ProjectID, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.projects[project]
	if t == nil {
		if len(m.projects) >= maxMetered {
			return
		}
		if m.projects == nil {
			m.projects = map[hosting.ProjectID]*tally{}
		}
		t = new(tally)
		m.projects[project] = t
	}
	t.requests.Add(1)
	t.bytes.Add(bytes)
}

// take returns what was counted since the last take. An answer that is counted meanwhile is in
// this take or the next, its parts not always in the same.
func (m *Meter) take() hosting.EdgeCounts {
	m.mu.Lock()
	projects := m.projects
	m.projects = nil
	m.mu.Unlock()
	c := hosting.EdgeCounts{Traffic: hosting.Traffic{
		Requests: m.requests.Swap(0), Bytes: m.bytes.Swap(0), Failures: m.failures.Swap(0),
	}}
	for id, t := range projects {
		c.Projects = append(c.Projects, hosting.ProjectTraffic{Project: id, Requests: t.requests.Load(), Bytes: t.bytes.Load()})
	}
	c.Projects = busiest(c.Projects)
	return c
}

// maxReported is how many projects are told of in one report.
const maxReported = 100

// busiest returns those that were asked for most, in that order.
func busiest(all []hosting.ProjectTraffic) []hosting.ProjectTraffic {
	slices.SortFunc(all, func(a, b hosting.ProjectTraffic) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Project, b.Project))
	})
	return slices.Clip(all[:min(len(all), maxReported)])
}

// merged is two times as one.
func merged(a, b hosting.EdgeCounts) hosting.EdgeCounts {
	sums := map[hosting.ProjectID]hosting.ProjectTraffic{}
	for _, p := range slices.Concat(a.Projects, b.Projects) {
		s := sums[p.Project]
		sums[p.Project] = hosting.ProjectTraffic{Project: p.Project, Requests: s.Requests + p.Requests, Bytes: s.Bytes + p.Bytes}
	}
	m := hosting.EdgeCounts{From: a.From, To: b.To, Traffic: a.Traffic.Add(b.Traffic)}
	for _, p := range sums {
		m.Projects = append(m.Projects, p)
	}
	m.Projects = busiest(m.Projects)
	return m
}
