package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scale-mesh/fairway/internal/hosting"
)

// reports is a fleet with one edge that reports each second, by a way that can be spoiled.
type reports struct {
	*fleet
	edge  *Server
	way   *toxic
	asked int64 // by visitors of the edge
}

// TestReports_AreCountedOnce is the story of an edge that reports: what its operator sees of it,
// while control is dead, while answers get lost, and with a token that is no good.
func TestReports_AreCountedOnce(t *testing.T) {
	f := newFleet(&C{T: t, Rand: rand.New(rand.NewPCG(1, 1))}).withControl()
	f.site("shop", map[string]string{"index.html": "<h1>hello</h1>"})
	f.well()
	r := &reports{fleet: f, way: f.toxic("report", fmt.Sprintf("127.0.0.1:%d", f.control.HTTP))}
	token := filepath.Join(t.TempDir(), "edge-token")
	secret := r.fairway("edges", "add", "fra")
	r.write(token, secret)
	_, port, _ := strings.Cut(r.way.addr, ":")
	r.edge = f.edge(f.gateway, "FAIRWAY_CONTROL=http://localhost:"+port+"?every=1s", "FAIRWAY_EDGE_TOKEN=file:"+token)
	r.edge.eventually(20*time.Second, "the edge knows the site", func() bool { return r.edge.Operate("GET", "/health", nil).Status == http.StatusOK })

	r.visit(20)
	r.control.eventually(20*time.Second, "control has counted what was asked for, and the edge is not behind", func() bool {
		e := r.listed()
		return e.Total.Requests == r.asked && len(e.Processes) == 1 && e.Processes[0].Lag == hosting.Lag{}
	})
	if p := r.listed().Processes[0]; p.Silent || p.Mark.Seq == 0 || p.Held == 0 || p.Traffic.Hits == 0 || p.Traffic.Misses == 0 || p.Release == "" {
		t.Errorf("the edge is %+v", p)
	}
	if out := r.fairway("edges"); !strings.Contains(out, "fra ") || !strings.Contains(out, "just now") {
		t.Errorf("fairway edges printed:\n%s", out)
	}

	if out := r.fairway("edges", "--json"); !strings.Contains(out, `"silent":false`) && !strings.Contains(out, `"silent": false`) {
		t.Errorf("fairway edges --json printed:\n%s", out)
	}

	// Control dies: the edge serves on, and keeps what it counts, over its own death too.
	r.control.Kill()
	r.visit(30)
	r.edge.eventually(20*time.Second, "the edge keeps its reports", func() bool { return r.kept() == 30 })
	r.edge.Stop()
	r.edge.Launch()
	r.edge.Serving()
	r.visit(10)
	r.control.Start()
	r.counted("control is back")

	// Answers get lost behind control, which has counted: the same is sent again and again.
	before := r.asked
	r.next() // so that the 40, or the first of them, are in the next one
	r.way.cut()
	r.visit(40)
	r.next()
	lost := r.listed().Total.Requests
	for range 3 {
		r.next()
	}
	if got := r.listed().Total.Requests; lost <= before || got != lost {
		t.Errorf("of %d requests control counted %d, and %d after three more reports of the same", r.asked, lost, got)
	}
	r.edge.eventually(20*time.Second, "the edge keeps what it has no answer to", func() bool { return r.kept() == 40 })
	r.way.mend("cut")
	r.visit(5)
	r.counted("answers come again")
	r.edge.eventually(20*time.Second, "nothing waits any more", func() bool {
		_, err := os.Stat(filepath.Join(r.edge.Data, "reports"))
		return errors.Is(err, os.ErrNotExist)
	})
	t.Logf("figure: %d requests, each counted once, with a batch of %d of them that was taken 4 times, its answers lost", r.asked, lost-before)

	r.twice()

	// A token that is no good is told of once, and keeps the edge from nothing.
	r.write(token, secret[:len(secret)-4])
	r.edge.eventually(20*time.Second, "the edge says that its token is refused", func() bool { return strings.Contains(r.edge.out.String(), "no longer good") })
	r.visit(7)
	r.edge.eventually(20*time.Second, "the edge keeps its reports", func() bool { return r.kept() == 7 })
	r.write(token, secret)
	r.counted("the token is good again")
	if n := strings.Count(r.edge.out.String(), "no longer good"); n != 1 {
		t.Errorf("the edge said %d times that its token is refused:\n%s", n, r.edge.out)
	}
	r.fairway("edges", "remove", "fra")
	r.visit(1)
}

// well asks a control plane for its health: by its address, by its host, and with its parts.
func (f *fleet) well() {
	f.Helper()
	v := f.control.Visitor(1)
	defer v.CloseIdleConnections()
	for _, host := range []string{"127.0.0.1", "localhost", "none.localhost"} {
		_, resp, err := fetch(v, fmt.Sprintf("http://%s:%d/.fairway/health", host, f.control.HTTP))
		if err != nil || resp.StatusCode != http.StatusOK {
			f.Errorf("the health of a control plane at %s: %v %v", host, resp, err)
		}
	}
	if got := f.control.Operate("GET", "/health", nil); got.Status != http.StatusOK {
		f.Errorf("its parts: %+v", got)
	}
}

// fairway runs a command of the operator, and returns what it printed.
func (r *reports) fairway(args ...string) string {
	r.Helper()
	out, errs, err := r.control.CLI(r.control.Data, args...)
	if err != nil {
		r.Fatalf("fairway %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return strings.TrimSpace(out)
}

func (r *reports) write(path, text string) {
	r.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		r.Fatal(err)
	}
}

// visit asks the edge n times for a page.
func (r *reports) visit(n int) {
	r.Helper()
	v := r.edge.Visitor(1)
	defer v.CloseIdleConnections()
	for range n {
		body, resp, err := fetch(v, r.edge.Site("shop")+"/")
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(body, "hello") {
			r.Fatalf("the edge answers %v %v %s", resp, err, body)
		}
		r.asked++
	}
}

// listed is the edge as its operator sees it.
func (r *reports) listed() hosting.Edge {
	r.Helper()
	var l struct{ Items []hosting.Edge }
	r.control.Operate("GET", "/edges", nil).OK().Into(&l)
	if len(l.Items) == 0 {
		r.Fatal("no edge is listed")
	}
	return l.Items[0]
}

// next waits for the next report that control takes.
func (r *reports) next() {
	r.Helper()
	last := r.listed().Processes[0].ReportedAt
	r.control.eventually(20*time.Second, "a report comes", func() bool { return r.listed().Processes[0].ReportedAt.After(last) })
}

// counted waits until control has counted all that was asked for.
func (r *reports) counted(when string) {
	r.Helper()
	r.control.eventually(30*time.Second, when+", and has counted", func() bool { return r.listed().Total.Requests >= r.asked })
	if got := r.listed().Total.Requests; got != r.asked {
		r.Errorf("%s: of %d requests it counts %d", when, r.asked, got)
	}
}

// kept is how many requests wait on the edge's disk to be reported.
func (r *reports) kept() (n int64) {
	r.Helper()
	var s struct {
		Sent    struct{ Counts []hosting.EdgeCounts }
		Waiting []hosting.EdgeCounts
	}
	b, err := os.ReadFile(filepath.Join(r.edge.Data, "reports"))
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Fatal(err)
	}
	for _, c := range append(s.Sent.Counts, s.Waiting...) {
		n += c.Requests
	}
	return n
}

// cut lets requests pass, and of each answer one byte.
func (t *toxic) cut() {
	t.f.Helper()
	t.call(http.MethodPost, "/proxies/"+t.name+"/toxics", map[string]any{
		"type": "limit_data", "name": "cut", "stream": "downstream", "attributes": map[string]any{"bytes": 1},
	})
}

// twice is the control of the counting: one batch, three times under its own name, and then
// under three names, as if nobody looked for those that were counted already.
func (r *reports) twice() {
	r.Helper()
	secret := r.fairway("edges", "add", "aaa")
	v := r.control.Visitor(1)
	defer v.CloseIdleConnections()
	post := func(boot string) {
		r.Helper()
		req := request(r, "POST", fmt.Sprintf("http://localhost:%d/api/edges/report", r.control.HTTP), hosting.EdgeReport{
			Form: hosting.EdgeForm, Node: "a", Clock: time.Now(),
			Batch: hosting.EdgeBatch{Boot: boot, Number: 1, Counts: []hosting.EdgeCounts{{Traffic: hosting.Traffic{Requests: 10}}}},
		})
		req.Header.Set("Authorization", "Bearer "+secret)
		do(r, v, req).OK()
	}
	for range 3 {
		post("one")
	}
	if got := r.listed().Total.Requests; got != 10 {
		r.Errorf("10 requests that were reported three times are %d", got)
	}
	for _, boot := range []string{"two", "three", "four"} {
		post(boot)
	}
	if got := r.listed().Total.Requests; got != 40 {
		r.Errorf("as three batches they should add up to 30 more, and are %d", got)
	}
	r.fairway("edges", "remove", "aaa")
}
