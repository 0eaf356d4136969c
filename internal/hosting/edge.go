package hosting

import (
	"strings"
	"time"
)

// EdgeForm is the form of EdgeReport that this release writes and reads.
const EdgeForm = 1

// Bounds of what an edge reports.
const (
	MaxEdgeCounts   = 100     // of one batch
	MaxEdgeProjects = 1000    // of one EdgeCounts
	maxEdgeText     = 100     // characters of a name
	maxCount        = 1 << 53 // what JSON's readers agree on
	MaxEdgeName     = 40
)

// Traffic is what was answered to visitors, and where it came from.
type Traffic struct {
	Requests int64 `json:"requests" doc:"Requests answered"`
	Bytes    int64 `json:"bytes" doc:"Bytes of bodies sent"`
	Failures int64 `json:"failures" doc:"Answers with status 500 and above"`
	Hits     int64 `json:"hits" doc:"Contents that a cache had"`
	Misses   int64 `json:"misses" doc:"Contents that had to be fetched, or made"`
	Fetched  int64 `json:"fetched" doc:"Bytes read from the object store"`
}

// Add returns the sum. What would be more than can be counted stays at the most.
func (t Traffic) Add(o Traffic) Traffic {
	return Traffic{
		Requests: sum(t.Requests, o.Requests), Bytes: sum(t.Bytes, o.Bytes), Failures: sum(t.Failures, o.Failures),
		Hits: sum(t.Hits, o.Hits), Misses: sum(t.Misses, o.Misses), Fetched: sum(t.Fetched, o.Fetched),
	}
}

// sum adds counts, which are not negative.
func sum(a, b int64) int64 { return min(a+b, maxCount) }

func (t Traffic) valid() bool {
	for _, n := range []int64{t.Requests, t.Bytes, t.Failures, t.Hits, t.Misses, t.Fetched} {
		if n < 0 || n > maxCount {
			return false
		}
	}
	return true
}

// EdgeReport is what an edge says of itself, once a minute.
type EdgeReport struct {
	Form    int       `json:"form" doc:"Of this report: 1"`
	Node    string    `json:"node" doc:"Names the edge's data folder"`
	Host    string    `json:"host,omitempty" doc:"What its machine calls itself"`
	Release string    `json:"release,omitempty" doc:"Version of Fairway"`
	Mark    Mark      `json:"mark" doc:"What its routing table has"`
	Clock   time.Time `json:"clock" doc:"The edge's time when it sent this"`
	Held    int64     `json:"held" doc:"Bytes in its caches, in memory and on disk"`
	Batch   EdgeBatch `json:"batch" doc:"What it did since the batch before"`
}

// EdgeBatch is what is counted once, however often it is sent: Boot and Number name it, and
// under one name it never changes.
type EdgeBatch struct {
	Boot   string       `json:"boot" doc:"Names the edge's process"`
	Number uint64       `json:"number" doc:"Grows within the boot"`
	Counts []EdgeCounts `json:"counts" doc:"Oldest first"`
}

// EdgeCounts is what an edge did in a time, by its own clock: a minute, or more where it could
// not report.
type EdgeCounts struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Traffic
	Projects []ProjectTraffic `json:"projects,omitempty" doc:"Those that were asked for most; the rest is the difference to the whole"`
}

// ProjectTraffic is what was answered for one project.
type ProjectTraffic struct {
	Project  ProjectID `json:"project"`
	Requests int64     `json:"requests"`
	Bytes    int64     `json:"bytes"`
}

// Check says whether a report is one that can be counted.
func (r EdgeReport) Check() error {
	if r.Form != EdgeForm {
		return Errorf(CodeInvalid, "reports of form %d are not known here", r.Form).WithHint("update the control plane before its edges")
	}
	wrong := func(what string) error { return Errorf(CodeInvalid, "the report's %s cannot be", what) }
	for what, s := range map[string]string{"node": r.Node, "boot": r.Batch.Boot} {
		if s == "" || !shortText(s) {
			return wrong(what)
		}
	}
	switch {
	case !shortText(r.Host):
		return wrong("host")
	case !shortText(r.Release):
		return wrong("release")
	case r.Held < 0 || r.Held > maxCount:
		return wrong("bytes in caches")
	}
	return r.Batch.Check()
}

// Check says whether a batch can be counted.
func (b EdgeBatch) Check() error {
	if b.Number == 0 || len(b.Counts) > MaxEdgeCounts {
		return Errorf(CodeInvalid, "a batch has a number, and counts of at most %d times", MaxEdgeCounts)
	}
	for _, c := range b.Counts {
		ok := c.Traffic.valid() && len(c.Projects) <= MaxEdgeProjects
		for _, p := range c.Projects {
			ok = ok && ValidID(string(p.Project)) && Traffic{Requests: p.Requests, Bytes: p.Bytes}.valid()
		}
		if !ok {
			return Errorf(CodeInvalid, "the report counts what cannot be")
		}
	}
	return nil
}

// shortText reports whether s is short, and safe to show.
func shortText(s string) bool {
	return len(s) <= maxEdgeText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// Edge is what an edge token brought: one edge, or several that share it.
type Edge struct {
	Name      string        `json:"name"`
	CreatedAt time.Time     `json:"createdAt"`
	Total     Traffic       `json:"total" doc:"All that was ever reported with its token"`
	Processes []EdgeProcess `json:"processes" doc:"Those that report with it; none before the first report"`
}

// EdgeProcess is an edge as it was when it last reported.
type EdgeProcess struct {
	Node       string    `json:"node" doc:"Names its data folder"`
	Host       string    `json:"host,omitempty" doc:"What its machine calls itself"`
	Release    string    `json:"release,omitempty" doc:"Its version of Fairway"`
	Mark       Mark      `json:"mark" doc:"What its routing table had"`
	Lag        Lag       `json:"lag" doc:"How far it was behind control then"`
	Ahead      int64     `json:"clockAhead" doc:"Seconds by which its clock was ahead of control's"`
	Held       int64     `json:"held" doc:"Bytes in its caches, in memory and on disk"`
	Traffic    Traffic   `json:"traffic" doc:"What it did since it first reported"`
	ReportedAt time.Time `json:"reportedAt" doc:"By control's clock"`
	Silent     bool      `json:"silent" doc:"It has not reported for more than three minutes"`
}

// Lag is how far a routing table is behind the state. Its zero value is not at all.
type Lag struct {
	Changes uint64 `json:"changes" doc:"Changes that it had not"`
	Seconds int64  `json:"seconds,omitempty" doc:"Age of the first of them; absent where that is not known"`
	Epoch   bool   `json:"epoch,omitempty" doc:"It is of another Epoch: it has to take a snapshot first"`
}

// NewEdge is the input of an edge token's making.
type NewEdge struct {
	Name string `json:"name" minLength:"1" maxLength:"40" doc:"Lower-case letters, digits and hyphens, such as fra-1"`
}

// EdgeSecret is a new edge token, which is shown this once.
type EdgeSecret struct {
	Name   string `json:"name"`
	Secret string `json:"secret" doc:"The token itself; nobody can see it again"`
}

// CheckEdgeName says whether an edge may be called so.
func CheckEdgeName(name string) error {
	if len(name) > MaxEdgeName || !isLabel(name) {
		return Errorf(CodeInvalid, "%q cannot be an edge's name", clip(name, MaxEdgeName)).
			WithHint("use up to %d lower-case letters, digits and single hyphens, such as fra-1", MaxEdgeName)
	}
	return nil
}
